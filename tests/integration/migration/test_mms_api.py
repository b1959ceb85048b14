"""CSC-X and the feed over real HTTPS, with mutual TLS."""

import asyncio
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import httpx2
import pytest

PARTNER = {
    "primary_mc_system": "mc1",
    "migration_management_server": "mms.mc1.lab",
    "primary_mc_system_sip_identities": {
        "private_user_identity": "mig-a@ims.mc1.lab",
        "public_user_identities": ["sip:mig-a@ims.mc1.lab"],
    },
    "mc_service_ids": ["sip:alice@mc1.lab"],
}
PRIMARY = {
    "mc_service_ids": ["sip:bob@mc2.lab"],
    "default_identities": {
        "private_user_identity": "001020000000001@ims.mc2.lab",
        "public_user_identities": ["sip:bob@ims.mc2.lab"],
    },
    "partner_mc_system": "mc1",
}
BY_HAND = {
    "binding": "by-hand",
    "role": "partner",
    "mc_service_ids": ["sip:alice@mc1.lab"],
    "other_mc_system": "mc1",
    "migration_management_server": "mms.mc1.lab",
    "identities": {
        "private_user_identity": "mig-hand@ims.mc2.lab",
        "public_user_identities": ["sip:mig-hand@ims.mc2.lab"],
    },
    "counterpart": PARTNER["primary_mc_system_sip_identities"],
    "valid_until": "2099-01-01T00:00:00Z",
}


async def allocate(cms: httpx2.AsyncClient) -> dict[str, Any]:
    held = (await cms.post("/csc-x/v1/partner-mc-system-sip-identities", json=PARTNER)).json()
    response = await cms.post(f"/csc-x/v1/bindings/{held['binding']}/confirm", json={})
    return response.json()  # type: ignore[no-any-return]


async def test_steps_4_to_6_and_9_to_11(cms: httpx2.AsyncClient) -> None:
    primary = await cms.post("/csc-x/v1/primary-mc-system-sip-identities", json=PRIMARY)
    partner = await cms.post("/csc-x/v1/partner-mc-system-sip-identities", json=PARTNER)
    assert (primary.status_code, partner.status_code) == (200, 200)
    assert primary.json()["state"] == partner.json()["state"] == "held"
    assert primary.json()["migration_management_server"] == "mms.mc2.lab"
    again = await cms.post("/csc-x/v1/partner-mc-system-sip-identities", json=PARTNER)
    same = ("binding", "partner_mc_system_sip_identities")
    assert [again.json()[name] for name in same] == [partner.json()[name] for name in same]


async def test_a_refusal_is_problem_details_with_its_step(cms: httpx2.AsyncClient) -> None:
    response = await cms.post("/csc-x/v1/partner-mc-system-sip-identities", json=PARTNER | {"primary_mc_system": "mc9"})
    assert (response.status_code, response.headers["content-type"]) == (403, "application/problem+json")
    problem = response.json()
    assert (problem["type"], problem["step"]) == ("urn:mc-migration:problem:unknown-mc-system", "10.1.X.1-10")


async def test_the_life_of_a_binding_over_csc_x(cms: httpx2.AsyncClient) -> None:
    binding = await allocate(cms)
    path = f"/csc-x/v1/bindings/{binding['binding']}"
    assert (binding["state"], binding["proxies_behind"]) == ("allocated", ["proxy1.mc2.lab", "proxy2.mc2.lab"])
    assert (await cms.post(f"{path}/disable", json={"reason": "lost"})).json()["enabled"] is False
    refused = await cms.post("/csc-x/v1/partner-mc-system-sip-identities", json=PARTNER)
    assert (refused.status_code, refused.json()["step"]) == (403, "10.1.X.1-10")
    assert (await cms.post(f"{path}/enable", json={})).json()["enabled"] is True
    assert (await cms.post(f"{path}/release", json={})).json()["state"] == "quarantined"
    assert (await cms.get(path)).json()["state"] == "quarantined"
    assert (await cms.post(f"{path}/enable", json={})).status_code == 409
    assert (await cms.get("/csc-x/v1/bindings/none")).status_code == 404
    listed = await cms.get("/csc-x/v1/bindings", params={"role": "partner", "other_mc_system": "mc1"})
    assert [entry["binding"] for entry in listed.json()] == [binding["binding"]]


