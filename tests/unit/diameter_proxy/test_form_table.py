"""Forms are few: of one length, of one peer, and new ones in a tick."""

from diameter_proxy.hot_path import FORMS_MAX, LEARNT_A_TICK_MAX, LENGTHS_MAX, Forms
from tests.unit.diameter_proxy.test_forms import made_request


def test_forms_are_few_for_each_length_and_the_newest_are_kept(made):
    data, _ = made_request(made)
    forms, several = Forms(), [made_request(made, number=number)[1] for number in range(FORMS_MAX + 1)]
    for one in several:
        forms.add("peer", data, one)
    assert forms.by_peer["peer"][len(data)] == several[:0:-1]
    assert list(forms.by_peer) == ["peer"]
    forms.clear()
    assert forms.by_peer == {}


def test_lengths_are_few(made):
    forms = Forms()
    for length in range(LENGTHS_MAX + 1):
        forms.add("peer", bytes(length), made_request(made)[1])
    assert len(forms.by_peer["peer"]) == LENGTHS_MAX
    assert 0 not in forms.by_peer["peer"]


def test_a_form_of_the_same_constants_takes_the_place_of_another(made):
    data, first = made_request(made)
    forms, other, newest = Forms(), made_request(made)[1], made_request(made)[1]
    other.maps = False
    for one in (first, other, newest):
        forms.add("peer", data, one)
    assert forms.by_peer["peer"][len(data)] == [newest, other]


def test_few_are_learnt_of_a_peer_in_a_tick():
    forms = Forms()
    assert [forms.may_learn("a") for _ in range(LEARNT_A_TICK_MAX + 1)] == [True] * LEARNT_A_TICK_MAX + [False]
    assert forms.may_learn("b")
    forms.sweep()
    assert forms.may_learn("a")
