"""Keys of an ISIM against a challenge: test set 1 of TS 35.208 §4.3.1; nothing of them is ever shown."""

import base64
from pathlib import Path

import pytest

from lab.evidence.doctor.isim import IsimKeys, KeysUnusable, explained, load_isim
from ue_agent.aka.aka import generate_vector
from ue_agent.aka.milenage import Milenage

K = bytes.fromhex("465b5ce8b199b49faa5f0a2ee238a6bc")
OP = bytes.fromhex("cdc202d5123e20f62b6d676ac72cb318")
OPC = bytes.fromhex("cd63cb71954a9f4e48a5994e37a02baf")
VECTOR = generate_vector(Milenage(K, OPC), bytes(range(16)), 32, b"\x80\x00")
NONCE = base64.b64encode(VECTOR.rand + VECTOR.autn).decode()


@pytest.mark.parametrize(("keys", "says"), [
    (IsimKeys(K, OPC), "fits these keys"), (IsimKeys(K, OP), "one side has OP"), (IsimKeys(OPC, K), "fits neither"),
])  # fmt: skip
def test_what_the_keys_say(keys: IsimKeys, says: str) -> None:
    assert says in explained(keys, NONCE)
    assert K.hex() not in repr(keys)


@pytest.mark.parametrize("nonce", ["", "no base64!", "c2hvcnQ="])
def test_what_is_no_aka_nonce_says_nothing(nonce: str) -> None:
    assert explained(IsimKeys(K, OPC), nonce) == ""


def test_keys_are_read_from_a_ue_configuration(tmp_path: Path) -> None:
    file = tmp_path / "ue.toml"
    file.write_text(f'[isim]\nk = "{K.hex()}"\nopc = "{OPC.hex()}"\n')
    assert load_isim(file) == IsimKeys(K, OPC)


@pytest.mark.parametrize("text", ["", "[isim]\nk = 1", '[isim]\nk = "00"\nopc = "00"', "isim = 3", "no toml ="])
def test_a_file_without_keys_is_one_line_without_them(tmp_path: Path, text: str) -> None:
    file = tmp_path / "ue.toml"
    file.write_text(text)
    with pytest.raises(KeysUnusable, match="wanted"):
        load_isim(file)
    with pytest.raises(KeysUnusable, match="No such file"):
        load_isim(tmp_path / "none")
