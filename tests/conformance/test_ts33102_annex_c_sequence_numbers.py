"""Sequence numbers and resynchronisation (TS 33.102 §6.3.5, Annex C)."""

import json
from pathlib import Path

import pytest

from ue_agent.aka.aka import encode_auts, verify_auts
from ue_agent.aka.errors import SqnOutOfRange
from ue_agent.aka.milenage import Milenage
from ue_agent.aka.sequence import DELTA, SequenceNumbers, next_sqn

AUTS = json.loads((Path(__file__).parents[1] / "vectors/aka/auts.json").read_text())

# fmt: off
#    accepted before (SEQ, IND)   offered     accepted  clause
ACCEPTANCE = [
    ([],                          (1, 0),         True),   # C.2.2: above the entry of its IND
    ([],                          (0, 0),         False),  # C.2.2: not above
    ([(5, 0)],                    (5, 0),         False),  # C.2.2: a replay
    ([(5, 0)],                    (4, 0),         False),  # C.2.2: older, same IND
    ([(5, 0)],                    (4, 1),         True),   # C.2.2: older, but fresh for its own IND
    ([(5, 0)],                    (5, 1),         True),   # C.2.2: same SEQ, another IND
    ([(5, 0), (4, 1)],            (4, 1),         False),  # C.2.2: a replay under the other IND
    ([(5, 0), (9, 31)],           (6, 0),         True),   # C.2.2: another entry's height does not matter
    ([],                          (DELTA, 0),     True),   # C.2.1: the largest jump
    ([],                          (DELTA + 1, 0), False),  # C.2.1: one more
    ([(7, 3)],                    (DELTA + 7, 0), True),   # C.2.1: counted from the highest of all entries
    ([(7, 3)],                    (DELTA + 8, 0), False),  # C.2.1
]
# fmt: on


@pytest.mark.parametrize(("before", "offered", "accepted"), ACCEPTANCE)
def test_acceptance(before: list[tuple[int, int]], offered: tuple[int, int], accepted: bool) -> None:
    """TS 33.102 Annex C.2: conditions of freshness, row by row."""
    numbers = SequenceNumbers()
    for seq, ind in before:
        numbers = numbers.accept(seq << 5 | ind)
    try:
        after = numbers.accept(offered[0] << 5 | offered[1])
    except SqnOutOfRange:
        assert not accepted
    else:
        assert accepted
        assert after.array[offered[1]] == offered[0]


def test_auts_of_an_independent_implementation_both_ways() -> None:
    """TS 33.102 §6.3.3, §6.3.5: AUTS, AMF* of MAC-S is 0000."""
    milenage = Milenage(bytes.fromhex(AUTS["k"]), bytes.fromhex(AUTS["opc"]))
    rand, auts = bytes.fromhex(AUTS["rand"]), bytes.fromhex(AUTS["auts"])
    assert encode_auts(milenage, rand, AUTS["sqn_ms"]) == auts
    assert verify_auts(milenage, rand, auts) == AUTS["sqn_ms"]


def test_the_numbers_after_resynchronisation() -> None:
    """TS 33.102 §6.3.5, Annex C.1: SEQ counts on from SQN_MS, IND is the serving system's."""
    sqn, after = AUTS["sqn_ms"], AUTS["next_sqn"]
    assert next_sqn(sqn, 0, ind_bits=0) == after["ind_bits 0"][0]
    for wanted in after["ind_bits 5, ind 10"]:
        sqn = next_sqn(sqn, 10)
        assert sqn == wanted
