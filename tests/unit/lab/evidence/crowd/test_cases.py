"""Messages find their registration, and a registration is forgotten once it is over."""

from types import SimpleNamespace
from typing import Any

from lab.evidence.crowd.cases import LINGER_S, SILENT_S, Case, Cases


def taken(crowd: SimpleNamespace, *messages: Any) -> tuple[Cases, list[Case]]:
    cases = Cases(crowd.facts, crowd.people)
    closed = [case for message in messages for case in cases.take(crowd.arrival(message))]
    return cases, closed


def later(message: Any, seconds: float) -> Any:
    frame = message.frame._replace(time_s=message.frame.time_s + seconds)
    return type(message)(**{name: getattr(message, name) for name in message.__slots__} | {"frame": frame})


def test_two_that_register_at_once_are_two_cases(crowd: SimpleNamespace) -> None:
    cases, closed = taken(
        crowd,
        crowd.register(1, crowd.one, "a"),
        crowd.register(2, crowd.two, "b"),
        *crowd.mars(3, crowd.two, crowd.two, 7),
        *crowd.mars(5, crowd.one, crowd.one, 8),
    )
    assert (closed, cases.open_max) == ([], 2)
    found = {case.call_id: case for case in cases.rest()}
    assert [m.frame.number for m in found["a"].diameter] == [5, 6]
    assert [m.frame.number for m in found["b"].diameter] == [3, 4]
    assert (found["a"].number, found["a"].system) == (1, "mc2")


def test_an_answer_goes_where_its_request_went(crowd: SimpleNamespace, make: SimpleNamespace) -> None:
    here, _ = crowd.mars(2, crowd.one, crowd.one, 7)
    answer = make.diameter(4, "proxy2", "scscf", request=False, end_to_end=7, hop_by_hop=7)
    stranger = make.diameter(5, "proxy2", "scscf", request=False, end_to_end=7, hop_by_hop=8)
    cases, _ = taken(crowd, crowd.register(1, crowd.one, "a"), here, answer, stranger)
    assert [m.frame.number for case in cases.rest() for m in case.diameter] == [2, 4]


def test_a_case_closes_a_while_after_its_final_response_and_not_after_a_challenge(
    crowd: SimpleNamespace, make: SimpleNamespace
) -> None:
    challenge = make.sip(2, "pcscf", "ue", 401, call_id="a")
    ok = make.sip(3, "pcscf", "ue", 200, call_id="a")
    other = crowd.register(9, crowd.two, "b")
    register = crowd.register(1, crowd.one, "a")
    assert taken(crowd, register, challenge, later(other, 2 * LINGER_S))[1] == []
    assert [case.call_id for case in taken(crowd, register, challenge, ok, later(other, 2 * LINGER_S))[1]] == ["a"]


def test_a_case_that_falls_silent_closes(crowd: SimpleNamespace) -> None:
    other = later(crowd.register(9, crowd.two, "b"), SILENT_S + 1)
    assert [case.call_id for case in taken(crowd, crowd.register(1, crowd.one, "a"), other)[1]] == ["a"]


def test_what_is_no_registration_of_the_crowd_opens_nothing(crowd: SimpleNamespace, make: SimpleNamespace) -> None:
    gone = crowd.register(1, crowd.one, "a", expires="0")
    alice = make.sip(2, "ue", "pcscf", "REGISTER", call_id="b", to="<sip:alice@ims.mc1.lab>")
    inner = make.sip(3, "pcscf", "icscf", "REGISTER", call_id="c", to=f"<{crowd.one.sets.partner[1]}>")
    assert list(taken(crowd, gone, alice, inner)[0].rest()) == []
