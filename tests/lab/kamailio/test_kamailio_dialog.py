"""Dialogs through a whole core: a call, and the registration event package (RFC 3261 §12, RFC 3680)."""

import re
import secrets
import time

import pytest

pytestmark = pytest.mark.lab

PCSCF = ("10.77.1.10", 5060)


def lines_of(message: str, *names: str) -> list[str]:
    """Return the header lines of these names."""
    return [line for line in message.split("\r\n") if line.split(":")[0] in names]


def request(ue, method: str, uri: str, call_id: str, *, to: str, tags: tuple[str, str], headers=()) -> None:
    """Send a request without waiting; ``tags`` are those of From and To."""
    own, other = tags
    lines = [
        f"{method} {uri} SIP/2.0",
        f"Via: SIP/2.0/UDP {ue.address}:{ue.port};branch=z9hG4bK{secrets.token_hex(6)};rport",
        "Max-Forwards: 70",
        f"From: <{ue.impu}>;tag={own}",
        f"To: <{to}>" + (f";tag={other}" if other else ""),
        f"Call-ID: {call_id}",
        f"CSeq: 1 {method}",
        *headers,
        "Content-Length: 0",
    ]
    ue.socket.sendto(("\r\n".join(lines) + "\r\n\r\n").encode(), PCSCF)


def receive(ue, wanted: str) -> tuple[str, tuple[str, int]]:
    """Return the next message that begins with ``wanted``."""
    deadline = time.monotonic() + 15
    while time.monotonic() < deadline:
        octets, source = ue.socket.recvfrom(1 << 16)
        if octets.decode().startswith(wanted):
            return octets.decode(), source
    return pytest.fail(f"{ue.user} did not receive {wanted}")


def respond(ue, message: str, source: tuple[str, int], tag: str = "", contact: bool = False) -> None:
    """Answer 200."""
    kept = lines_of(message, "Via", "From", "To", "Call-ID", "CSeq", "Record-Route")
    kept = [f"{line};tag={tag}" if line.startswith("To:") and tag else line for line in kept]
    kept += [f"Contact: <sip:{ue.user}@{ue.address}:{ue.port}>"] if contact else []
    ue.socket.sendto("\r\n".join(["SIP/2.0 200 OK", *kept, "Content-Length: 0", "", ""]).encode(), source)


def test_a_call_is_set_up_and_ended(core) -> None:
    """ACK and BYE have no Contact; the UE is known all the same."""
    alice, bob = core.ue(), core.ue(address="10.77.1.22")
    assert (alice.register().status, bob.register().status) == (200, 200)
    contact = f"sip:{alice.user}@{alice.address}:{alice.port}"
    call_id = secrets.token_hex(4)
    request(alice, "INVITE", bob.impu, call_id, to=bob.impu, tags=("a", ""), headers=[f"Contact: <{contact}>"])
    invite, source = receive(bob, "INVITE")
    respond(bob, invite, source, tag="b", contact=True)
    answer, _ = receive(alice, "SIP/2.0 200")

    routes = [line.replace("Record-Route", "Route") for line in lines_of(answer, "Record-Route")]
    [target] = re.findall("Contact: <(.*?)>", answer)
    request(alice, "ACK", target, call_id, to=bob.impu, tags=("a", "b"), headers=reversed(routes))
    receive(bob, "ACK")

    routes = [line.replace("Record-Route", "Route") for line in lines_of(invite, "Record-Route")]
    request(bob, "BYE", contact, call_id, to=alice.impu, tags=("b", "a"), headers=routes)
    bye, source = receive(alice, "BYE")
    respond(alice, bye, source)
    receive(bob, "SIP/2.0 200")


def test_a_dialog_that_nobody_knows_is_404(core) -> None:
    alice = core.ue()
    assert alice.register().status == 200
    request(alice, "BYE", "sip:x@10.77.1.22:9", "no-call", to="sip:x@ims.mc1.lab", tags=("a", "b"))
    receive(alice, "SIP/2.0 404")


def test_a_ue_learns_that_the_network_took_it_off(core) -> None:
    """TS 24.229 §5.4.1.5: RTR, then NOTIFY with the contact terminated."""
    bob = core.ue(address="10.77.1.22")
    assert bob.register().status == 200
    subscribed = bob.send(PCSCF, "SUBSCRIBE", bob.impu, "Event: reg", "Expires: 600", "Accept: application/reginfo+xml")
    assert subscribed.status == 200, core.log()
    first, source = receive(bob, "NOTIFY")
    respond(bob, first, source)
    assert 'state="active"' in first
    core.database.deregister(bob.impi, bob.impu)
    last, source = receive(bob, "NOTIFY")
    respond(bob, last, source)
    assert 'state="terminated"' in last
