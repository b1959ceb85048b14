"""Messages as values: top-level AVPs come before nested ones, and what is no number is no result."""

from types import SimpleNamespace

from lab.evidence.messages import walk


def test_a_value_at_the_top_comes_before_one_in_a_group(make: SimpleNamespace) -> None:
    failed = make.avp(279, "", make.avp(1, "in-failed-avp"))
    message = make.diameter(1, "scscf", "proxy2", failed, make.avp(1, "user"))
    assert message.value(1) == "user"
    assert make.diameter(1, "scscf", "proxy2", failed).value(1) == "in-failed-avp"
    assert message.value(2) is None
    assert [avp.code for avp in walk(message.avps)] == [279, 1, 1]


def test_a_result_that_is_no_number_is_none(make: SimpleNamespace) -> None:
    assert make.diameter(1, "hss", "proxy1", make.avp(268, "DIAMETER_SUCCESS")).result_code is None
    assert make.diameter(1, "hss", "proxy1", make.avp(268, "2001")).result_code == 2001
    assert "2001" in make.diameter(1, "hss", "proxy1", make.avp(268, "2001")).text


def test_a_cseq_that_is_none_is_zero(make: SimpleNamespace) -> None:
    message = make.sip(1, "ue", "pcscf", "REGISTER")
    assert (message.cseq, message.call_id, message.is_request, message.header("x")) == ((1, "REGISTER"), "c", True, "")


def test_a_body_is_an_object_or_empty(make: SimpleNamespace) -> None:
    assert [make.http(1, "ue", "cms1", "/", body).json() for body in ("", "[1]", '{"a": 1}')] == [{}, {}, {"a": 1}]
