"""Whose token lets in: the system's own IdMS's, for this server, in time, for a user served."""

from pathlib import Path
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet

from lab.systems.idms.keys import VerifyingKeys
from lab.systems.mcservice.authorisation import Authorisations, ServiceAuthorisation, mc_service_id_of
from lab.systems.mcservice.config import McServiceConfig
from lab.systems.mcservice.errors import NotAuthorised

NOW = 1_000_000.0
OWN, HOME = (ECKey.generate_key("P-256", {"kid": kid}) for kid in ("own", "home"))
KEYS = VerifyingKeys(KeySet([OWN]))
CLAIMS = {
    "iss": "https://idms.mc2.lab",
    "aud": ["cms.mc2.lab", "mcs.mc2.lab"],
    "exp": NOW + 60,
    "mcptt_id": "sip:alice@mc1.lab",
}
CONFIG = McServiceConfig(
    name="mcs.mc2.lab", address="10.77.2.7", core=("10.77.2.12",), issuer="https://idms.mc2.lab", ca=Path("ca.pem"),
    mc_service_ids=("sip:alice@mc1.lab",),
)  # fmt: skip


def token(key: ECKey = OWN, **claims: Any) -> str:
    return jwt.encode({"alg": "ES256", "kid": key.kid}, {**CLAIMS, **claims}, key)


@pytest.mark.parametrize("changes", [{}, {"aud": "mcs.mc2.lab"}, {"exp": NOW - 4}], ids=["list", "text", "leeway"])
def test_a_token_for_this_server_names_its_user(changes: dict[str, Any]) -> None:
    assert mc_service_id_of(token(**changes), KEYS, CONFIG, NOW) == "sip:alice@mc1.lab"


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("", "token-invalid"),
        ("a.b.c", "token-invalid"),
        (token()[:-8] + "AAAAAAAA", "token-invalid"),
        (token(HOME), "token-invalid"),
        (token(HOME, iss="https://idms.mc1.lab"), "wrong-issuer"),
        (token(aud="cms.mc2.lab"), "wrong-audience"),
        (token(exp=NOW - 6), "token-expired"),
        (token(exp="soon"), "token-expired"),
        (token(exp=True), "token-expired"),
        (token(mcptt_id="sip:carol@mc1.lab"), "wrong-mc-service-id"),
        (token(mcptt_id=7), "wrong-mc-service-id"),
    ],
)  # fmt: skip
def test_each_other_token_is_refused_by_name(text: str, name: str) -> None:
    with pytest.raises(NotAuthorised) as refused:
        mc_service_id_of(text, KEYS, CONFIG, NOW)
    assert refused.value.name == name and (not text or text not in str(refused.value))


def test_an_authorisation_lapses_ends_and_gives_way() -> None:
    kept = Authorisations(2)
    a, b, c = (ServiceAuthorisation(f"sip:{one}@d", "sip:m@d", "c", NOW + 60) for one in "abc")
    for one in (a, b, c):
        kept.record(one)
    assert [kept.of(one.public_user_identity, NOW) for one in (a, b, c)] == [None, b, c]
    assert kept.of("sip:b@d", NOW + 61) is None
    assert kept.forget("sip:c@d") == c and kept.forget("sip:c@d") is None
