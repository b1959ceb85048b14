"""A diagnosis: the root first, the unexplained named, a healthy capture silent, no secret in the ladder."""

from types import SimpleNamespace

from lab.evidence.doctor.examine import diagnose

from .conftest import ANSWERED


def test_a_good_registration_is_healthy(case: SimpleNamespace) -> None:
    found = diagnose(case.see(case.register(1), case.response(2, 200)))
    assert (found.verdict, found.illnesses, found.failed, found.registrations) == ("healthy", (), (), 1)


def test_an_empty_capture_holds_no_registration(case: SimpleNamespace) -> None:
    assert diagnose(case.see()).verdict == "no registration"


def test_the_root_stands_before_what_it_brings_about(case: SimpleNamespace) -> None:
    view = case.see(case.register(1), case.hop(2, 3002), case.response(9, 403))
    assert [illness.cause for illness in diagnose(view).illnesses] == ["outage-as-refusal", "database-down"]


def test_a_failure_that_no_rule_explains_is_said(case: SimpleNamespace) -> None:
    found = diagnose(case.see(case.register(1), case.response(2, 423), notes=("2 ESP frames",)))
    assert [illness.cause for illness in found.illnesses] == ["unexplained"]
    assert found.illnesses[0].filter == "frame.number in {1, 2}"
    assert found.notes == ("2 ESP frames",)


def test_the_ladder_shows_messages_and_no_secret(case: SimpleNamespace) -> None:
    view = case.see(
        case.register(1),
        case.hop(2, 2001),
        case.response(4, 401),
        case.register(5, 2, ANSWERED),
        case.response(6, 403, 2),
    )
    (attempt,) = diagnose(view).failed
    texts = [rung.text for rung in attempt.ladder]
    assert texts == ["REGISTER AKAv1-MD5", "MAR", "MAA 2001", "401 AKAv1-MD5", "REGISTER with response", "403"]
    assert (attempt.frames, attempt.status) == ((1, 6), 403)


def test_an_answer_without_a_result_is_shown_as_such(case: SimpleNamespace) -> None:
    hop = case.hop(2, 2001)
    bare = type(hop[1])(**{**{n: getattr(hop[1], n) for n in hop[1].__slots__}, "avps": ()})
    (attempt,) = diagnose(case.see(case.register(1), [hop[0], bare], case.response(9, 403))).failed
    assert "MAA without a result" in [rung.text for rung in attempt.ladder]