async def test_a_binding_is_entered_by_hand(cms: httpx2.AsyncClient, proxy: httpx2.AsyncClient) -> None:
    response = await cms.put("/csc-x/v1/bindings", json=BY_HAND)
    assert (response.status_code, response.json()["state"]) == (200, "allocated")
    assert (await cms.put("/csc-x/v1/bindings", json=BY_HAND)).json()["binding"] == "by-hand"
    page = (await proxy.get("/feed/v1/changes")).json()
    assert [entry["binding"] for entry in page["entries"]] == ["by-hand"]
    wrong = BY_HAND | {"migration_management_server": "mms.mc9.lab"}
    assert (await cms.put("/csc-x/v1/bindings", json=wrong)).status_code == 403


@pytest.mark.parametrize(
    ("name", "path", "status"),
    [
        ("cms.mc2.lab", "/csc-x/v1/bindings", 200),
        ("admin.mc2.lab", "/csc-x/v1/bindings", 200),
        ("proxy1.mc2.lab", "/csc-x/v1/bindings", 403),
        ("stranger.mc2.lab", "/csc-x/v1/bindings", 403),
        ("cms.mc2.lab", "/feed/v1/changes", 403),
        ("proxy1.mc2.lab", "/feed/v1/changes", 200),
        ("stranger.mc2.lab", "/health", 200),
        ("stranger.mc2.lab", "/ready", 503),  # no proxy is connected
        ("cms.mc2.lab", "/metrics", 403),
        ("cms.mc2.lab", "/elsewhere", 404),
    ],
)
async def test_each_group_of_routes_has_its_clients(
    client_of: Callable[..., Any], name: str, path: str, status: int
) -> None:
    async with client_of(name) as client:
        response = await client.get(path)
    assert response.status_code == status
    assert (response.headers["content-type"] == "application/problem+json") == (status != 200)


async def test_without_a_certificate_nobody_gets_in(client_of: Callable[..., Any]) -> None:
    async with client_of(None) as client:
        with pytest.raises(httpx2.TransportError):
            await client.get("/csc-x/v1/bindings")


async def test_a_rogue_authority_with_the_right_name_does_not_get_in(client_of: Callable[..., Any], lab: Any) -> None:
    posing = lab.issue(lab.rogue, "cms.mc2.lab", stem="rogue")
    async with client_of(None, posing) as client:
        with pytest.raises(httpx2.TransportError):
            await client.get("/csc-x/v1/bindings")


async def test_the_feed_waits_until_something_changes(cms: httpx2.AsyncClient, proxy: httpx2.AsyncClient) -> None:
    version = (await proxy.get("/feed/v1/changes")).json()["version"]
    waiting = asyncio.create_task(proxy.get("/feed/v1/changes", params={"after": version, "wait_s": 20}, timeout=30))
    await asyncio.sleep(0.1)
    assert not waiting.done()
    binding = await allocate(cms)
    page = (await asyncio.wait_for(waiting, 15)).json()
    assert [entry["binding"] for entry in page["entries"]] == [binding["binding"]]


async def test_a_proxy_acknowledges_for_itself(cms: httpx2.AsyncClient, proxy: httpx2.AsyncClient) -> None:
    binding = await allocate(cms)
    path = "/feed/v1/acknowledgement"
    mine = await proxy.put(path, json={"proxy": "proxy1.mc2.lab", "version": binding["version"]})
    theirs = await proxy.put(path, json={"proxy": "proxy2.mc2.lab", "version": binding["version"]})
    assert (mine.status_code, theirs.status_code) == (204, 403)
    shown = (await cms.get(f"/csc-x/v1/bindings/{binding['binding']}")).json()
    assert shown["proxies_behind"] == ["proxy2.mc2.lab"]


async def test_one_identity_is_looked_up(cms: httpx2.AsyncClient, proxy: httpx2.AsyncClient) -> None:
    binding = await allocate(cms)
    lent = binding["identities"]
    for identity in (lent["private_user_identity"], lent["public_user_identities"][0]):
        response = await proxy.get(f"/feed/v1/identities/{quote(identity, safe='')}")
        assert response.json()["binding"] == binding["binding"]
    for identity, status in (("mig-none@ims.mc2.lab", 404), ("sip:mig-none@ims.mc2.lab", 404), ("nonsense", 422)):
        assert (await proxy.get(f"/feed/v1/identities/{quote(identity, safe='')}")).status_code == status


