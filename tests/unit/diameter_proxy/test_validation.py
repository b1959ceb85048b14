"""What is wrong before anybody asks whose it is (RFC 6733 §6.1, §7.1)."""

import pytest

from diameter_proxy.diameter import dictionary as d
from diameter_proxy.diameter.commands import LIR, MAR, PPR, RTR, SAR, UAR
from diameter_proxy.diameter.wire import with_flags
from diameter_proxy.validation import Refused, check, check_once, read


def code_of(made, message):
    with pytest.raises(Refused) as caught:
        check(message, read(message, 32), b"proxy1.mc2.lab", made.neighbours().served_realms)
    return caught.value.refusal.result_code


def test_a_good_request_passes(made):
    message = made.mar(made.partner, d.ROUTE_RECORD.encode("icscf.mc2.lab"))
    check(message, read(message, 32), b"proxy1.mc2.lab", made.neighbours().served_realms)


def test_each_fault_has_its_code(made):
    good = made.mar()
    assert code_of(made, good + b"\0") == 5015
    assert code_of(made, with_flags(good, 0xE0)) == 3008
    assert code_of(made, with_flags(good, 0x80)) == 3001
    assert code_of(made, good + bytes.fromhex("0000000140000003")) == 5014
    assert code_of(made, good + d.CLASS.encode(b"") * 40) == 5012
    assert code_of(made, made.mar(made.partner, d.ROUTE_RECORD.encode("PROXY1.mc2.lab"))) == 3005
    assert code_of(made, made.mar(realm="ims.mc1.lab")) == 3003
    assert code_of(made, good.replace(d.DESTINATION_REALM.encode("ims.mc2.lab"), b"")) == 5005
    assert code_of(made, good[:8] + b"\1\0\0\1" + good[12:]) == 3002
    to_us = made.mar(made.partner, d.DESTINATION_HOST.encode("proxy1.mc2.lab"))
    assert code_of(made, to_us[:8] + b"\1\0\0\1" + to_us[12:]) == 3007


TWICE = {
    d.USER_NAME: (UAR, SAR, MAR, RTR, PPR),
    d.PUBLIC_IDENTITY: (UAR, LIR, MAR),
    d.WILDCARDED_PUBLIC_IDENTITY: (SAR,),
    d.WILDCARDED_IMPU: (SAR,),
}


@pytest.mark.parametrize("command", [UAR, SAR, LIR, MAR, RTR, PPR], ids=lambda command: command.name)
@pytest.mark.parametrize("avp", list(TWICE), ids=lambda avp: avp.name)
def test_an_identity_that_may_stand_once_is_refused_the_second_time(made, avp, command):
    """RFC 6733 §7.1.5, 5009: Failed-AVP holds the first that is too many; the grammar is that of TS 29.229 §6.1."""
    second = avp.encode("sip:mallory@ims.mc2.lab")
    message = made.mar(made.partner, avp.encode("sip:alice@ims.mc2.lab"), second, command=command)
    if avp in (d.USER_NAME, d.PUBLIC_IDENTITY):  # a MAR of ours has one already
        message = made.mar(made.partner, second, command=command)
    found = read(message, 32)
    if command not in TWICE[avp]:
        assert check_once(message, found, command.code) is None
        return
    with pytest.raises(Refused) as caught:
        check_once(message, found, command.code)
    assert (caught.value.refusal.result_code, caught.value.refusal.failed_avp) == (5009, second)
