"""The configuration file of the HSS simulator."""

from pathlib import Path

import pytest

from lab.systems.hss.config import HssConfig, Mode, load_config
from lab.systems.hss.errors import ConfigError

GOOD = """
[node]
origin_host = "hss.mc1.lab"
origin_realm = "ims.mc1.lab"
address = "10.77.1.13"
port = 3868
peers = ["proxy1.mc1.lab"]

[hss]
mode = "after-uar"
state = "hss.sqlite"
scscf = ["sip:scscf.mc1.lab:6060"]

[[users]]
name = "alice"
k = "465b5ce8b199b49faa5f0a2ee238a6bc"
opc = "cd63cb71954a9f4e48a5994e37a02baf"
[[users.ifc]]
server_name = "sip:as.mc1.lab"
[[users.impis]]
private_user_identity = "001010000000001@IMS.mc1.lab"
public_user_identities = ["sip:alice@ims.mc1.lab"]
"""


def load(tmp_path: Path, text: str) -> HssConfig:
    path = tmp_path / "hss.toml"
    path.write_text(text)
    return load_config(path)


def test_a_good_file_becomes_a_value(tmp_path: Path) -> None:
    config = load(tmp_path, GOOD)
    assert config.hss.mode is Mode.AFTER_UAR
    assert config.hss.state == tmp_path / "hss.sqlite"
    assert config.users[0].impis[0].private_user_identity == "001010000000001@ims.mc1.lab"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("port = 3868", "port = 70000", "hss.toml: node.port: 70000 is more than 65535"),
        ("port = 3868", "port = -1", "hss.toml: node.port: -1 is less than 0"),
        ("port = 3868", "prot = 3868", "hss.toml: node.prot: no such setting"),
        ('mode = "after-uar"', 'mode = "odd"', "hss.toml: hss.mode: Input should be"),
        ('state = "hss.sqlite"', "", "hss.toml: hss.state: is missing"),
        ('k = "465b', 'k = "zz', "hss.toml: users.0.k: the value does not match"),
        ('opc = "cd63cb71954a9f4e48a5994e37a02baf"', "", "exactly one of op and opc"),
        (
            '"sip:alice@ims.mc1.lab"',
            '"alice"',
            "users.0.impis.0.public_user_identities.0: public user identity 'alice'",
        ),
        ("[node]", "[node", "hss.toml: Expected"),
    ],
)
def test_a_fault_is_one_line_that_names_the_key(tmp_path: Path, old: str, new: str, message: str) -> None:
    with pytest.raises(ConfigError) as error:
        load(tmp_path, GOOD.replace(old, new))
    assert message in str(error.value)
    assert "\n" not in str(error.value)
    assert "5ce8b199b49faa5f0a2ee238a6bc" not in str(error.value)


@pytest.mark.parametrize(
    ("name", "message"),
    [("alice", "user alice stands twice"), ("bob", "private user identity 001010000000001@ims.mc1.lab stands twice")],
)
def test_names_and_private_identities_are_unique(tmp_path: Path, name: str, message: str) -> None:
    user = GOOD[GOOD.index("[[users]]") :].replace('"alice"', f'"{name}"')
    with pytest.raises(ConfigError, match=message):
        load(tmp_path, GOOD + user)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        load_config(tmp_path / "none.toml")
