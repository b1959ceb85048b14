"""The card as a person may see it."""

import pytest

from ue_agent.aka.aka import generate_vector
from ue_agent.aka.isim import Isim
from ue_agent.aka.milenage import Milenage
from ue_agent.aka.sequence import DELTA, SequenceNumbers
from ue_agent.card import moved_sequence_numbers, show_card, try_authentication
from ue_agent.errors import UsageError

K, OPC = bytes(range(16)), bytes(range(16, 32))


@pytest.fixture
def isim() -> Isim:
    return Isim("u@d", ["sip:u@d"], "d", ["sip:p"], K, OPC, (7,) * 32)


def test_no_secret_is_shown(isim) -> None:
    assert show_card(isim) == {
        "private_user_identity": "u@d",
        "public_user_identities": ["sip:u@d"],
        "home_domain": "d",
        "p_cscf": ["sip:p"],
        "sqn": 7 << 5,
    }


def test_old_puts_the_card_ahead_but_within_reach() -> None:
    moved = moved_sequence_numbers(SequenceNumbers((3,) * 32), "old")
    assert 3 < min(moved.array) == max(moved.array) < DELTA


@pytest.mark.parametrize(("sqn", "seq"), [("new", 0), (64, 2), (0, 0)])
def test_numbers_can_be_set(sqn, seq) -> None:
    assert moved_sequence_numbers(SequenceNumbers((3,) * 32), sqn).array == (seq,) * 32


def test_used_up_numbers_are_told() -> None:
    with pytest.raises(UsageError):
        moved_sequence_numbers(SequenceNumbers(((1 << 43) - 1,) * 32), "old")


@pytest.mark.parametrize(
    ("sqn", "key", "outcome"),
    [(8 << 5, K, "response"), (7 << 5, K, "synchronisation-failure"), (8 << 5, OPC, "refused")],
)
def test_a_trial_notes_nothing(isim, sqn, key, outcome) -> None:
    vector = generate_vector(Milenage(key, OPC), bytes(16), sqn, bytes(2))
    before = isim.state
    shown = try_authentication(isim, vector.rand, vector.autn)
    assert shown["outcome"] == outcome and isim.state == before
    assert shown.get("res", vector.xres.hex()) == vector.xres.hex()
