"""What is fuzzed, as functions of octets: they end, or raise what is a fault of ours (``make fuzz``).

    wire      a stream cut anywhere, taken apart to the last AVP, and put into words
    peer      a node that is not connected to anything but these octets: before and after the capabilities exchange
    mapping   the whole proxy with a migrated user: a request, or an answer to one of its own
    names     a message to and from a peer that names of the inside are hidden from
    xml       Cx-User-Data and configuration documents made of any text: well-formed, and the text comes back

Errors that the documentation promises are part of a normal end (``errors.py`` of each leaf).
"""

import asyncio
import contextlib
import time
from collections.abc import Callable
from functools import cache
from typing import Any, Final
from xml.etree import ElementTree

import structlog
from pydantic import ValidationError

from diameter_proxy.decoding import describe
from diameter_proxy.diameter import dictionary as d
from diameter_proxy.diameter.commands import CER, CX, LIR, MAR, PPR, RTR, SAR, TGPP, UAR
from diameter_proxy.diameter.errors import DiameterError
from diameter_proxy.diameter.message import Message, encode_answer, encode_request
from diameter_proxy.diameter.wire import FrameBuffer, walk_avps
from diameter_proxy.hidden_names import HiddenNames, NamesNotHidden, hidden_names
from diameter_proxy.identity_map import LentSet
from diameter_proxy.node.config import NodeConfig, PeerConfig
from diameter_proxy.node.node import Node
from diameter_proxy.peers import Neighbour, Neighbours
from diameter_proxy.proxy import Proxy
from diameter_proxy.routing import Source
from diameter_proxy.settings import Settings
from mmserver.identity import InvalidIdentity, parse_sip_identities
from mmserver.migration.config import FilterCriterion
from mmserver.migration.user_data import user_data
from tests.reading import read

PARTNER: Final = ("mig-partner-set@ims.mc2.lab", "sip:mig-partner-set@ims.mc2.lab")
PRIMARY: Final = ("mig-primary-set@ims.mc1.lab", "sip:mig-primary-set@ims.mc1.lab")
SCSCF, HSS, MMS, OTHER = "scscf.mc2.lab", "hss.mc2.lab", "mms.mc2.lab", "proxy1.mc1.lab"
REQUEST: Final = 0x80
_HOSTS: Final = (SCSCF, HSS, MMS, OTHER)


def quiet() -> None:
    """Let nothing be logged: a fuzzer writes a refusal ten thousand times a second."""
    structlog.configure(processors=[_drop])


def _drop(logger: object, name: str, event: Any) -> Any:
    raise structlog.DropEvent


# --- wire ----------------------------------------------------------------------------------------------------


def wire(octets: bytes) -> None:
    """Take a stream apart; where it is cut says the first octet."""
    cut = octets[0] if octets else 0
    frames, whole = FrameBuffer(), octets[1:]
    with contextlib.suppress(DiameterError):
        for piece in (whole[:cut], whole[cut:]):
            for message in frames.receive_data(piece):
                _look_into(message)


def _look_into(message: bytes) -> None:
    with contextlib.suppress(DiameterError):
        list(walk_avps(message))
    with contextlib.suppress(DiameterError):
        decoded = Message.decode(message)
        for avp in d.BY_KEY.values():
            with contextlib.suppress(DiameterError):
                decoded.all(avp)
    with contextlib.suppress(DiameterError):
        "".join(describe(message))


# --- peer ----------------------------------------------------------------------------------------------------


