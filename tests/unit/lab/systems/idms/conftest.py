"""Two identity management servers' rules, as values: mc1 (primary) and mc2 (partner)."""

from pathlib import Path

import pytest
from joserfc.jwk import ECKey

from lab.systems.idms.assertions import AssertionChecker
from lab.systems.idms.authorization import AuthorizationEndpoint
from lab.systems.idms.config import IdmsConfig
from lab.systems.idms.grants import TokenEndpoint
from lab.systems.idms.keys import SigningKey, VerifyingKeys
from lab.systems.idms.tokens import TokenIssuer
from lab.systems.idms.users import Registrations

MC1 = "https://idms.mc1.lab"
MC2 = "https://idms.mc2.lab"
NOW = 1_700_000_000.0


def make_config(issuer: str, partner: str, user: str, domain: str, **changes: object) -> IdmsConfig:
    return IdmsConfig.model_validate(
        {
            "system": {"issuer": issuer},
            "http": {"address": "127.0.0.1", "port": 0},
            "tls": {"certificate": "certificate.pem", "private_key": "private_key.pem"},
            "keys": {"private_key": "idms-signing.pem"},
            "users": [{"name": user, "password": f"{user}-secret", "mc_service_ids": [f"sip:{user}@{domain}"]}],
            "clients": [{"client_id": "mc-client", "redirect_uris": ["mcclient:/callback", "http://127.0.0.1/cb"]}],
            "partners": [{"issuer": partner, "jwks_file": "partner.json"}],
            **changes,
        }
    )


class Server:
    """The rules of one server, joined as its api module joins them."""

    def __init__(self, config: IdmsConfig, key: SigningKey, partner_keys: dict[str, VerifyingKeys]) -> None:
        self.config = config
        self.key = key
        self.registrations = Registrations(config)
        self.authorization = AuthorizationEndpoint(config, self.registrations)
        self.issuer = TokenIssuer(config, key)
        self.assertions = AssertionChecker(config, partner_keys, self.registrations.mc_service_ids)
        self.endpoint = TokenEndpoint(config, self.registrations, self.authorization, self.issuer, self.assertions)

    def log_in(self, now: float = NOW, **changes: str) -> dict[str, str]:
        user = self.config.users[0]
        return self.endpoint.grant(
            {
                "grant_type": "password",
                "client_id": "mc-client",
                "username": user.name,
                "password": user.password,
                **changes,
            },
            now,
        )


@pytest.fixture(scope="session")
def keys() -> tuple[SigningKey, SigningKey]:
    return SigningKey(ECKey.generate_key("P-256")), SigningKey(ECKey.generate_key("P-256"))


@pytest.fixture
def primary(keys: tuple[SigningKey, SigningKey]) -> Server:
    return Server(make_config(MC1, MC2, "alice", "mc1.lab"), keys[0], {MC2: keys[1].verifier()})


@pytest.fixture
def partner(keys: tuple[SigningKey, SigningKey]) -> Server:
    return Server(make_config(MC2, MC1, "bob", "mc2.lab"), keys[1], {MC1: keys[0].verifier()})


@pytest.fixture
def key_files(tmp_path: Path) -> Path:
    """A directory with a signing key and a partner's JWKS."""
    key = ECKey.generate_key("P-256")
    (tmp_path / "idms-signing.pem").write_bytes(key.as_pem(private=True))
    return tmp_path
