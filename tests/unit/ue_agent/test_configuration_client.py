"""Get partner MC system connection details: request out, response or refusal in (10.1.X.1 steps 1, 13)."""

import json
from typing import Any

import httpx2
import pytest

from mmserver.messages import ConnectionDetailsRequest
from ue_agent.configuration_client import OPERATION, get_partner_mc_system_connection_details
from ue_agent.errors import HttpError, StepRefused
from ue_agent.https import Answer

REQUEST = ConnectionDetailsRequest.model_validate(
    {
        "location_information": {"ecgi": "00101-0abcdef"},
        "mc_service_ids": ["sip:alice@mc1.lab"],
        "default_identities": {"private_user_identity": "u@d", "public_user_identities": ["sip:u@d"]},
    }
)
DETAILS: dict[str, Any] = {
    "partner_mc_system": "mc2",
    "partner_mc_system_sip_identities": {"private_user_identity": "m@d2", "public_user_identities": ["sip:m@d2"]},
    "initial_ue_configuration": {
        "mc_system": "mc2", "home_domain": "d2", "p_cscf": ["sip:10.0.0.1"], "plmn": "00102", "idms_issuer": "i",
        "idms_auth_endpoint": "a", "idms_token_endpoint": "t", "cms": "c", "gms": "g", "kms": "k",
    },
    "valid_until": "2099-01-01T00:00:00Z",
}  # fmt: skip


class Https:
    """An HTTPS client whose server gives one answer."""

    def __init__(self, status: int, body: Any) -> None:
        octets = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.answer = Answer(status, httpx2.Headers(), octets)
        self.asked: tuple[str, Any, str | None] | None = None

    async def post_json(self, url: str, text: str, bearer: str | None) -> Answer:
        self.asked = (url, json.loads(text), bearer)
        return self.answer


async def ask(https: Any) -> Any:
    return await get_partner_mc_system_connection_details(https, "https://cms.mc1.lab/", "token", REQUEST)


async def test_request_and_response() -> None:
    https = Https(200, DETAILS)
    response = await ask(https)
    assert response.partner_mc_system == "mc2"
    assert https.asked == (
        f"https://cms.mc1.lab{OPERATION}",
        REQUEST.model_dump(mode="json", exclude_none=True),
        "token",
    )


@pytest.mark.parametrize(
    ("status", "body", "step", "title"),
    [
        (403, {"type": "urn:t", "title": "No", "status": 403, "step": "10.1.X.1-2"}, "10.1.X.1-2", "No"),
        (503, {"type": "urn:t", "title": "Down"}, None, "Down"),
        (502, b"<html>", None, "HTTP status 502"),
        (500, {"title": 7}, None, "HTTP status 500"),
    ],
)
async def test_refusals(status, body, step, title) -> None:
    with pytest.raises(StepRefused) as caught:
        await ask(Https(status, body))
    assert (caught.value.status, caught.value.step, caught.value.title) == (status, step, title)


@pytest.mark.parametrize(
    "body",
    [b"", {}, {**DETAILS, "more": 1}, {**DETAILS, "partner_mc_system": "mc3"}, {**DETAILS, "valid_until": "soon"}],
)
async def test_answers_that_are_none(body) -> None:
    with pytest.raises(HttpError):
        await ask(Https(200, body))