class Transport(asyncio.Transport):
    """A transport to nobody, which keeps what is written."""

    def __init__(self) -> None:
        super().__init__({"peername": ("127.0.0.1", 1), "sockname": ("127.0.0.1", 2)})
        self.written: list[bytes] = []
        self.is_closed = False

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Take note of nothing."""

    def get_write_buffer_size(self) -> int:
        """All is written at once."""
        return 0

    def write(self, data: Any) -> None:
        """Keep it."""
        self.written.append(bytes(data))

    def close(self) -> None:
        """Be closed."""
        self.is_closed = True

    def is_closing(self) -> bool:
        """Say whether it is."""
        return self.is_closed

    abort = close
    pause_reading = resume_reading = close_reading = lambda self: None


_loop: asyncio.AbstractEventLoop | None = None


def peer(octets: bytes) -> None:
    """Give a node octets on a connection: the first octet says whether a CER goes before them, and where to cut."""
    global _loop
    if _loop is None:
        _loop = asyncio.new_event_loop()
    _loop.run_until_complete(_talk(octets))


def end() -> None:
    """Close what ``peer`` has opened."""
    global _loop
    if _loop is not None:
        _loop.close()
        _loop = None


async def _talk(octets: bytes) -> None:
    kind = octets[0] if octets else 0
    config = NodeConfig("proxy1.mc2.lab", "ims.mc2.lab", (), (PeerConfig(SCSCF, "ims.mc2.lab"),), sweep_s=60.0)
    node = Node(config, lambda name, message: None, lambda event: None, lambda name, message: None)
    await node.start()
    transport, connection = Transport(), node._connection(node._admission)
    connection.connection_made(transport)
    pieces = [octets[1 : 1 + kind // 2], octets[1 + kind // 2 :]]
    for piece in [cer(), *pieces] if kind & 1 else pieces:
        if piece and not transport.is_closed:
            read(connection, piece)
            await asyncio.sleep(0)
    assert sum(map(len, transport.written)) <= 4096 + 8 * len(octets), "an answer larger than what was asked"
    connection.connection_lost(None)
    again, fresh = Transport(), node._connection(node._admission)
    fresh.connection_made(again)
    read(fresh, cer())
    await asyncio.sleep(0)
    first = b"".join(again.written)[:4]
    assert first, "a good CER afterwards is not answered"
    cea = b"".join(again.written)[: int.from_bytes(first[1:], "big")]
    assert Message.decode(cea).result() == (0, 2001), "a good CER afterwards is refused"
    fresh.connection_lost(None)
    await node.stop(deadline_s=0.0)


def cer() -> bytes:
    """Return the CER of an S-CSCF, as Kamailio sends it."""
    application = d.VENDOR_ID.encode(TGPP) + d.AUTH_APPLICATION_ID.encode(CX)
    return encode_request(
        CER,
        end_to_end=1,
        avps=(
            d.ORIGIN_HOST.encode(SCSCF),
            d.ORIGIN_REALM.encode("ims.mc2.lab"),
            d.VENDOR_ID.encode(0),
            d.PRODUCT_NAME.encode("CDiameterPeer"),
            d.VENDOR_SPECIFIC_APPLICATION_ID.encode(application),
        ),
    )


# --- mapping -------------------------------------------------------------------------------------------------


class Wires:
    """A node that keeps what leaves; every peer is open, or none."""

    def __init__(self) -> None:
        self.are_open = True
        self.sent: list[tuple[str, bytes]] = []
        self._number = 100

    def send(self, name: str, octets: bytes) -> None:
        self.sent.append((name, octets))

    def send_all(self, name: str, octets: bytes, count: int) -> None:
        messages = FrameBuffer().receive_data(octets)
        assert len(messages) == count
        self.sent += [(name, message) for message in messages]

    def next_end_to_end(self) -> int:
        self._number += 1
        return self._number

    def next_hop_by_hop(self, name: str) -> int:
        return self.next_end_to_end()

    def reserve_hop_by_hop(self, name: str, count: int) -> int:
        self._number += count
        return self._number - count

    def is_open(self, name: str) -> bool:
        return self.are_open

    is_ready = is_open

    def pause_source(self, source: str, destination: str) -> None: ...


def proxy() -> tuple[Proxy, Wires]:
    """Return a proxy of mc2 that has lent a set to a user of mc1, and has been lent one by it."""
    neighbours = Neighbours(
        [
            Neighbour(SCSCF, "ims.mc2.lab", Source.CSCF),
            Neighbour(HSS, "ims.mc2.lab", Source.HSS),
            Neighbour(MMS, "ims.mc2.lab", Source.MMS),
            Neighbour(OTHER, "ims.mc1.lab", Source.PARTNER, "mc1"),
        ],
        "ims.mc2.lab",
    )
    wires = Wires()
    settings = Settings("proxy1.mc2.lab", "ims.mc2.lab", frozenset({b"ims.mc2.lab"}), b"s" * 32, server_name="sip:s:1")
    made = Proxy(settings, neighbours, wires, clock=lambda: 1.0, wall_clock=time.time)
    made.identities.set_range("ims.mc2.lab", "mig-p")
    made.identities.refreshed(1.0)
    made.identities.apply(_lent("in", False, PARTNER, PRIMARY))
    made.identities.apply(_lent("out", True, ("mig-h@ims.mc2.lab", "sip:mig-h@ims.mc2.lab"), OWN))
    return made, wires


OWN: Final = ("001020000000001@ims.mc2.lab", "sip:bob@ims.mc2.lab")


def _lent(binding: str, is_primary: bool, mine: tuple[str, str], others: tuple[str, str]) -> LentSet:
    return LentSet(
        binding=binding,
        version=1,
        is_primary=is_primary,
        other_mc_system="mc1",
        enabled=True,
        not_after_s=4e9,
        identities=tuple(text.encode() for text in mine),
        counterpart=tuple(text.encode() for text in others),
    )


def mapping(octets: bytes) -> None:
    """Have the proxy handle a request of a peer, or an answer of a peer to a MAR of a migrated user."""
    if len(octets) < 21:
        return
    kind, body = octets[0], octets[1:]
    name = _HOSTS[kind & 3]
    made, wires = proxy()
    if kind & 4:
        made.receive_request(SCSCF, request(MAR, PARTNER))
        ((name, asked),) = wires.sent
        body = body[:5] + asked[5:8] + body[8:12] + asked[12:20] + body[20:]
        message = bytes((1,)) + len(body).to_bytes(3, "big") + bytes((body[4] & ~REQUEST,)) + body[5:]
    else:
        message = bytes((1,)) + len(body).to_bytes(3, "big") + bytes((body[4] | REQUEST,)) + body[5:]
    if len(message) % 4:
        return
    before = len(wires.sent)
    left = made.receive(name, [message])
    for one in left:
        (made.receive_answer if kind & 4 else made.receive_request)(name, one)
    assert made.counters.faults == 0, "the proxy caught a fault of its own"
    sent = wires.sent[before:]
    assert len(sent) + made.look_ups.parked_count == 1, f"{len(sent)} messages for one"
    for to, out in sent:
        assert len(out) == int.from_bytes(out[1:4], "big"), "a message of another length"
        assert out[16:20] == (asked if kind & 4 else message)[16:20], "another End-to-End"
        if to == OTHER and out[4] & REQUEST:
            assert b"mig-partner-set" not in out.lower(), "a partner identity crosses CSC-Y"


def request(command: Any, identities: tuple[str, str], *more: bytes) -> bytes:
    """Return a request of a CSCF."""
    scheme = d.SIP_AUTHENTICATION_SCHEME.encode("Digest-AKAv1-MD5")
    return encode_request(
        command,
        end_to_end=9,
        avps=(
            d.SESSION_ID.encode("scscf.mc2.lab;1;2"),
            d.VENDOR_SPECIFIC_APPLICATION_ID.encode(d.VENDOR_ID.encode(TGPP) + d.AUTH_APPLICATION_ID.encode(CX)),
            d.AUTH_SESSION_STATE.encode(1),
            d.ORIGIN_HOST.encode(SCSCF),
            d.ORIGIN_REALM.encode("ims.mc2.lab"),
            d.DESTINATION_REALM.encode("ims.mc2.lab"),
            d.USER_NAME.encode(identities[0]),
            d.PUBLIC_IDENTITY.encode(identities[1]),
            d.SIP_NUMBER_AUTH_ITEMS.encode(1),
            d.SIP_AUTH_DATA_ITEM.encode(scheme),
            d.SERVER_NAME.encode("sip:scscf.mc2.lab:6060"),
            *more,
        ),
    )


def answer() -> bytes:
    """Return the MAA of the other system."""
    vector = (
        d.SIP_ITEM_NUMBER.encode(1)
        + d.SIP_AUTHENTICATION_SCHEME.encode("Digest-AKAv1-MD5")
        + d.SIP_AUTHENTICATE.encode(bytes(32))
        + d.SIP_AUTHORIZATION.encode(bytes(8))
    )
    avps = (
        d.USER_NAME.encode(PRIMARY[0]),
        d.PUBLIC_IDENTITY.encode(PRIMARY[1]),
        d.SIP_NUMBER_AUTH_ITEMS.encode(1),
        d.SIP_AUTH_DATA_ITEM.encode(vector),
    )
    asked = request(MAR, PRIMARY)
    return encode_answer(asked, origin_host=OTHER, origin_realm="ims.mc1.lab", result_code=2001, avps=avps)


# --- hidden names --------------------------------------------------------------------------------------------

OUTSIDE: Final = "dra.mc9.lab"


@cache
def hiding() -> HiddenNames:
    """Return what hides names of mc2 from an agent of another network."""
    rows = [Neighbour(SCSCF, "ims.mc2.lab", Source.CSCF)]
    rows.append(Neighbour(OUTSIDE, "ims.mc9.lab", Source.AGENT, hides_names=True))
    more = {"hiding_keys": (b"k" * 32,), "hiding_domains": (b"ims.mc2.lab", b"mc2.lab")}
    settings = Settings("proxy1.mc2.lab", "ims.mc2.lab", frozenset(), b"s" * 32, **more)
    return hidden_names(settings, Neighbours(rows, "ims.mc2.lab"))


def names(octets: bytes) -> None:
    """Take a message as it comes from a hidden peer, and let it go to one: what leaves is hidden already."""
    if len(octets) < 20:
        return
    message = bytes((1,)) + len(octets).to_bytes(3, "big") + octets[4:]
    for made in (hiding().restored(OUTSIDE, message), hiding().restored(SCSCF, message)):
        assert made[4:20] == message[4:20] and len(made) == int.from_bytes(made[1:4], "big"), "another header"
    try:
        hidden = hiding().hidden(message)
    except NamesNotHidden:
        return
    assert hidden[4:20] == message[4:20] and len(hidden) == int.from_bytes(hidden[1:4], "big"), "another header"
    assert hiding().hidden(hidden) == hidden, "a pseudonym is hidden again"
    for span in walk_avps(hidden):
        if (span.code, span.vendor_id) in ((264, 0), (282, 0), (293, 0), (294, 0)):
            host = hidden[span.value : span.end].lower()
            assert host.startswith(b"hidden-") or not host.endswith(b".mc2.lab") or host == b"proxy1.mc2.lab", host


def _seeds_of_names() -> dict[str, bytes]:
    hop = d.PROXY_INFO.encode(d.PROXY_HOST.encode("icscf.mc2.lab") + d.PROXY_STATE.encode(b"1"))
    more = (hop, d.ROUTE_RECORD.encode("icscf.mc2.lab"), d.DESTINATION_HOST.encode("hss.mc9.lab"))
    telling = (
        d.ERROR_REPORTING_HOST.encode(HSS),
        d.ERROR_MESSAGE.encode("hss.mc2.lab is full"),
        d.FAILED_AVP.encode(d.DESTINATION_HOST.encode(HSS)),
    )
    found = {}
    for command in (UAR, SAR, LIR, MAR, RTR, PPR):
        asked = request(command, OWN, *more)
        answered = encode_answer(asked, origin_host=HSS, origin_realm="ims.mc2.lab", result_code=5012, avps=telling)
        found[command.name] = asked
        found[f"answer-to-{command.name}"] = answered
        found[f"hidden-{command.name}"] = hiding().hidden(asked)
        found[f"hidden-answer-to-{command.name}"] = hiding().hidden(answered)
    return found


# --- XML -----------------------------------------------------------------------------------------------------


def xml(octets: bytes) -> None:
    """Make documents of any text; a parser that is not ours reads it back."""
    texts = [*octets.decode("utf-8", "replace").split("\n"), "", "", "", ""]
    try:
        identities = parse_sip_identities(texts[0], [texts[1]])
        criterion = FilterCriterion(
            application_server=texts[2], methods=(texts[3],), header=texts[3], header_content=texts[4]
        )
    except (InvalidIdentity, ValidationError):
        return
    read = ElementTree.fromstring(user_data(identities, (criterion,)))
    assert read.findtext("PrivateID") == identities.private_user_identity
    assert read.findtext("ServiceProfile/PublicIdentity/Identity") == identities.public_user_identities[0]
    assert (read.findtext(".//ApplicationServer/ServerName") or "") == criterion.application_server
    assert (read.findtext(".//Method") or "") == texts[3]


TARGETS: Final[dict[str, Callable[[bytes], None]]] = {
    "wire": wire,
    "peer": peer,
    "mapping": mapping,
    "names": names,
    "xml": xml,
}


def seeds() -> dict[str, dict[str, bytes]]:
    """Return good inputs, from which a fuzzer goes on."""
    commands = {command.name: command for command in (UAR, SAR, LIR, MAR, RTR)}
    requests = {name: request(command, PARTNER) for name, command in commands.items()}
    dwr = bytes.fromhex("0100001480000118000000000000000100000001")
    mine = {f"own-{name}": b"\0" + request(command, OWN) for name, command in commands.items()}
    return {
        "wire": {**{name: b"\x20" + octets for name, octets in requests.items()}, "MAA": b"\0" + answer()},
        "peer": {"CER": b"\0" + cer(), "DWR": b"\1" + dwr, "MAR": b"\1" + requests["MAR"]},
        "mapping": {
            **{f"lent-{name}": b"\0" + octets for name, octets in requests.items()},
            **mine,
            "of-the-hss": b"\1" + request(RTR, OWN, d.DESTINATION_HOST.encode(SCSCF)),
            "of-the-mms": b"\2" + request(RTR, PARTNER, d.DESTINATION_HOST.encode(SCSCF)),
            "of-the-other": b"\3" + request(MAR, ("mig-h@ims.mc2.lab", "sip:mig-h@ims.mc2.lab")),
            "answer": b"\4" + answer(),
        },
        "names": _seeds_of_names(),
        "xml": {
            "plain": b"a@b.lab\nsip:a@b.lab\nsip:as.b.lab\nMESSAGE\nx",
            "escaped": "a&<b>@b.lab\nsip:a@b.lab\nsip:]]>.lab\n\"'\n\u00e9&amp;".encode(),
        },
    }
