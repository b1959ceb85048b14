"""Requests find their answers by connection and identifier, whatever the order and however often they came."""

from types import SimpleNamespace

import pytest

from lab.evidence.index import Index, between, since
from lab.evidence.messages import Capture


def test_an_answer_is_of_the_request_on_its_connection(make: SimpleNamespace) -> None:
    request = make.diameter(10, "scscf", "proxy2")
    answer = make.diameter(12, "proxy2", "scscf", request=False)
    other = make.diameter(11, "proxy1", "proxy2", request=False, stream=2)
    index = Index(Capture(diameter=(request, other, answer)), make.facts())
    assert index.answer_to(request) is answer
    assert index.request_of(answer) is request
    assert index.request_of(other) is None
    assert index.hop(request).answer is answer


def test_an_answer_before_its_request_answers_nothing(make: SimpleNamespace) -> None:
    answer = make.diameter(3, "proxy2", "scscf", request=False)
    request = make.diameter(10, "scscf", "proxy2")
    assert Index(Capture(diameter=(answer, request)), make.facts()).answer_to(request) is None


def test_a_hop_by_hop_that_is_used_again_has_two_answers(make: SimpleNamespace) -> None:
    first, second = make.diameter(1, "scscf", "proxy2"), make.diameter(5, "scscf", "proxy2")
    answers = [make.diameter(n, "proxy2", "scscf", request=False) for n in (2, 6)]
    index = Index(Capture(diameter=(first, answers[0], second, answers[1])), make.facts())
    assert [index.answer_to(first), index.answer_to(second)] == answers
    assert index.request_of(answers[1]) is second


def test_several_messages_in_one_frame_are_told_apart(make: SimpleNamespace) -> None:
    requests = [make.diameter(7, "scscf", "proxy2", hop_by_hop=n) for n in (1, 2)]
    answers = [make.diameter(8, "proxy2", "scscf", request=False, hop_by_hop=n) for n in (2, 1)]
    index = Index(Capture(diameter=(*requests, *answers)), make.facts())
    assert [index.answer_to(r) for r in requests] == answers[::-1]


def test_requests_are_found_by_either_identity_and_once(make: SimpleNamespace) -> None:
    mar = make.diameter(5, "scscf", "proxy2", make.avp(1, "p@x"), make.avp(601, "sip:p@x"))
    index = Index(Capture(diameter=(mar,)), make.facts())
    assert index.requests_for(303, ["p@x", "sip:p@x"], 0, 9) == [mar]
    assert index.requests_for(303, ["p@x"], 5, 9) == []
    assert index.requests_for(301, ["p@x"], 0, 9) == []


def test_the_watchdog_is_on_no_leg(make: SimpleNamespace) -> None:
    index = Index(Capture(diameter=(make.diameter(1, "scscf", "proxy2", command=280),)), make.facts())
    assert list(index.diameter("aaa-2")) == []


def test_a_retransmitted_request_has_one_reply(make: SimpleNamespace) -> None:
    first, again = make.sip(1, "ue", "pcscf", "REGISTER"), make.sip(3, "ue", "pcscf", "REGISTER")
    reply, later = make.sip(5, "pcscf", "ue", 401), make.sip(7, "pcscf", "ue", 401)
    index = Index(Capture(sip=(first, again, reply, later)), make.facts())
    assert index.reply_to(first) is reply
    assert index.reply_to(None) is None
    assert list(index.copies_of(first)) == [first, again]
    assert index.sent(["10.77.2.21", "10.77.2.21"], "REGISTER") == [first, again]
    assert list(index.call("c")) == [first, again, reply, later]


def test_a_provisional_response_is_no_reply(make: SimpleNamespace) -> None:
    request = make.sip(1, "ue", "pcscf", "REGISTER")
    index = Index(Capture(sip=(request, make.sip(2, "pcscf", "ue", 100))), make.facts())
    assert index.reply_to(request) is None


def test_http_answers_come_in_the_order_of_requests(make: SimpleNamespace) -> None:
    stray = make.http(1, "cms1", "ue", 200)
    requests = [make.http(n, "ue", "cms1", f"/{n}") for n in (2, 3)]
    interim, first, second = (make.http(n, "cms1", "ue", status) for n, status in ((4, 100), (5, 200), (6, 404)))
    index = Index(Capture(http=(stray, *requests, interim, first, second)), make.facts())
    assert [(x.request.path, x.status) for x in index.exchanges] == [("/2", 200), ("/3", 404)]
    assert index.at("/3")[0].frames == (3, 6)
    assert list(index.at_within("/2", 0.0, 0.001)) == []


def test_a_request_without_a_response_has_no_status(make: SimpleNamespace) -> None:
    (exchange,) = Index(Capture(http=(make.http(2, "ue", "cms1", "/x"),)), make.facts()).exchanges
    assert (exchange.status, exchange.answer(), exchange.frames) == (0, {}, (2,))


@pytest.mark.parametrize(("after", "before", "found"), [(1, 5, [2, 4]), (2, 4, []), (-1, 99, [1, 2, 4, 5])])
def test_between_leaves_its_ends_out(make: SimpleNamespace, after: int, before: int, found: list[int]) -> None:
    messages = [make.sip(n, "ue", "pcscf", "REGISTER") for n in (1, 2, 4, 5)]
    assert [m.frame.number for m in between(messages, after, before)] == found
    assert [m.frame.number for m in since(messages, 4)] == [4, 5]


def test_ten_thousand_registrations_are_indexed_in_linear_time(make: SimpleNamespace) -> None:
    messages = []
    for n in range(10_000):
        messages.append(make.diameter(2 * n, "scscf", "proxy2", make.avp(1, f"u{n}@x"), hop_by_hop=n, end_to_end=n))
        messages.append(make.diameter(2 * n + 1, "proxy2", "scscf", request=False, hop_by_hop=n, end_to_end=n))
    index = Index(Capture(diameter=tuple(messages)), make.facts())
    assert all(index.answer_to(m) is messages[i + 1] for i, m in enumerate(messages) if m.is_request)
    assert len(index.requests_for(303, ["u77@x"], 0, 1 << 60)) == 1
