"""An identity in any AVP of any command: what of it crosses to another system (TS 23.280 5.2.10.7, D.5 of the docs).

The identity is put into each AVP of the grammars of TS 29.229 §6.1 and of the dictionary, as it is, in upper case,
behind percent escapes and without its domain; then the octets that leave are searched, whatever they mean.
"""

import itertools

import pytest
import structlog

from diameter_proxy.diameter import dictionary as d
from diameter_proxy.diameter.commands import ALL, LIR, MAR, PPR, RTR, SAR, UAR
from diameter_proxy.diameter.dictionary import AvpType
from diameter_proxy.diameter.message import Message
from diameter_proxy.diameter.wire import encode_avp, walk_avps
from diameter_proxy.proxy import Proxy
from diameter_proxy.settings import Settings

S, H, M, P = "scscf.mc2.lab", "hss.mc2.lab", "mms.mc2.lab", "proxy1.mc1.lab"
PARTNER = ("mig-partner7@ims.mc2.lab", "sip:mig-partner7@ims.mc2.lab")
PRIMARY = ("mig-primary7@ims.mc1.lab", "sip:mig-primary7@ims.mc1.lab")
LENT = ("mig-lent0007@ims.mc2.lab", "sip:mig-lent0007@ims.mc2.lab")
DEFAULT = ("001020000000007@ims.mc2.lab", "sip:001020000000007@ims.mc2.lab")
AVPS = [value for value in vars(d).values() if isinstance(value, AvpType)]
CX = (UAR, SAR, LIR, MAR, RTR, PPR)
FORMS = {
    "as it is": lambda text: text.encode(),
    "upper case": lambda text: text.upper().encode(),
    "escaped": lambda text: text.replace("mig-", "%6dig%2D").replace("@", "%40").encode(),
    "user part": lambda text: text.partition("@")[0].encode(),
    "in a header": lambda text: f'Digest username="{text}", realm="x", uri="sip:x"'.encode(),
}


def holding(avp, octets):
    """Return an AVP with these octets inside, in a group where it is one."""
    inside = encode_avp(d.CLASS.code, octets) if avp.format.name == "Grouped" else octets
    return encode_avp(avp.code, inside, avp.vendor_id, avp.flags)


def written(identities):
    """Yield each identity in each form."""
    for text in identities:
        for form in FORMS.values():
            yield form(text)


def shows(octets, identities):
    """Say which user parts can be seen in octets, escapes undone, whatever the case."""
    plain = octets.lower().replace(b"%2d", b"-").replace(b"%6d", b"m").replace(b"%40", b"@")
    return [text for text in identities if text.removeprefix("sip:").partition("@")[0].encode() in plain]


def variants(message, avp, octets):
    """Yield the message with the AVP at its end, and in place of the one that it has."""
    stray = holding(avp, octets)
    spans = [
        (span.start, span.next)
        for span in walk_avps(message)
        if (span.code, span.vendor_id) == (avp.code, avp.vendor_id)
    ]
    for start, following in [(len(message), len(message)), *spans]:
        body = message[20:start] + stray + message[following:]
        yield b"\1" + (20 + len(body)).to_bytes(3, "big") + message[4:20] + body


@pytest.fixture
def proxy(made, new_wire):
    """Return a maker of proxies of mc2 that have lent one set each way, and what they send."""

    def make():
        wire = new_wire()
        settings = Settings(
            "proxy1.mc2.lab",
            "ims.mc2.lab",
            frozenset({b"ims.mc2.lab"}),
            b"s" * 32,
            server_name="sip:s",
            hss_as_default=True,
        )
        proxy = Proxy(settings, made.neighbours(), wire, clock=lambda: 1.0, wall_clock=lambda: 1.0)
        proxy.identities.set_range("ims.mc2.lab", "mig-")
        proxy.identities.refreshed(1.0)
        of, to = (tuple(text.encode() for text in one) for one in (PARTNER, PRIMARY))
        proxy.identities.apply(made.lent(identities=of, counterpart=to))
        of, to = (tuple(text.encode() for text in one) for one in (LENT, DEFAULT))
        proxy.identities.apply(
            made.lent(binding="h", is_primary=True, other_mc_system="mc1", identities=of, counterpart=to)
        )
        return proxy, wire

    with structlog.testing.capture_logs():
        yield make


@pytest.mark.parametrize("avp", AVPS, ids=lambda avp: avp.name)
def test_no_avp_of_a_mar_takes_the_partner_set_across(proxy, made, avp):
    for octets in written(PARTNER):
        for message in variants(made.mar(PARTNER), avp, octets):
            running, wire = proxy()
            running.receive_request(S, message)
            assert running.counters.faults == 0
            assert [shows(sent, PARTNER) for peer, sent in wire.sent if peer.endswith("mc1.lab")] in ([], [[]])


