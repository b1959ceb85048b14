"""Answers of our own (RFC 6733 §7.2)."""

from diameter_proxy.answers import Answers
from diameter_proxy.diameter import dictionary as d
from diameter_proxy.diameter.message import Message
from diameter_proxy.routing import Refusal

ANSWERS = Answers("proxy1.mc2.lab", "ims.mc2.lab")


def test_a_protocol_error_has_the_e_bit_and_what_an_answer_copies(made):
    info = d.PROXY_INFO.encode(d.PROXY_HOST.encode("a.lab") + d.PROXY_STATE.encode(b"1"))
    answer = Message.decode(ANSWERS.refuse(made.mar(made.partner, info), Refusal("secret", result_code=3002)))
    assert answer.header.is_error
    assert answer.header.is_proxiable
    assert not answer.header.is_request
    assert (answer.header.hop_by_hop, answer.header.end_to_end) == (5, 9)
    assert info in answer.octets
    assert answer.get(d.SESSION_ID) == "scscf.mc2.lab;1;2"
    assert (answer.get(d.USER_NAME), answer.get(d.PUBLIC_IDENTITY)) == made.partner
    assert b"secret" not in answer.octets


def test_an_experimental_result_has_no_e_bit_and_one_text(made):
    reasons = ("not bound", "disabled", "expired")
    answers = {ANSWERS.refuse(made.mar(), Refusal(reason, experimental=5001)) for reason in reasons}
    assert len(answers) == 1
    answer = Message.decode(answers.pop())
    assert answer.result() == (10415, 5001)
    assert not answer.header.is_error


def test_a_damaged_request_gets_its_failed_avp_and_no_identities(made):
    request = made.mar() + bytes.fromhex("0000000140000003")
    refusal = Refusal("AVP length", result_code=5014, failed_avp=bytes.fromhex("0000000140000008"))
    answer = Message.decode(ANSWERS.refuse(request, refusal))
    assert answer.get(d.FAILED_AVP) == refusal.failed_avp
    assert answer.get(d.USER_NAME) is None


def test_success(made):
    assert Message.decode(ANSWERS.succeed(made.mar())).get(d.RESULT_CODE) == 2001
