"""One TOML file becomes one frozen value, and each fault one line."""

from pathlib import Path

import pytest

from lab.systems.idms.config import ConfigError, load_config

TOML = """
[system]
issuer = "https://idms.mc1.lab"
[http]
address = "127.0.0.1"
port = 443
[tls]
certificate = "certificate.pem"
private_key = "private_key.pem"
[keys]
private_key = "idms-signing.pem"
[[users]]
name = "alice"
password = "secret"
mc_service_ids = ["sip:alice@mc1.lab"]
[[clients]]
client_id = "mc-client"
redirect_uris = ["mcclient:/callback"]
[[partners]]
issuer = "https://idms.mc2.lab"
jwks_file = "idms-mc2.json"
"""


def load(tmp_path: Path, text: str) -> object:
    (tmp_path / "idms.toml").write_text(text)
    return load_config(tmp_path / "idms.toml")


def test_file_names_are_relative_to_the_file(tmp_path: Path) -> None:
    (tmp_path / "idms.toml").write_text(TOML)
    config = load_config(tmp_path / "idms.toml")
    assert config.tls.certificate == tmp_path / "certificate.pem"
    assert config.keys.private_key == tmp_path / "idms-signing.pem"
    assert config.partners[0].jwks_file == tmp_path / "idms-mc2.json"


def test_the_audience_is_the_cms_of_the_domain_unless_told(tmp_path: Path) -> None:
    (tmp_path / "idms.toml").write_text(TOML)
    assert load_config(tmp_path / "idms.toml").audiences == ("cms.mc1.lab",)
    (tmp_path / "idms.toml").write_text(TOML.replace("[http]", 'audiences = ["a", "b"]\n[http]'))
    assert load_config(tmp_path / "idms.toml").audiences == ("a", "b")


def test_a_password_is_not_shown() -> None:
    from lab.systems.idms.config import User

    assert "secret" not in repr(User(name="alice", password="secret", mc_service_ids=("sip:alice@mc1.lab",)))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("port = 443", "port = 70000", "idms.toml: http.port: "),
        ("port = 443", "prt = 443", "idms.toml: http.prt: no such setting"),
        ("https://idms.mc1.lab", "http://idms.mc1.lab", "idms.toml: system.issuer: "),
        ("https://idms.mc2.lab", "https://idms.mc1.lab", "our own issuer is no partner"),
        ("[[clients]]", "[[clients]]\nclient_id='mc-client'\n[[clients]]", "clients: a name stands twice"),
        ('["sip:alice@mc1.lab"]', "[]", "idms.toml: users.0.mc_service_ids: "),
        ("[system]", "[system", "idms.toml: "),
    ],
)
def test_each_fault_is_one_line_that_names_the_place(tmp_path: Path, old: str, new: str, message: str) -> None:
    with pytest.raises(ConfigError, match=r"^idms\.toml") as raised:
        load(tmp_path, TOML.replace(old, new, 1))
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_missing_file_is_a_fault(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        load_config(tmp_path / "none.toml")
