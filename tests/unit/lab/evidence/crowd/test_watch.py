"""Identities, keys and plain text where they may not be are found in the frame that has them."""

from types import SimpleNamespace
from typing import Any

from lab.evidence.checks.finding import Finding
from lab.evidence.crowd.lines import Arrival
from lab.evidence.crowd.watch import Watch
from lab.evidence.report import Verdict

STAY, KEYS, TLS, READABLE = (
    "identities-stay-where-they-may-be-seen",
    "keys-never-reach-a-ue",
    "systems-talk-over-tls",
    "tls-was-readable",
)


def seen(crowd: SimpleNamespace, *arrivals: Arrival) -> dict[str, Finding]:
    watch = Watch(crowd.facts, crowd.people)
    for one in arrivals:
        watch.see(one)
    return dict(watch.findings())


def key(make: SimpleNamespace, code: int, octets: str) -> Any:
    return make.avp(code, "")._replace(octets=f"{code:08x}c000001c000028af{octets}")


def test_a_migrated_registration_leaks_nothing(crowd: SimpleNamespace) -> None:
    messages = [crowd.register(1, crowd.one, "a"), *crowd.mars(2, crowd.one, crowd.one, 7)]
    found = seen(crowd, *(crowd.arrival(message) for message in messages))
    assert {finding.verdict for name, finding in found.items() if name != TLS} == {Verdict.PASS}
    assert found[STAY].detail == "3 messages and the octets of 3 frames searched"


def test_an_identity_in_the_wrong_system_is_named_with_its_frame(crowd: SimpleNamespace) -> None:
    register = crowd.register(4, crowd.one, "a", subject=crowd.one.ue.private_user_identity)
    finding = seen(crowd, crowd.arrival(register))[STAY]
    assert (finding.verdict, finding.frames) == (Verdict.FAIL, (4,))
    assert crowd.one.ue.private_user_identity in finding.detail
    assert crowd.one.sets.partner[0] not in finding.detail


def test_an_identity_that_two_segments_share_is_found(crowd: SimpleNamespace, make: SimpleNamespace) -> None:
    octets = crowd.one.sets.primary[0].encode()
    halves = (octets[:9], octets[9:])
    frames = [make.payload(n, "scscf", "proxy2", half, port=3868) for n, half in enumerate(halves, 1)]
    assert seen(crowd, *(Arrival(one.frame, one.octets) for one in frames))[STAY].frames == (2,)


def test_a_key_of_a_vector_and_a_key_parameter_at_a_ue_are_found(crowd: SimpleNamespace, make: SimpleNamespace) -> None:
    octets = "0123456789abcdef" * 2
    maa = make.diameter(1, "proxy2", "scscf", make.avp(612, "", key(make, 625, octets)), request=False)
    bare = crowd.arrival(make.sip(2, "pcscf", "ue", 401, x_note=f"ff{octets.upper()}"))
    named = crowd.arrival(make.sip(3, "pcscf", "ue", 401, www_authenticate='Digest nonce="a", ck="b"'))
    good = crowd.arrival(make.sip(4, "pcscf", "ue", 401, www_authenticate='Digest nonce="a", x="back"'))
    inner = crowd.arrival(make.sip(5, "scscf", "pcscf", 401, x_note=octets))
    finding = seen(crowd, crowd.arrival(maa), bare, named, good, inner)[KEYS]
    assert (finding.verdict, finding.frames) == (Verdict.FAIL, (2, 3))


def test_plain_text_between_systems_is_found(crowd: SimpleNamespace, make: SimpleNamespace) -> None:
    hello = make.payload(1, "proxy2", "proxy1", b"\x16\x03\x01")
    plain = make.payload(2, "proxy1", "proxy2", b"GET")
    arrivals = [Arrival(one.frame, one.octets) for one in (hello, plain)]
    assert seen(crowd, arrivals[0])[TLS].verdict is Verdict.PASS
    assert seen(crowd, *arrivals)[TLS].frames == (2,)


def test_a_connection_that_nobody_could_read_leaves_it_unknown(crowd: SimpleNamespace, make: SimpleNamespace) -> None:
    there = make.payload(1, "proxy2", "proxy1", b"\x17\x03\x03")
    back = make.payload(2, "proxy1", "proxy2", b"\x17\x03\x03")._replace(
        frame=make.frame(2, "proxy1", "proxy2", 9)._replace(source_port=5868, destination_port=40_000)
    )
    dark = [Arrival(one.frame, one.octets) for one in (there, back)]
    assert seen(crowd, *dark)[READABLE].verdict is Verdict.UNKNOWN
    lit = Arrival(there.frame, there.octets, shows_certificate=True)
    assert seen(crowd, lit, dark[1])[READABLE].verdict is Verdict.PASS


def test_without_a_frame_nothing_is_known(crowd: SimpleNamespace) -> None:
    assert seen(crowd)[STAY].verdict is Verdict.UNKNOWN
