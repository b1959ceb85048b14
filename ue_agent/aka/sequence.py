"""Sequence numbers: SQN = SEQ || IND, the ISIM's array and the HSS's next number (TS 33.102 Annex C).

Values only: who keeps them, and that a number is durable before it is used, is the caller's business.
The optional age limit L (Annex C.2.2) is left out: it protects nothing that the array does not.
"""

from dataclasses import dataclass
from typing import Final

from ue_agent.aka.errors import SqnOutOfRange

SQN_BITS: Final = 48
SQN_MAX: Final = (1 << SQN_BITS) - 1
IND_BITS: Final = 5
"""Length of IND in all three profiles (TS 33.102 Annex C.3)."""
DELTA: Final = 1 << 28
"""Largest accepted jump of SEQ (TS 33.102 Annex C.3)."""


@dataclass(frozen=True, slots=True)
class SequenceNumbers:
    """The ISIM's array: for each IND the highest SEQ accepted (TS 33.102 Annex C.2.2).

    Attributes:
        array: SEQ by IND, ``2 ** ind_bits`` numbers; this alone is the state to persist.
        delta: largest accepted jump over the highest SEQ of the array (Annex C.2.1).
    """

    array: tuple[int, ...] = (0,) * (1 << IND_BITS)
    ind_bits: int = IND_BITS
    delta: int = DELTA

    def __post_init__(self) -> None:
        """Hold the array to its form.

        Raises:
            ValueError: it has not ``2 ** ind_bits`` entries, or one is no SEQ.
        """
        if len(self.array) != 1 << self.ind_bits:
            raise ValueError(f"the array has {len(self.array)} entries, wanted {1 << self.ind_bits}")
        highest = SQN_MAX >> self.ind_bits
        if not all(0 <= seq <= highest for seq in self.array):
            raise ValueError(f"an entry of the array is not in 0..{highest}")

    @property
    def sqn_ms(self) -> int:
        """The highest SQN accepted so far: what AUTS carries (TS 33.102 Annex C.2.2)."""
        seq_ms = max(self.array)
        return seq_ms << self.ind_bits | self.array.index(seq_ms)

    def accept(self, sqn: int) -> "SequenceNumbers":
        """Return the array after ``sqn``.

        Raises:
            SqnOutOfRange: SEQ is not above the entry of its IND, or jumps by more than ``delta``.
        """
        seq, ind = sqn >> self.ind_bits, sqn & (1 << self.ind_bits) - 1
        if seq - max(self.array) > self.delta:
            raise SqnOutOfRange(f"SEQ jumps by more than {self.delta}")
        if seq <= self.array[ind]:
            raise SqnOutOfRange(f"SEQ is not above the last accepted for IND {ind}")
        array = (*self.array[:ind], seq, *self.array[ind + 1 :])
        return SequenceNumbers(array, self.ind_bits, self.delta)


def next_sqn(sqn_he: int, ind: int, ind_bits: int = IND_BITS) -> int:
    """Return the SQN of the next vector: SEQ one above that of ``sqn_he``, with ``ind`` (TS 33.102 Annex C.1.1.1).

    Raises:
        SqnOutOfRange: SEQ is used up; a number is never used twice.
        ValueError: ``ind`` is not an index of ``ind_bits`` bits.
    """
    if not 0 <= ind < 1 << ind_bits:
        raise ValueError(f"IND is {ind}, wanted 0..{(1 << ind_bits) - 1}")
    sqn = ((sqn_he >> ind_bits) + 1) << ind_bits | ind
    if sqn > SQN_MAX:
        raise SqnOutOfRange("the sequence numbers of this K are used up")
    return sqn


def is_next_acceptable(sqn_he: int, sqn_ms: int, ind_bits: int = IND_BITS, delta: int = DELTA) -> bool:
    """Tell whether the ISIM, at ``sqn_ms``, accepts the number after ``sqn_he`` (TS 33.102 §6.3.5, step 3)."""
    jump = (sqn_he >> ind_bits) + 1 - (sqn_ms >> ind_bits)
    return 0 < jump <= delta
