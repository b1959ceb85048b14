"""RTR and RTA (TS 29.229 §6.1.9, §6.1.10)."""

import pytest

from diameter_proxy.diameter import dictionary as d
from diameter_proxy.diameter.commands import RTR
from diameter_proxy.diameter.message import Message, encode_answer
from diameter_proxy.diameter.values import ReasonCode
from lab.systems.hss.rtr import Termination, decode_rta, encode_rtr

TERMINATION = Termination(
    "a@lab", ("sip:a@lab", "tel:+1"), "scscf.lab", "lab", ReasonCode.PERMANENT_TERMINATION, "stolen"
)


def make_rtr(termination: Termination = TERMINATION) -> bytes:
    return encode_rtr(termination, session_id="hss.lab;1;2", origin_host="hss.lab", origin_realm="lab", end_to_end=7)


def test_an_rtr_has_every_required_avp() -> None:
    message = Message.decode(make_rtr())
    keys = {(span.code, span.vendor_id) for span in message.spans}
    assert {(avp.code, avp.vendor_id) for avp in RTR.required} <= keys
    assert message.header.flags == 0xC0
    assert message.all(d.PUBLIC_IDENTITY) == ["sip:a@lab", "tel:+1"]
    reason = message.group(d.DEREGISTRATION_REASON)
    assert reason is not None
    assert (reason.get(d.REASON_CODE), reason.get(d.REASON_INFO)) == (ReasonCode.PERMANENT_TERMINATION, "stolen")


def test_an_empty_reason_info_is_left_out() -> None:
    reason = Message.decode(make_rtr(Termination("a@lab", ("sip:a@lab",), "s.lab", "lab"))).group(
        d.DEREGISTRATION_REASON
    )
    assert reason is not None
    assert reason.get(d.REASON_INFO) is None


@pytest.mark.parametrize(
    ("result_code", "experimental", "found"), [(2001, None, 2001), (None, 5003, 5003), (None, None, 0)]
)
def test_an_rta_gives_its_code(result_code: int | None, experimental: int | None, found: int) -> None:
    rta = encode_answer(
        make_rtr(), origin_host="s.lab", origin_realm="lab", result_code=result_code, experimental=experimental
    )
    assert decode_rta(rta) == found