@pytest.mark.parametrize("avp", AVPS, ids=lambda avp: avp.name)
@pytest.mark.parametrize("result_code", [2001, 5012, 3002])
def test_no_avp_of_a_maa_takes_the_default_set_to_the_partner(proxy, made, avp, result_code):
    for octets in written(DEFAULT):
        running, wire = proxy()
        running.receive_request(P, made.mar(LENT))
        peer, sent = wire.sent[-1]
        assert (peer, Message.decode(sent).get(d.USER_NAME)) == (H, DEFAULT[0])
        for message in variants(made.maa(sent, DEFAULT, result_code=result_code), avp, octets):
            running.receive_answer(H, message)
        assert running.counters.faults == 0
        back = [answer for peer, answer in wire.sent if peer == P]
        assert back
        assert [shows(answer, DEFAULT) for answer in back] == [[]] * len(back)


@pytest.mark.parametrize("avp", AVPS, ids=lambda avp: avp.name)
def test_no_avp_of_a_maa_takes_the_primary_set_to_the_cscf(proxy, made, avp):
    for octets in written(PRIMARY):
        running, wire = proxy()
        running.receive_request(S, made.mar(PARTNER))
        peer, sent = wire.sent[-1]
        assert peer == P
        for message in variants(made.maa(sent, PRIMARY), avp, octets):
            running.receive_answer(P, message)
        back = [answer for peer, answer in wire.sent if peer == S]
        assert back
        assert [shows(answer, PRIMARY) for answer in back] == [[]] * len(back)


@pytest.mark.parametrize("avp", AVPS, ids=lambda avp: avp.name)
@pytest.mark.parametrize("command", CX, ids=lambda command: command.name)
def test_no_command_but_mar_leaves_the_system(proxy, made, command, avp):
    """Whatever it names and wherever; MAR leaves for a lent set only."""
    for source, identities in itertools.product((S, H, M), (PARTNER, LENT, DEFAULT)):
        running, wire = proxy()
        message = made.mar(identities, d.DESTINATION_HOST.encode(S), command=command)
        for octets in variants(message, avp, PARTNER[0].encode()):
            running.receive_request(source, octets)
        crossed = [octets for peer, octets in wire.sent if peer.endswith("mc1.lab")]
        assert running.counters.faults == 0
        assert all(Message.decode(octets).header.command_code == MAR.code for octets in crossed)
        assert not crossed or (source, command, identities) == (S, MAR, PARTNER)


@pytest.mark.parametrize("avp", AVPS, ids=lambda avp: avp.name)
@pytest.mark.parametrize("command", [row for row in CX if row is not MAR], ids=lambda command: command.name)
def test_no_command_but_mar_comes_in_from_another_system(proxy, made, command, avp):
    running, wire = proxy()
    for octets in variants(made.mar(LENT, command=command), avp, DEFAULT[0].encode()):
        running.receive_request(P, octets)
    assert {peer for peer, _ in wire.sent} == {P}
    assert {Message.decode(octets).header.is_request for _, octets in wire.sent} == {False}


def test_the_vector_survives_a_stray_identity_in_its_item(proxy, made):
    """Of a SIP-Auth-Data-Item only the AVP inside that names somebody goes; the rest stays octet for octet."""
    running, wire = proxy()
    running.receive_request(P, made.mar(LENT))
    _, sent = wire.sent[-1]
    good = made.vector()
    stray = encode_avp(d.CLASS.code, DEFAULT[0].encode())
    item = encode_avp(d.SIP_AUTH_DATA_ITEM.code, good[12:] + stray, d.TGPP, 0x40)
    running.receive_answer(H, made.maa(sent, DEFAULT, item=item))
    answer = Message.decode(wire.sent[-1][1])
    assert answer.get(d.RESULT_CODE) == 2001
    assert answer.get(d.SIP_AUTH_DATA_ITEM) == good[12:]


@pytest.mark.parametrize("avp", [d.WILDCARDED_PUBLIC_IDENTITY, d.WILDCARDED_IMPU], ids=lambda avp: avp.name)
def test_a_native_user_may_not_name_a_lent_identity_as_a_wildcard(proxy, made, avp):
    running, wire = proxy()
    message = made.mar(DEFAULT, avp.encode(PARTNER[1]), command=SAR)
    running.receive_request(S, message)
    assert Message.decode(wire.sent[-1][1]).result() == (10415, 5002)


def test_associated_identities_count_in_the_pair_check(proxy, made):
    running, wire = proxy()
    inside = d.USER_NAME.encode(PARTNER[0])
    for more, result in ((inside, (10415, 5001)), (inside[:6] + b"\xff\xff" + inside[8:], (0, 5014))):
        message = made.mar(DEFAULT, d.DESTINATION_HOST.encode(S), d.ASSOCIATED_IDENTITIES.encode(more), command=RTR)
        running.receive_request(H, message)
        assert Message.decode(wire.sent[-1][1]).result() == result


def test_every_avp_of_the_six_commands_was_tried():
    named = {
        avp for row in ALL if row.section.startswith("TS 29.229") for avp in (*row.required, *row.once, *row.optional)
    }
    assert named <= set(AVPS)
