"""Files that the server reads before it serves."""

import json
import ssl
from pathlib import Path

import pytest
import trustme
from joserfc.jwk import ECKey, KeySet

from lab.systems.idms.config import ConfigError, IdmsConfig, load_config
from lab.systems.idms.keys import SigningKey
from lab.systems.idms.server import load_keys, reload_keys, server_context

TOML = """
[system]
issuer = "https://idms.mc1.lab"
[http]
address = "127.0.0.1"
[tls]
certificate = "certificate.pem"
private_key = "private_key.pem"
[keys]
private_key = "idms-signing.pem"
[[partners]]
issuer = "https://idms.mc2.lab"
jwks_file = "partner.json"
"""


@pytest.fixture
def config(tmp_path: Path) -> IdmsConfig:
    certificate = trustme.CA().issue_cert("idms.mc1.lab")
    (tmp_path / "certificate.pem").write_bytes(b"".join(blob.bytes() for blob in certificate.cert_chain_pems))
    (tmp_path / "private_key.pem").write_bytes(certificate.private_key_pem.bytes())
    (tmp_path / "idms-signing.pem").write_bytes(ECKey.generate_key("P-256").as_pem(private=True))
    (tmp_path / "partner.json").write_text(json.dumps(KeySet([ECKey.generate_key("P-256")]).as_dict(private=False)))
    (tmp_path / "idms.toml").write_text(TOML)
    return load_config(tmp_path / "idms.toml")


def test_our_key_and_the_partners_are_read(config: IdmsConfig) -> None:
    key, partner_keys = load_keys(config)
    assert key.kid
    assert set(partner_keys) == {"https://idms.mc2.lab"}


def test_a_key_that_cannot_be_used_is_a_configuration_fault(config: IdmsConfig) -> None:
    config.partners[0].jwks_file.write_text("{}")
    with pytest.raises(ConfigError, match=r"partner\.json"):
        load_keys(config)


def test_tls_1_3_only_without_client_certificates(config: IdmsConfig) -> None:
    context = server_context(config.tls)
    assert context.minimum_version is ssl.TLSVersion.TLSv1_3
    assert context.verify_mode is ssl.CERT_NONE


def test_a_key_of_another_certificate_is_a_configuration_fault(config: IdmsConfig) -> None:
    config.tls.private_key.write_bytes(ECKey.generate_key("P-256").as_pem(private=True))
    with pytest.raises(ConfigError, match="tls: "):
        server_context(config.tls)


def test_keys_are_read_anew_all_or_none(config: IdmsConfig) -> None:
    key, partner_keys = load_keys(config)
    first, theirs = key.kid, ECKey.generate_key("P-256")
    assert not reload_keys(config, key, partner_keys)
    config.keys.private_key.write_bytes(ECKey.generate_key("P-256").as_pem(private=True))
    config.partners[0].jwks_file.write_text("{}")
    with pytest.raises(ConfigError):
        reload_keys(config, key, partner_keys)
    assert key.kid == first
    config.partners[0].jwks_file.write_text(json.dumps(KeySet([theirs]).as_dict(private=False)))
    assert reload_keys(config, key, partner_keys)
    assert key.kid != first
    assertion = SigningKey(theirs).sign({"sub": "alice"})
    assert partner_keys["https://idms.mc2.lab"].verify(assertion)[1] == {"sub": "alice"}
