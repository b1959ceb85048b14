"""The ISIM as a person may see it: its files, its sequence number, and an authentication on trial; never a key."""

from typing import Any, Literal

from ue_agent.aka.errors import AkaError, SynchronisationFailure
from ue_agent.aka.isim import Isim
from ue_agent.aka.sequence import IND_BITS, SQN_MAX, SequenceNumbers
from ue_agent.errors import UsageError

AHEAD_SEQ = 1 << 16
"""How far ``old`` puts the card ahead: more than any HSS has used since, less than the jump it may accept (2^28)."""


def show_card(isim: Isim) -> dict[str, Any]:
    """Return the card's files (TS 31.103 §4.2) and its highest sequence number."""
    return {
        "private_user_identity": isim.private_user_identity,
        "public_user_identities": list(isim.public_user_identities),
        "home_domain": isim.home_domain,
        "p_cscf": list(isim.p_cscf),
        "sqn": isim.sequence_numbers.sqn_ms,
    }


def moved_sequence_numbers(now: SequenceNumbers, sqn: Literal["old", "new"] | int) -> SequenceNumbers:
    """Return the array after a command: far ahead of the network (``old``), of a new card, or at a number.

    Raises:
        UsageError: the numbers would be used up.
    """
    if sqn == "new":
        return SequenceNumbers()
    seq = max(now.array) + AHEAD_SEQ if sqn == "old" else sqn >> IND_BITS
    if seq > SQN_MAX >> IND_BITS:
        raise UsageError("the sequence numbers of this card would be used up")
    return SequenceNumbers((seq,) * len(now.array))


def try_authentication(isim: Isim, rand: bytes, autn: bytes) -> dict[str, Any]:
    """Answer a RAND and AUTN without noting the sequence number: a self-test against published vectors.

    RES is shown because the asker brings the challenge; K, OPc, CK and IK are not.
    """
    before = isim.sequence_numbers
    try:
        return {"outcome": "response", "res": isim.authenticate(rand, autn).res.hex()}
    except SynchronisationFailure as exc:
        return {"outcome": "synchronisation-failure", "auts": exc.auts.hex()}
    except AkaError as exc:
        return {"outcome": "refused", "reason": str(exc) or type(exc).__name__}
    finally:
        isim.sequence_numbers = before
