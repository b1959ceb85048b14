"""Messages as Kamailio sends them, and a wire that keeps what is sent."""

import pytest

from diameter_proxy.diameter import dictionary as d
from diameter_proxy.diameter.commands import CX, MAR, TGPP
from diameter_proxy.diameter.message import encode_answer, encode_request
from diameter_proxy.identity_map import LentSet
from diameter_proxy.node.errors import PeerCongested, PeerNotOpen
from diameter_proxy.peers import Neighbour, Neighbours
from diameter_proxy.routing import Source

AKA = d.SIP_AUTHENTICATION_SCHEME.encode("Digest-AKAv1-MD5")
SESSION = "scscf.mc2.lab;1;2"
PARTNER = ("mig-p@ims.mc2.lab", "sip:mig-p@ims.mc2.lab")
PRIMARY = ("mig-h@ims.mc1.lab", "sip:mig-h@ims.mc1.lab")
MINIMAL = """
[node]
origin_host = "proxy1.mc1.lab"
origin_realm = "ims.mc1.lab"
[[peers]]
host = "hss.mc1.lab"
realm = "ims.mc1.lab"
group = "hss"
"""
"""The least that a proxy.toml has."""


class Wire:
    """A node that keeps what it is given."""

    def __init__(self):
        self.sent = []
        self.closed = set()
        self.congested = set()
        self.paused = []
        self.count = 0
        self._number = 100

    def send(self, peer, octets):
        if peer in self.closed:
            raise PeerNotOpen(peer)
        if peer in self.congested:
            raise PeerCongested(peer)
        self.sent.append((peer, octets))

    def next_hop_by_hop(self, peer):
        self._number += 1
        return self._number

    def next_end_to_end(self):
        self._number += 1
        return self._number

    def reserve_hop_by_hop(self, peer, count):
        if not self.is_ready(peer):
            return None
        first = self._number + 1
        self._number += count
        return first

    def send_all(self, peer, octets, count):
        self.send(peer, octets)
        self.count += count

    def is_ready(self, peer):
        return peer not in self.closed | self.congested

    def is_open(self, peer):
        return peer not in self.closed

    def pause_source(self, source, destination):
        self.paused.append((source, destination))


class Made:
    """Makers of messages."""

    partner, primary = PARTNER, PRIMARY

    @staticmethod
    def mar(
        identities=PARTNER, *more, item=None, number=1, command=MAR, end_to_end=9, realm="ims.mc2.lab", session=SESSION
    ):
        avps = (
            d.SESSION_ID.encode(session),
            d.VENDOR_SPECIFIC_APPLICATION_ID.encode(d.VENDOR_ID.encode(TGPP) + d.AUTH_APPLICATION_ID.encode(CX)),
            d.AUTH_SESSION_STATE.encode(1),
            d.ORIGIN_HOST.encode("scscf.mc2.lab"),
            d.ORIGIN_REALM.encode("ims.mc2.lab"),
            d.DESTINATION_REALM.encode(realm),
            d.PUBLIC_IDENTITY.encode(identities[1]),
            d.USER_NAME.encode(identities[0]),
            d.SIP_NUMBER_AUTH_ITEMS.encode(number),
            d.SIP_AUTH_DATA_ITEM.encode(AKA) if item is None else item,
            d.SERVER_NAME.encode("sip:scscf.mc2.lab:6060"),
            *more,
        )
        return encode_request(command, hop_by_hop=5, end_to_end=end_to_end, avps=avps)

    @staticmethod
    def vector(*parts):
        return d.SIP_AUTH_DATA_ITEM.encode(
            b"".join(
                parts
                or (
                    d.SIP_ITEM_NUMBER.encode(1),
                    AKA,
                    d.SIP_AUTHENTICATE.encode(bytes(32)),
                    d.SIP_AUTHORIZATION.encode(bytes(8)),
                )
            )
        )

    @staticmethod
    def maa(request, identities=PRIMARY, *more, item=None, result_code=2001):
        avps = (
            d.USER_NAME.encode(identities[0]),
            d.PUBLIC_IDENTITY.encode(identities[1]),
            d.SIP_NUMBER_AUTH_ITEMS.encode(1),
            Made.vector() if item is None else item,
            *more,
        )
        return encode_answer(
            request, origin_host="hss.mc1.lab", origin_realm="ims.mc1.lab", result_code=result_code, avps=avps
        )

    @staticmethod
    def lent(**changes):
        fields = {
            "binding": "p",
            "version": 1,
            "is_primary": False,
            "other_mc_system": "mc1",
            "enabled": True,
            "not_after_s": 100.0,
            "identities": tuple(text.encode() for text in PARTNER),
            "counterpart": tuple(text.encode() for text in PRIMARY),
        }
        return LentSet(**{**fields, **changes})

    @staticmethod
    def neighbours():
        return Neighbours(
            [
                Neighbour("scscf.mc2.lab", "ims.mc2.lab", Source.CSCF),
                Neighbour("hss.mc2.lab", "ims.mc2.lab", Source.HSS),
                Neighbour("hss-b.mc2.lab", "ims.mc2.lab", Source.HSS),
                Neighbour("mms.mc2.lab", "ims.mc2.lab", Source.MMS),
                Neighbour("proxy1.mc1.lab", "ims.mc1.lab", Source.PARTNER, "mc1"),
                Neighbour("proxy2.mc1.lab", "ims.mc1.lab", Source.PARTNER, "mc1"),
            ],
            "ims.mc2.lab",
        )


@pytest.fixture
def made():
    return Made


@pytest.fixture
def wire():
    return Wire()


@pytest.fixture
def new_wire():
    return Wire
