"""Everything from a wire is hostile: whatever is damaged, a request has one outcome and is never a fault of ours."""

import pytest
import structlog
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from diameter_proxy.diameter import dictionary as d
from diameter_proxy.diameter.commands import LIR, PPR, RTR, SAR, UAR
from diameter_proxy.diameter.message import Message
from diameter_proxy.proxy import Proxy
from diameter_proxy.settings import Settings

DAMAGE = st.lists(st.tuples(st.integers(0, 4000), st.integers(0, 255)), max_size=6)
PEERS = ("scscf.mc2.lab", "hss.mc2.lab", "mms.mc2.lab", "proxy1.mc1.lab")


def proxy_on(made, wire):
    settings_ = Settings("proxy1.mc2.lab", "ims.mc2.lab", frozenset({b"ims.mc2.lab"}), b"s" * 32, server_name="sip:s")
    proxy = Proxy(settings_, made.neighbours(), wire, clock=lambda: 1.0, wall_clock=lambda: 1.0)
    proxy.identities.set_range("ims.mc2.lab", "mig-")
    proxy.identities.refreshed(1.0)
    proxy.identities.apply(made.lent())
    proxy.identities.apply(made.lent(binding="h", is_primary=True))
    return proxy


def damaged(message, damage, cut):
    octets = bytearray(message)
    for at, value in damage:
        octets[1 + at % (len(octets) - 1)] = value
    octets = octets[: max(20, len(octets) - cut)]
    octets[1:4] = len(octets).to_bytes(3, "big")
    octets[4] |= 0x80
    return bytes(octets)


@pytest.fixture(autouse=True)
def quiet():
    with structlog.testing.capture_logs():
        yield


@settings(
    deadline=None,
    derandomize=True,
    max_examples=400,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(damage=DAMAGE, cut=st.integers(0, 40), peer=st.sampled_from(PEERS), data=st.data())
def test_a_damaged_request_goes_somewhere_or_is_answered_and_is_no_fault(damage, cut, peer, data, made, new_wire):
    wire = new_wire()
    proxy = proxy_on(made, wire)
    command = data.draw(st.sampled_from([None, UAR, SAR, LIR, RTR, PPR]))
    extra = (d.DESTINATION_HOST.encode("scscf.mc2.lab"),) if command in (RTR, PPR) else ()
    message = made.mar(made.partner, *extra, **({"command": command} if command else {}))
    proxy.receive_request(peer, damaged(message, damage, cut))
    assert proxy.counters.faults == 0
    assert len(wire.sent) + proxy.look_ups.parked_count == 1


@settings(
    deadline=None,
    derandomize=True,
    max_examples=400,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(damage=DAMAGE, cut=st.integers(0, 40))
def test_a_damaged_answer_is_passed_refused_or_discarded_and_is_no_fault(damage, cut, made, new_wire):
    wire = new_wire()
    proxy = proxy_on(made, wire)
    proxy.receive_request("scscf.mc2.lab", made.mar())
    peer, out = wire.sent[-1]
    octets = bytearray(damaged(made.maa(out), damage, cut))
    octets[4] &= 0x7F
    octets[5:8], octets[12:20] = out[5:8], out[12:20]
    proxy.receive_answer(peer, bytes(octets))
    assert proxy.counters.faults == 0
    assert len(wire.sent) == 2
    answer = Message.decode(wire.sent[-1][1])
    assert answer.get(d.USER_NAME) == made.partner[0]
    assert b"mig-h@" not in answer.octets
