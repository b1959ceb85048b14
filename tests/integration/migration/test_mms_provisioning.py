"""Import and export over CSC-X: what one MMS exports another takes, line by line."""

import json
from typing import Any

import httpx2

JSON_LINES = {"content-type": "application/x-ndjson"}


def entry(name: str, **changes: Any) -> str:
    body = {
        "binding": name,
        "role": "partner",
        "mc_service_ids": [f"sip:{name}@mc1.lab"],
        "other_mc_system": "mc1",
        "migration_management_server": "mms.mc1.lab",
        "identities": {
            "private_user_identity": f"mig-{name}@ims.mc2.lab",
            "public_user_identities": [f"sip:mig-{name}@ims.mc2.lab"],
        },
        "counterpart": {
            "private_user_identity": f"p-{name}@ims.mc1.lab",
            "public_user_identities": [f"sip:p-{name}@ims.mc1.lab"],
        },
        "valid_until": "2099-01-01T00:00:00Z",
    }
    return json.dumps(body | changes)


async def test_lines_go_in_and_come_out_the_same(cms: httpx2.AsyncClient, proxy: httpx2.AsyncClient) -> None:
    cms.timeout = httpx2.Timeout(60)
    lines = "\n".join(entry(f"u{number}") for number in range(120)) + "\n"
    dry = await cms.post("/csc-x/v1/import", content=lines, headers=JSON_LINES, params={"dry_run": True})
    assert (dry.json()["entered"], (await cms.get("/csc-x/v1/export")).text) == (120, "")
    first = await cms.post("/csc-x/v1/import", content=lines, headers=JSON_LINES)
    assert (first.json()["entered"], first.json()["refused"]) == (120, [])
    exported = await cms.get("/csc-x/v1/export")
    assert exported.headers["content-type"].startswith("application/x-ndjson")
    again = await cms.post("/csc-x/v1/import", content=exported.text, headers=JSON_LINES)
    assert (again.json()["unchanged"], again.json()["entered"]) == (120, 0)
    page = (await proxy.get("/feed/v1/changes")).json()
    assert len(page["entries"]) == 120  # the proxies serve 10.6.2 with what was imported


async def test_refused_lines_are_named_with_their_number(cms: httpx2.AsyncClient) -> None:
    lines = "\n".join([entry("one"), "nonsense", entry("two", other_mc_system="mc9")])
    report = await cms.post("/csc-x/v1/import", content=lines, headers=JSON_LINES, params={"first_line": 11})
    assert [(one["line"], one["type"].rpartition(":")[2]) for one in report.json()["refused"]] == [
        (12, "invalid-request"),
        (13, "unknown-mc-system"),
    ]


async def test_an_import_is_json_lines_of_utf_8(cms: httpx2.AsyncClient) -> None:
    wrong = await cms.post("/csc-x/v1/import", json={})
    assert (wrong.status_code, wrong.headers["content-type"]) == (415, "application/problem+json")
    assert (await cms.post("/csc-x/v1/import", content=b"\xff", headers=JSON_LINES)).status_code == 422
