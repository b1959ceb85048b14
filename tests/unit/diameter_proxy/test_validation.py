"""What is wrong before anybody asks whose it is (RFC 6733 §6.1, §7.1)."""

import pytest

from diameter_proxy.diameter import dictionary as d
from diameter_proxy.diameter.wire import with_flags
from diameter_proxy.validation import Refused, check, read


def code_of(made, message):
    with pytest.raises(Refused) as caught:
        check(message, read(message, 32), b"proxy1.mc2.lab", made.neighbours())
    return caught.value.refusal.result_code


def test_a_good_request_passes(made):
    message = made.mar(made.partner, d.ROUTE_RECORD.encode("icscf.mc2.lab"))
    check(message, read(message, 32), b"proxy1.mc2.lab", made.neighbours())


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
