"""CSC-17 as a partner's configuration management server sees it."""

import json
import ssl
from typing import Any

import httpx2
import pytest

from mmserver.configuration.errors import AnswerNotUsable, BindingNotFound, PartnerUnreachable, RefusedElsewhere
from mmserver.configuration.partner_client import PartnerClient
from mmserver.configuration.peer import Peer
from mmserver.messages import PartnerAccessRelease, PartnerAccessRequest

SET = {"private_user_identity": "a@ims.mc1.lab", "public_user_identities": ["sip:a@ims.mc1.lab"]}
REQUEST = PartnerAccessRequest.model_validate(
    {
        "mc_service_ids": ["sip:alice@mc1.lab"],
        "migration_management_server": "mms.mc1.lab",
        "primary_mc_system_sip_identities": SET,
    }
)
RELEASE = PartnerAccessRelease.model_validate(
    {"migration_management_server": "mms.mc1.lab", "primary_mc_system_sip_identities": SET, "reason": "x"}
)


def client(handler: Any) -> PartnerClient:
    transport = httpx2.MockTransport(handler)
    return PartnerClient("mc2", Peer("https://cms.mc2.lab", ssl.create_default_context(), 5.0, transport))


def refusing(name: str, status: int, step: str | None = None) -> Any:
    body = {"type": f"urn:mc-migration:problem:{name}", "title": name, "status": status, "step": step}
    return lambda _: httpx2.Response(status, json=body, headers={"content-type": "application/problem+json"})


async def test_access_is_asked_for_and_read() -> None:
    def handler(request: httpx2.Request) -> httpx2.Response:
        assert request.url.path == "/csc-17/v1/partner-mc-system-access"
        assert set(json.loads(request.content)) == {
            "mc_service_ids", "migration_management_server", "primary_mc_system_sip_identities",
        }  # fmt: skip
        body = {"partner_mc_system_sip_identities": SET, "valid_until": "2027-01-01T00:00:00Z"}
        return httpx2.Response(200, json=body)

    assert (await client(handler).access(REQUEST)).initial_ue_configuration is None


async def test_a_partner_that_refuses_names_its_step() -> None:
    with pytest.raises(RefusedElsewhere) as raised:
        await client(refusing("inbound-user-refused", 403, "10.1.X.1-8")).access(REQUEST)
    assert (raised.value.name, raised.value.step) == ("inbound-user-refused", "10.1.X.1-8")
    assert raised.value.detail == "refused by the partner MC system mc2"


async def test_a_partner_that_cannot_be_reached_refuses_at_step_7() -> None:
    def down(request: httpx2.Request) -> httpx2.Response:
        raise httpx2.ConnectError("no", request=request)

    with pytest.raises(PartnerUnreachable) as raised:
        await client(down).access(REQUEST)
    assert raised.value.step == "10.1.X.1-7"


@pytest.mark.parametrize("operation", ["confirm", "release"])
async def test_what_was_lent_is_confirmed_or_given_back(operation: str) -> None:
    asked: list[str] = []

    def handler(request: httpx2.Request) -> httpx2.Response:
        asked.append(request.url.path)
        return httpx2.Response(204)

    await getattr(client(handler), operation)(RELEASE)
    assert asked == [f"/csc-17/v1/partner-mc-system-access/{operation}"]
    with pytest.raises(BindingNotFound):
        await getattr(client(refusing("unknown-binding", 404)), operation)(RELEASE)
    with pytest.raises(AnswerNotUsable):
        await getattr(client(refusing("internal-error", 500)), operation)(RELEASE)
