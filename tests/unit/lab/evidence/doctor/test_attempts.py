"""Registrations are found without any topology: first legs, answers to challenges, Cx hops by identity and time."""

from types import SimpleNamespace

from lab.evidence.doctor.attempts import Outcome

from .conftest import ANSWERED, IMPI, IMPU


def test_a_challenge_and_its_answer_are_one_registration(case: SimpleNamespace) -> None:
    view = case.see(
        case.register(1), case.response(2, 401), case.register(3, 2, ANSWERED), case.response(4, 200, 2)
    )  # fmt: skip
    (attempt,) = view.attempts
    assert (attempt.outcome, len(attempt.rounds), attempt.has_failed) == (Outcome.REGISTERED, 2, False)
    assert (attempt.impi, attempt.impu) == (IMPI, IMPU)


def test_a_refresh_is_another_registration(case: SimpleNamespace) -> None:
    first = (case.register(1), case.response(2, 401), case.register(3, 2, ANSWERED), case.response(4, 200, 2))
    again = (case.register(5, 3, ANSWERED), case.response(6, 200, 3))
    assert len(case.see(*first, *again).attempts) == 2


def test_a_new_first_register_after_a_challenge_leaves_that_challenge_unanswered(case: SimpleNamespace) -> None:
    view = case.see(case.register(1), case.response(2, 401), case.register(3, 2), case.response(4, 401, 2))
    assert [attempt.outcome for attempt in view.attempts] == [Outcome.UNANSWERED] * 2


def test_nothing_came_back(case: SimpleNamespace) -> None:
    attempt = case.see(case.register(1)).attempts[0]
    assert (attempt.outcome, attempt.status, attempt.decider, attempt.response) == (Outcome.SILENT, 0, None, None)


def test_a_de_registration_is_no_failure(case: SimpleNamespace) -> None:
    view = case.see(case.register(1, expires="0"), case.response(2, 200))
    assert (view.attempts[0].outcome, view.failed) == (Outcome.DEREGISTERED, ())


def test_copies_on_the_way_belong_to_it_and_the_first_final_response_decides(case: SimpleNamespace) -> None:
    passed = case.register(2, source="pcscf", destination="icscf")
    said = case.response(3, 403, source="icscf", destination="pcscf")
    attempt = case.see(case.register(1), passed, said, case.response(4, 504)).attempts[0]
    assert attempt.decider.frame.number == 3  # type: ignore[union-attr]
    assert (attempt.status, len(attempt.legs)) == (504, 4)


def test_a_third_party_register_is_no_registration(case: SimpleNamespace) -> None:
    passed = case.register(2, source="pcscf", destination="scscf")
    third = case.register(5, 1, "", source="scscf", destination="hss", call_id="third")
    view = case.see(case.register(1), passed, case.response(3, 200, source="scscf", destination="pcscf"), third)
    assert len(view.attempts) == 1


def test_hops_are_those_of_its_identities_and_of_its_time(case: SimpleNamespace) -> None:
    early, own = case.hop(1, 2001), case.hop(12, 2001)
    other = case.hop(14, 2001, impi="2@x")
    other[0] = other[0].__class__(**{**_fields(other[0]), "avps": (case.avp(1, "2@x"), case.avp(601, "sip:2@x"))})
    relayed = case.hop(16, 2001, impi="3@x", end_to_end=12, source="proxy2", destination="proxy1")
    attempt = case.see(early, case.register(10), own, other, relayed, case.response(20, 403)).attempts[0]
    assert [hop.frames for hop in attempt.hops] == [(12, 13), (16, 17)]
    assert [hop.code for hop in attempt.answered(303)] == [2001, 2001]


def test_without_a_user_name_the_cx_requests_tell_it(case: SimpleNamespace) -> None:
    attempt = case.see(case.register(1, authorization=""), case.hop(2, None), case.response(5, 403)).attempts[0]
    assert (attempt.impi, attempt.hops[0].code, attempt.hops[0].frames) == (IMPI, 0, (2,))


def test_of_many_registrations_each_has_its_own_hops(case: SimpleNamespace) -> None:
    hops = [case.hop(10 * n + 2, 2001) for n in range(50)]
    messages = [m for n in range(50) for m in (case.register(10 * n + 1, n), case.response(10 * n + 9, 423, n))]
    attempts = case.see(*messages, *hops).attempts
    assert [len(attempt.hops) for attempt in attempts] == [1] * 50
    assert [attempt.hops[0].frames[0] for attempt in attempts] == [10 * n + 2 for n in range(50)]


def _fields(message: object) -> dict[str, object]:
    return {name: getattr(message, name) for name in message.__slots__}  # type: ignore[attr-defined]
