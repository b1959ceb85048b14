"""The configuration file: what is taken, and the one line for what is not."""

import pytest

from ue_agent.aka.milenage import opc_of
from ue_agent.config import load_config
from ue_agent.errors import ConfigError

K, OP, WRONG = "00" * 16, "11" * 16, "22" * 16
FILE = f"""
[ue]
name = "ue1"
state_dir = "state"
[isim]
private_user_identity = "u@ims.mc1.lab"
public_user_identities = ["sip:u@ims.mc1.lab"]
home_domain = "ims.mc1.lab"
p_cscf = ["sip:10.77.1.10:5060"]
k = "{K}"
op = "{OP}"
[user]
mc_service_ids = ["sip:alice@mc1.lab"]
username = "alice"
password = "pass word"
client_id = "ue"
[primary]
system = "mc1"
idms = "https://idms.mc1.lab"
cms = "https://cms.mc1.lab"
ca = "mc1-ca.pem"
"""


@pytest.fixture
def load(tmp_path):
    (tmp_path / "mc1-ca.pem").write_text("x")

    def load_text(text: str):
        path = tmp_path / "ue.toml"
        path.write_text(text)
        return load_config(path)

    return load_text


def test_defaults_and_paths_beside_the_file(load, tmp_path) -> None:
    config = load(FILE)
    assert config.ue.state_dir == tmp_path / "state" and config.primary.ca == tmp_path / "mc1-ca.pem"
    assert (config.sip.transport, config.sip.port, config.sip.expires_s) == ("udp", 0, 600)
    assert config.location is None


def test_secrets_are_kept_out_of_repr(load) -> None:
    shown = repr(load(FILE))
    assert K not in shown and "pass word" not in shown and repr(bytes(16)) not in shown


def test_op_gives_the_opc_of_the_card(load) -> None:
    card, same = load(FILE).isim.card(None), load(FILE.replace(f'op = "{OP}"', f'opc = "{_opc().hex()}"'))
    assert card._milenage.f2345(bytes(16)) == same.isim.card(None)._milenage.f2345(bytes(16))


def test_wrong_key_takes_the_place_of_k(load) -> None:
    right, wrong = load(FILE), load(FILE.replace(f'k = "{K}"', f'k = "{K}"\nwrong_key = "{WRONG}"'))
    assert right.isim.card(None)._milenage.f2345(bytes(16)) != wrong.isim.card(None)._milenage.f2345(bytes(16))


def _opc() -> bytes:
    return opc_of(bytes.fromhex(K), bytes.fromhex(OP))


@pytest.mark.parametrize(
    ("found", "put", "fault"),
    [
        ('name = "ue1"', 'name = "ue1"\ncolour = 1', "ue.colour: no such setting"),
        ('client_id = "ue"', "", "user.client_id: is missing"),
        ("[user]", "[sip]\nport = 70000\n[user]", "sip.port: 70000 is more than 65535"),
        ("[user]", "[sip]\nexpires_s = 5\n[user]", "sip.expires_s: 5 is less than 60"),
        (f'k = "{K}"', 'k = "00"', "isim.k: not 32 hexadecimal digits"),
        (f'k = "{K}"', 'k = "' + "x" * 32 + '"', "isim.k: not 32 hexadecimal digits"),
        (f'op = "{OP}"', "", "isim: exactly one of opc and op is wanted"),
        ("10.77.1.10:5060", "10.77.1.10>:5060", "isim.p_cscf.0"),
        ('"https://cms', '"http://cms', "primary.cms"),
        ("mc1-ca.pem", "none.pem", "primary.ca: no such file"),
        ('["sip:u@ims.mc1.lab"]', '["sip:u@d", "sip:u@d"]', "isim: a public user identity stands twice"),
        ("[ue]", "[ue", "ue.toml: "),
    ],
)
def test_a_fault_is_one_line_that_names_its_place(load, found, put, fault) -> None:
    with pytest.raises(ConfigError) as caught:
        load(FILE.replace(found, put))
    assert fault in str(caught.value) and "\n" not in str(caught.value)
    assert str(caught.value).startswith("ue.toml: ") and K not in str(caught.value)


def test_a_file_that_is_too_large(load) -> None:
    with pytest.raises(ConfigError, match="over"):
        load("#" * ((1 << 20) + 1))
