"""CSC-X as the migration management server sees it."""

import json
import ssl
from typing import Any

import httpx2
import pytest

from mmserver.configuration.errors import (
    AnswerNotUsable,
    BindingNotFound,
    MmsUnreachable,
    PeerOverloaded,
    Refusal,
    RefusedElsewhere,
    WithdrawalsForAdministrators,
)
from mmserver.configuration.mms_client import MmsClient
from mmserver.configuration.peer import Peer, PeerRefused
from mmserver.messages import BindingReason, PartnerSipIdentitiesRequest, PrimarySipIdentitiesRequest, Role

SET = {"private_user_identity": "a@ims.mc1.lab", "public_user_identities": ["sip:a@ims.mc1.lab"]}
PRIMARY = PrimarySipIdentitiesRequest.model_validate(
    {"mc_service_ids": ["sip:alice@mc1.lab"], "default_identities": SET, "partner_mc_system": "mc2"}
)
PARTNER = PartnerSipIdentitiesRequest.model_validate(
    {
        "primary_mc_system": "mc1",
        "migration_management_server": "mms.mc1.lab",
        "primary_mc_system_sip_identities": SET,
        "mc_service_ids": ["sip:alice@mc1.lab"],
    }
)
LENT = {"binding": "b-1", "state": "held", "valid_until": "2027-01-01T00:00:00Z"}


class Mms:
    """Answers as told and remembers what it was asked."""

    def __init__(self, answer: Any, status: int = 200) -> None:
        self.answer = answer
        self.status = status
        self.asked: list[tuple[str, str, Any]] = []

    def handle(self, request: httpx2.Request) -> httpx2.Response:
        body = json.loads(request.content) if request.content else None
        self.asked.append((request.method, request.url.raw_path.decode(), body))
        if isinstance(self.answer, Exception):
            raise self.answer
        media_type = "application/problem+json" if self.status >= 400 else "application/json"
        return httpx2.Response(self.status, json=self.answer, headers={"content-type": media_type})

    def client(self) -> MmsClient:
        context = ssl.create_default_context()
        return MmsClient(Peer("https://mms.mc1.lab", context, 5.0, httpx2.MockTransport(self.handle)))


def problem(name: str, status: int, step: str | None = None) -> dict[str, Any]:
    return {"type": f"urn:mc-migration:problem:{name}", "title": name, "status": status, "step": step}


async def test_primary_identities_are_asked_for_and_read() -> None:
    mms = Mms({**LENT, "primary_mc_system_sip_identities": SET, "migration_management_server": "mms.mc1.lab"})
    response = await mms.client().primary_identities(PRIMARY)
    assert (response.binding, response.state) == ("b-1", "held")
    (method, path, body), *_ = mms.asked
    assert (method, path) == ("POST", "/csc-x/v1/primary-mc-system-sip-identities")
    assert body == {
        "mc_service_ids": ["sip:alice@mc1.lab"], "default_identities": SET, "partner_mc_system": "mc2",
    }  # fmt: skip


async def test_partner_identities_are_asked_for_and_read() -> None:
    mms = Mms({**LENT, "partner_mc_system_sip_identities": SET})
    assert (await mms.client().partner_identities(PARTNER)).binding == "b-1"
    assert mms.asked[0][1] == "/csc-x/v1/partner-mc-system-sip-identities"


@pytest.mark.parametrize(
    ("answer", "status", "refusal", "steps"),
    [
        (httpx2.ConnectError("no"), 0, MmsUnreachable, ("10.1.X.1-4", "10.1.X.1-9")),
        ({}, 200, AnswerNotUsable, ("10.1.X.1-6", "10.1.X.1-11")),
        (problem("client-not-allowed", 403), 403, AnswerNotUsable, ("10.1.X.1-6", "10.1.X.1-11")),
        (problem("too-many-requests", 429), 429, PeerOverloaded, ("10.1.X.1-4", "10.1.X.1-9")),
        (problem("no-free-set", 409, "10.1.X.1-5"), 409, RefusedElsewhere, ("10.1.X.1-5", "10.1.X.1-5")),
    ],
)
async def test_each_failure_names_its_step(answer: Any, status: int, refusal: type[Refusal], steps: tuple) -> None:
    client = Mms(answer, status).client()
    with pytest.raises(refusal) as primary:
        await client.primary_identities(PRIMARY)
    with pytest.raises(refusal) as partner:
        await client.partner_identities(PARTNER)
    assert (primary.value.step, partner.value.step) == steps


@pytest.mark.parametrize("operation", ["confirm", "release"])
async def test_a_binding_that_is_gone_is_not_found(operation: str) -> None:
    mms = Mms(problem("binding-not-live", 409), 409)
    with pytest.raises(BindingNotFound):
        await getattr(mms.client(), operation)("b/1", "why")
    assert mms.asked == [("POST", f"/csc-x/v1/bindings/b%2F1/{operation}", {"reason": "why"})]
    with pytest.raises(AnswerNotUsable):
        await getattr(Mms(problem("internal-error", 500), 500).client(), operation)("b-1", "why")


async def test_bindings_are_found_by_a_private_identity() -> None:
    mms = Mms([])
    assert await mms.client().find(Role.PARTNER, "mc1", "a@ims.mc1.lab") == []
    assert mms.asked[0][1] == (
        "/csc-x/v1/bindings?role=partner&other_mc_system=mc1&private_user_identity=a%40ims.mc1.lab"
    )


async def test_agreements_are_read_and_failures_stay_what_they_are() -> None:
    servers = ["mms.mc2.lab"]
    agreement = {"name": "mc2", "realms": ["a"], "migration_management_servers": servers, "services": ["mcptt"]}
    mms = Mms([agreement])
    assert [one.name for one in await mms.client().agreements()] == ["mc2"]
    assert mms.asked == [("GET", "/csc-x/v1/agreements", None)]
    with pytest.raises(PeerRefused):
        await Mms(problem("client-not-allowed", 403), 403).client().agreements()


async def test_withdrawals_that_are_for_administrators_say_what_mends_it() -> None:
    client = Mms(problem("client-not-allowed", 403), 403).client()
    with pytest.raises(WithdrawalsForAdministrators, match=r"http\.clients\.administrators"):
        await client.lift("w-1", "found")
    with pytest.raises(WithdrawalsForAdministrators, match="mmserver migration withdraw"):
        await client.withdraw(BindingReason(reason="lost"))
    with pytest.raises(RefusedElsewhere):
        await Mms(problem("unknown-mc-system", 403), 403).client().withdraw(BindingReason())


async def test_changes_are_followed_and_failures_stay_what_they_are() -> None:
    page = {"version": 7, "reset": False, "complete": True, "bindings": []}
    assert (await Mms(page).client().changes(3, 1, 0.0)).version == 7
    with pytest.raises(PeerRefused):
        await Mms(problem("store-unavailable", 503), 503).client().changes(3, 1, 0.0)
