"""Sequence numbers as values; the acceptance table is in tests/conformance/test_ts33102_annex_c_sequence_numbers.py."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ue_agent.aka.errors import SqnOutOfRange
from ue_agent.aka.sequence import DELTA, SQN_MAX, SequenceNumbers, is_next_acceptable, next_sqn

PROPERTY = settings(deadline=None, derandomize=True)


def test_a_number_is_accepted_once() -> None:
    numbers = SequenceNumbers().accept(32)
    assert numbers.array[0] == 1
    with pytest.raises(SqnOutOfRange, match="not above the last accepted for IND 0"):
        numbers.accept(32)


def test_a_jump_over_delta_is_refused() -> None:
    numbers = SequenceNumbers()
    assert numbers.accept(DELTA << 5).sqn_ms == DELTA << 5
    with pytest.raises(SqnOutOfRange, match="jumps"):
        numbers.accept((DELTA + 1) << 5)


def test_sqn_ms_is_the_highest_with_its_index() -> None:
    assert SequenceNumbers().accept(7 << 5 | 3).accept(6 << 5 | 9).sqn_ms == 7 << 5 | 3


@pytest.mark.parametrize("array", [(0,) * 31, (-1,) + (0,) * 31, (SQN_MAX,) + (0,) * 31])
def test_an_array_of_a_wrong_form_is_refused(array: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="array"):
        SequenceNumbers(array)


def test_the_next_number_counts_in_seq() -> None:
    """libosmocore tests/auth/milenage_test.c: after SQN_MS 31 with IND 10."""
    numbers = [31]
    for _ in range(3):
        numbers.append(next_sqn(numbers[-1], 10))
    assert numbers[1:] == [42, 74, 106]
    assert next_sqn(31, 0, ind_bits=0) == 32


def test_used_up_numbers_do_not_wrap() -> None:
    with pytest.raises(SqnOutOfRange, match="used up"):
        next_sqn(SQN_MAX, 0)


@pytest.mark.parametrize("ind", [-1, 32])
def test_an_index_outside_ind_is_a_mistake(ind: int) -> None:
    with pytest.raises(ValueError, match="IND"):
        next_sqn(0, ind)


@pytest.mark.parametrize(
    ("seq_he", "seq_ms", "acceptable"),
    [(0, 0, True), (4, 5, False), (5, 5, True), (DELTA - 1, 0, True), (DELTA, 0, False)],
)
def test_the_hss_knows_what_the_isim_will_take(seq_he: int, seq_ms: int, acceptable: bool) -> None:
    assert is_next_acceptable(seq_he << 5, seq_ms << 5 | 31) is acceptable


@PROPERTY
@given(st.lists(st.integers(0, 31), min_size=1, max_size=40))
def test_whatever_the_indices_each_next_number_is_accepted(indices: list[int]) -> None:
    sqn, numbers = 0, SequenceNumbers()
    for ind in indices:
        sqn = next_sqn(sqn, ind)
        numbers = numbers.accept(sqn)
    assert numbers.sqn_ms == sqn


@PROPERTY
@given(st.lists(st.integers(0, SQN_MAX), max_size=8))
def test_no_number_is_accepted_twice(numbers: list[int]) -> None:
    accepted, array = [], SequenceNumbers(delta=SQN_MAX)
    for sqn in numbers + numbers:
        try:
            array = array.accept(sqn)
        except SqnOutOfRange:
            continue
        accepted.append(sqn)
    assert len(set(accepted)) == len(accepted)