async def test_a_home_deregistration_withdraws_and_the_cms_learns_of_it(
    cms: httpx2.AsyncClient, proxy: httpx2.AsyncClient
) -> None:
    held = (await cms.post("/csc-x/v1/primary-mc-system-sip-identities", json=PRIMARY)).json()
    confirmed = (await cms.post(f"/csc-x/v1/bindings/{held['binding']}/confirm", json={})).json()
    event = {"event": "home-deregistration", "private_user_identity": "001020000000001@ims.mc2.lab"}
    assert (await proxy.post("/feed/v1/events", json=event)).status_code == 204
    page = (await cms.get("/csc-x/v1/bindings/changes", params={"after": confirmed["version"]})).json()
    assert [(entry["binding"], entry["enabled"]) for entry in page["bindings"]] == [(held["binding"], False)]


@pytest.fixture
def unused_for_3_s(lab: Any) -> None:
    lab.configure(**{"sweep_s = 0.1": "sweep_s = 0.1\nunused_s = 3"})


@pytest.mark.usefixtures("unused_for_3_s")
async def test_a_proxy_reports_uses_for_itself_and_the_primary_gives_back_the_rest(
    lab: Any, cms: httpx2.AsyncClient, proxy: httpx2.AsyncClient, client_of: Callable[..., Any]
) -> None:
    path = "/feed/v1/uses"
    told = {"proxy": "proxy1.mc2.lab", "complete_for_s": 3600}
    theirs = await proxy.put(path, json=told | {"proxy": "proxy2.mc2.lab"})
    assert (theirs.status_code, theirs.json()["type"]) == (403, "urn:mc-migration:problem:not-this-proxy")
    held = [
        (await cms.post("/csc-x/v1/primary-mc-system-sip-identities", json=PRIMARY | {"mc_service_ids": [user]})).json()
        for user in ("sip:a@mc2.lab", "sip:b@mc2.lab")
    ]
    used, never = [one["binding"] for one in held]
    for handle in (used, never):
        assert (await cms.post(f"/csc-x/v1/bindings/{handle}/confirm", json={})).status_code == 200
    async with client_of("proxy2.mc2.lab") as other:
        assert (await other.put(path, json=told | {"proxy": "proxy2.mc2.lab"})).status_code == 204
    assert (await proxy.put(path, json=told | {"bindings": [used, "b-none"]})).status_code == 204

    async def states() -> list[str]:
        return [(await cms.get(f"/csc-x/v1/bindings/{handle}")).json()["state"] for handle in (used, never)]

    due = time.monotonic() + 20
    while await states() != ["allocated", "quarantined"]:
        assert time.monotonic() < due, await states()
        await asyncio.sleep(0.05)
    page = (await cms.get("/csc-x/v1/bindings/changes", params={"after": 0})).json()
    ended = {one["binding"]: one["state"] for one in page["bindings"]}
    assert ended[never] == "quarantined"  # so the CMS tells the partner over CSC-17
    assert lab.database.one("SELECT unused_until FROM bindings WHERE handle = :handle", handle=used) is None
    assert lab.database.one("SELECT count(*) FROM audit WHERE event = 'binding.used'") == 1


async def test_operations_are_named_after_the_messages(cms: httpx2.AsyncClient) -> None:
    document = (await cms.get("/openapi.json")).json()
    names = {operation["operationId"] for path in document["paths"].values() for operation in path.values()}
    assert {
        "get_primary_mc_system_sip_identities",
        "get_partner_mc_system_sip_identities",
        "confirm_binding",
        "release_binding",
        "enter_binding",
        "get_feed_changes",
    } <= names
    post = document["paths"]["/csc-x/v1/partner-mc-system-sip-identities"]["post"]
    assert "application/problem+json" in post["responses"]["409"]["content"]


async def test_an_unreadable_body_is_422(cms: httpx2.AsyncClient) -> None:
    response = await cms.post(
        "/csc-x/v1/partner-mc-system-sip-identities", content=b"{", headers={"content-type": "application/json"}
    )
    assert (response.status_code, response.headers["content-type"]) == (422, "application/problem+json")
