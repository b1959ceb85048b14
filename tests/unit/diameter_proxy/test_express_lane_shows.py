"""No identity that the whole way takes out of a message passes on the lane, however and wherever it is written."""

import pytest

from diameter_proxy.diameter import dictionary as d
from diameter_proxy.diameter.commands import TGPP
from diameter_proxy.diameter.message import Message
from diameter_proxy.diameter.wire import encode_avp
from tests.unit.diameter_proxy.test_express_lane import P, S, Way

AKA = d.SIP_AUTHENTICATION_SCHEME.encode("Digest-AKAv1-MD5")
SETS = {
    "letters": (("mig-partner7@ims.mc2.lab",), ("mig-primary7@ims.mc1.lab",)),
    "digits": (("mig-12345678@ims.mc2.lab",), ("001010123456789@ims.mc1.lab",)),
    "further SIP URI": (("mig-partner7@ims.mc2.lab",), ("mig-primary7@ims.mc1.lab", "sip:control-room@ims.mc1.lab")),
    "further tel URI": (("mig-partner7@ims.mc2.lab", "tel:+498912345678"), ("mig-primary7@ims.mc1.lab",)),
}
"""What is lent, and what it stands for; the last identity of each is the one that strays."""
WRITTEN = {
    "as it is": lambda text: text,
    "upper case": bytes.upper,
    "the at sign escaped": lambda text: text.replace(b"@", b"%40").replace(b"+", b"%2B"),
    "the first octet escaped": lambda text: b"%%%02x" % text[0] + text[1:],
    "all of it escaped": lambda text: b"".join(b"%%%02X" % octet for octet in text),
    "user part": lambda text: text.partition(b"@")[0],
}
VALUES = {"SIP-Authenticate": (609, 32), "SIP-Authorization": (610, 16), "CK": (625, 96), "IK": (626, 96)}
"""What varies in a vector: code, octets that a MAA may have of it."""


def texts(identities):
    """Return a set with the SIP URI of its private identity."""
    first, *more = identities
    return (first, f"sip:{first}", *more)


def stray_of(identities, form):
    last = identities[-1]
    return WRITTEN[form](last.removeprefix("sip:").removeprefix("tel:").encode())


def vector(place="", stray=b""):
    """Return a SIP-Auth-Data-Item with something in one of its values; the others are random ones."""
    values = {name: bytes(range(0x80, 0x80 + octets)) for name, (_, octets) in VALUES.items()}
    if place:
        octets = VALUES[place][1]
        values[place] = stray.rjust((octets + len(stray)) // 2, b"\x80").ljust(octets, b"\x80")
    avps = [encode_avp(VALUES[name][0], value, TGPP) for name, value in values.items()]
    return d.SIP_AUTH_DATA_ITEM.encode(d.SIP_ITEM_NUMBER.encode(1) + AKA + b"".join(avps))


def lend(way, name):
    mine, theirs = (tuple(text.encode() for text in texts(identities)) for identities in SETS[name])
    way.proxy.identities.apply(way.made.lent(binding="long", identities=mine, counterpart=theirs))


def answered(way, name, end_to_end, item):
    mine, theirs = map(texts, SETS[name])
    ((_, out),) = way.receive(S, way.made.mar(mine[:2], end_to_end=end_to_end))
    ((_, back),) = way.receive(P, way.made.maa(Message.decode(out), theirs[:2], item=item))
    return back


@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize("form", WRITTEN)
@pytest.mark.parametrize("place", VALUES)
def test_what_the_whole_way_takes_out_of_an_answer_the_lane_does_not_pass(made, new_wire, name, form, place):
    stray = stray_of(SETS[name][1], form)
    if len(stray) > VALUES[place][1]:
        stray = stray_of(SETS[name][1], "user part")[: VALUES[place][1]]
    ways = [Way(made, new_wire(), has_lane=has_lane) for has_lane in (True, False)]
    for way in ways:
        lend(way, name)
        assert b"\x80\x81\x82" in answered(way, name, 1, vector())
    assert [stray in answered(way, name, 2, vector(place, stray)) for way in ways] == [False, False]
    assert ways[0].taken == 1, "the request was taken"
    assert b"\x80\x81\x82" in answered(ways[0], name, 3, vector())
    assert ways[0].taken == 2


@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize("form", WRITTEN)
def test_what_the_whole_way_takes_out_of_a_request_the_lane_does_not_pass(made, new_wire, name, form):
    """A resynchronization: SIP-Authorization of 30 octets."""
    mine = texts(SETS[name][0])
    stray = stray_of(SETS[name][0], form)
    if len(stray) > 30:
        stray = stray_of(SETS[name][0], "user part")
    outs = []
    for has_lane in (True, False):
        way = Way(made, new_wire(), has_lane=has_lane)
        lend(way, name)
        for end_to_end, value in ((1, bytes(30)), (2, stray.ljust(30, b"\x80")), (3, b"\x81" * 30)):
            item = d.SIP_AUTH_DATA_ITEM.encode(AKA + d.SIP_AUTHORIZATION.encode(value))
            outs.append([out for _, out in way.receive(S, way.made.mar(mine[:2], item=item, end_to_end=end_to_end))])
        assert way.taken == has_lane, "the last one"
    assert not any(stray in out for sent in outs for out in sent)
    assert [len(sent) for sent in outs[:3]] == [len(sent) for sent in outs[3:]]


def backwards(identities):
    """Return the set of another user, as long."""
    user, _, domain = identities[0].partition("@")
    return texts((f"{user[::-1]}@{domain}",))


@pytest.mark.parametrize("name", SETS)
def test_what_another_users_messages_had_in_common_shows_nobody(made, new_wire, name):
    stray = stray_of(SETS[name][1], "as it is")
    odd = encode_avp(9999, stray, TGPP, 0)
    first, second = tuple(map(backwards, SETS[name])), tuple(map(texts, SETS[name]))
    for has_lane in (True, False):
        way = Way(made, new_wire(), has_lane=has_lane)
        lend(way, name)
        mine, theirs = (tuple(text.encode() for text in identities) for identities in first)
        way.proxy.identities.apply(way.made.lent(binding="other", identities=mine, counterpart=theirs))
        backs = []
        for end_to_end, (asked, known) in enumerate((first, second)):
            ((_, out),) = way.receive(S, way.made.mar(asked[:2], end_to_end=end_to_end))
            ((_, back),) = way.receive(P, way.made.maa(Message.decode(out), known[:2], odd))
            backs.append(stray in back)
        assert backs == [True, False], "to the first it is nobody's whom he must not see"
        assert way.taken == has_lane, "the second request"
