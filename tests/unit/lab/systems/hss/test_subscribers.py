"""Which identity set a request names, in each mode (TS 29.228 §6.1.1.1, steps 1 and 2)."""

import pytest

from lab.systems.hss.config import Mode, SetTable, UserTable
from lab.systems.hss.errors import Refusal
from lab.systems.hss.subscribers import Directory, directory_of

K = "465b5ce8b199b49faa5f0a2ee238a6bc"
OP, OPC = "cdc202d5123e20f62b6d676ac72cb318", "cd63cb71954a9f4e48a5994e37a02baf"
ALICE = ("001010000000001@ims.mc1.lab", "sip:alice@ims.mc1.lab")
LENT = ("mig-1@ims.mc1.lab", "sip:mig-1@ims.mc1.lab")
BOB = ("001010000000002@ims.mc1.lab", "sip:bob@ims.mc1.lab")


def make_directory() -> Directory:
    rows = [SetTable(private_user_identity=i, public_user_identities=(u,)) for i, u in (ALICE, LENT)]
    bob = SetTable(private_user_identity=BOB[0], public_user_identities=(BOB[1],))
    return directory_of(
        [UserTable(name="alice", k=K, opc=OPC, impis=tuple(rows)), UserTable(name="bob", k=K, op=OP, impis=(bob,))]
    )


def test_sets_of_a_user_share_one_subscriber() -> None:
    alice, lent, bob = make_directory()
    assert alice.subscriber is lent.subscriber
    assert alice.subscriber is not bob.subscriber


def test_op_and_opc_give_the_same_functions() -> None:
    alice, _, bob = make_directory()
    rand = bytes(16)
    assert tuple(alice.subscriber.milenage.f2345(rand)) == tuple(bob.subscriber.milenage.f2345(rand))


def test_keys_are_not_printed() -> None:
    assert "milenage" not in repr(next(iter(make_directory())))


# fmt: off
PAIRS = [
    (Mode.PLAIN,          ALICE[0],                      ALICE[1],                 None),
    (Mode.PLAIN,          "001010000000001@IMS.MC1.lab", "sip:alice@IMS.mc1.lab",  None),
    (Mode.PLAIN,          LENT[0],                       LENT[1],                  None),
    (Mode.PLAIN,          ALICE[0],                      LENT[1],                  5002),
    (Mode.PLAIN,          ALICE[0],                      BOB[1],                   5002),
    (Mode.PLAIN,          ALICE[0],                      "sip:nobody@ims.mc1.lab", 5001),
    (Mode.PLAIN,          "nobody@ims.mc1.lab",          ALICE[1],                 5001),
    (Mode.PLAIN,          "no identity",                 "\x00",                   5001),
    (Mode.PLAIN,          ALICE[0],                      "",                       5001),
    (Mode.AFTER_UAR,      ALICE[0],                      BOB[1],                   5002),
    (Mode.IMSI_ONLY,      ALICE[0],                      ALICE[1],                 None),
    (Mode.IMSI_ONLY,      LENT[0],                       LENT[1],                  5001),
    (Mode.IMSI_ONLY,      ALICE[0],                      LENT[1],                  5001),
    (Mode.NO_ASSOCIATION, ALICE[0],                      BOB[1],                   None),
    (Mode.NO_ASSOCIATION, ALICE[0],                      "sip:nobody@ims.mc1.lab", None),
    (Mode.NO_ASSOCIATION, "nobody@ims.mc1.lab",          ALICE[1],                 5001),
]
# fmt: on


@pytest.mark.parametrize(("mode", "impi", "impu", "code"), PAIRS)
def test_a_pair_is_found_or_refused(mode: Mode, impi: str, impu: str, code: int | None) -> None:
    try:
        found = make_directory().pair(mode, impi, impu)
    except Refusal as refusal:
        assert refusal.experimental == code
    else:
        assert code is None
        assert found.private_user_identity == impi.lower()
