"""Mode sip-database against the HSS simulator: another program, asked over Diameter; only what it knows is lent."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest

from mmserver.migration.config import load_config
from mmserver.migration.schema.upgrade import upgrade
from mmserver.migration.service import Service
from tests.waiting import until

DEADLINE_S = 60.0
HSS = """
[node]
origin_host = "hss.mc2.lab"
origin_realm = "ims.mc2.lab"
port = 0
peers = ["mms.mc2.lab"]
[hss]
state = "hss.sqlite"
control = "control"
scscf = ["sip:scscf.mc2.lab:6060"]
[[users]]
name = "bob"
k = "465b5ce8b199b49faa5f0a2ee238a6bc"
opc = "cd63cb71954a9f4e48a5994e37a02baf"
[[users.impis]]
private_user_identity = "mig-known@ims.mc2.lab"
public_user_identities = ["sip:mig-known@ims.mc2.lab"]
"""
ALLOCATION = """
[sip_database]
host = "hss.mc2.lab"
address = "127.0.0.1"
port = {port}
deadline_s = 10

[allocation.primary]
mode = "sip-database"
file = "sets.jsonl"

[lifetime]
"""
STEP_4 = "/csc-x/v1/primary-mc-system-sip-identities"


def asked(user: str) -> dict[str, Any]:
    return {
        "mc_service_ids": [f"sip:{user}@mc2.lab"],
        "default_identities": {
            "private_user_identity": f"{user}@ims.mc2.lab",
            "public_user_identities": [f"sip:{user}@ims.mc2.lab"],
        },
        "partner_mc_system": "mc1",
    }


def one_set(user: str, name: str) -> str:
    body = {"mc_service_id": f"sip:{user}@mc2.lab", "partner": "mc1"}
    body |= {"private_user_identity": f"mig-{name}@ims.mc2.lab"}
    return json.dumps(body | {"public_user_identities": [f"sip:mig-{name}@ims.mc2.lab"]})


@asynccontextmanager
async def hss(folder: Path) -> AsyncIterator[tuple[asyncio.subprocess.Process, int]]:
    (folder / "hss.toml").write_text(HSS)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "lab.systems.hss", "run", "--config", str(folder / "hss.toml"),
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    assert process.stdout is not None
    try:
        ready = json.loads(await asyncio.wait_for(process.stdout.readline(), DEADLINE_S))
        yield process, int(ready["listen"][0].rpartition(":")[2])
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


@pytest.fixture
async def core(lab: Any) -> AsyncIterator[tuple[httpx2.AsyncClient, asyncio.subprocess.Process]]:
    """An MMS that asks a running HSS, and the CMS's client."""
    lines = [one_set("bob", "strange"), one_set("bob", "known"), one_set("carol", "unknown")]
    (lab.folder / "sets.jsonl").write_text("\n".join(lines))
    async with hss(lab.folder) as (process, port):
        config = load_config(lab.configure(**{"\n[lifetime]\n": ALLOCATION.format(port=port)}))
        upgrade(config.store.url)
        async with Service(config) as service:
            await until(lambda: service.cx.is_open("hss.mc2.lab"))
            context = lab.context(lab.credentials("cms.mc2.lab"))
            async with httpx2.AsyncClient(
                base_url=f"https://{service.http.listen}", verify=context, timeout=60
            ) as client:
                yield client, process


async def test_only_a_set_that_the_hss_knows_is_lent(core: Any) -> None:
    cms, _process = core
    response = await cms.post(STEP_4, json=asked("bob"))
    assert response.json()["primary_mc_system_sip_identities"]["private_user_identity"] == "mig-known@ims.mc2.lab"
    refused = await cms.post(STEP_4, json=asked("carol"))
    assert (refused.status_code, refused.json()["step"]) == (409, "10.1.X.1-5")
    assert refused.json()["type"].endswith(":sets-not-known-to-sip-database")
    dry = (await cms.post(f"{STEP_4}/dry-run", json=asked("carol"))).json()
    assert (dry["possible"], dry["type"]) == (False, refused.json()["type"])


async def test_an_hss_that_does_not_answer_refuses_step_5(core: Any) -> None:
    cms, process = core
    process.kill()
    await process.wait()
    refused = await cms.post(STEP_4, json=asked("bob"))
    assert (refused.status_code, refused.json()["step"]) == (503, "10.1.X.1-5")
    assert refused.json()["type"].endswith(":sip-database-unreachable")
    assert (await cms.get("/csc-x/v1/bindings")).json() == []
