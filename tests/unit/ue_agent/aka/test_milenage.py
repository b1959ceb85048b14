"""Milenage as a unit; the published sets are in tests/conformance (TS 35.207, TS 35.208)."""

import pytest

from ue_agent.aka.milenage import Milenage, opc_of

K = bytes.fromhex("465b5ce8b199b49faa5f0a2ee238a6bc")
OP = bytes.fromhex("cdc202d5123e20f62b6d676ac72cb318")
OPC = bytes.fromhex("cd63cb71954a9f4e48a5994e37a02baf")
RAND = bytes.fromhex("23553cbe9637a89d218ae64dae47bf35")
SQN = bytes.fromhex("ff9bb4d0b607")
AMF = bytes.fromhex("b9b9")


def test_opc_is_derived_from_op() -> None:
    assert opc_of(K, OP) == OPC


def test_functions_give_the_octets_of_test_set_1() -> None:
    """TS 35.208 §4.3.1."""
    milenage = Milenage(K, OPC)
    assert milenage.f1(RAND, SQN, AMF).hex() == "4a9ffac354dfafb3"
    assert milenage.f1_star(RAND, SQN, AMF).hex() == "01cfaf9ec4e871e9"
    assert milenage.f5_star(RAND).hex() == "451e8beca43b"
    vector = milenage.f2345(RAND)
    assert [octets.hex() for octets in vector] == [
        "a54211d5e3ba50bf",
        "b40ba9a3c58b2a05bbf0d987b21bf8cb",
        "f769bcd751044604127672711c6d3441",
        "aa689c648370",
    ]


def test_secrets_are_not_printed() -> None:
    assert repr(Milenage(K, OPC).f2345(RAND)) == "AuthVector(...)"
    assert K.hex() not in repr(Milenage(K, OPC))


@pytest.mark.parametrize(
    ("name", "call"),
    [
        ("K", lambda: Milenage(K[1:], OPC)),
        ("OPc", lambda: Milenage(K, OPC + b"\0")),
        ("K", lambda: opc_of(b"", OP)),
        ("OP", lambda: opc_of(K, OP[1:])),
        ("RAND", lambda: Milenage(K, OPC).f2345(RAND[1:])),
        ("SQN", lambda: Milenage(K, OPC).f1(RAND, SQN[1:], AMF)),
        ("AMF", lambda: Milenage(K, OPC).f1(RAND, SQN, b"\x80")),
    ],
)
def test_a_wrong_length_is_named(name: str, call: object) -> None:
    with pytest.raises(ValueError, match=rf"^{name} has \d+ octets, wanted \d+$"):
        call()  # type: ignore[operator]
