"""A neighbour of the proxy on a real node: an S-CSCF, an HSS or an MMS, with the messages that each of them sends."""

import asyncio

from diameter_proxy.diameter import dictionary as d
from diameter_proxy.diameter.commands import CX, LIR, MAR, RTR, SAR, TGPP, UAR
from diameter_proxy.diameter.message import Message, encode_answer, encode_request
from diameter_proxy.diameter.wire import REQUEST

DEADLINE_S = 30.0
PATIENT = {"aaa_2_s": 60.0, "csc_y_s": 45.0, "hss_s": 30.0, "attempt_s": 20.0, "look_up_s": 10.0}
"""``[budgets]`` for tests that are not about them: ours waits for a machine under load."""
VSAI = d.VENDOR_SPECIFIC_APPLICATION_ID.encode(d.VENDOR_ID.encode(TGPP) + d.AUTH_APPLICATION_ID.encode(CX))
AKA = "Digest-AKAv1-MD5"
RAND_AUTN = bytes(range(32))
XRES = bytes.fromhex("a1a2a3a4a5a6a7a8")


def vector(scheme=AKA, authenticate=RAND_AUTN, xres=XRES, item_number=1):
    """Return a SIP-Auth-Data-Item as an HSS makes it (TS 29.229 §6.3.13)."""
    parts = [d.SIP_ITEM_NUMBER.encode(item_number)] if item_number else []
    parts += [
        d.SIP_AUTHENTICATION_SCHEME.encode(scheme),
        d.SIP_AUTHENTICATE.encode(authenticate),
        d.SIP_AUTHORIZATION.encode(xres),
        d.CONFIDENTIALITY_KEY.encode(bytes(16)),
        d.INTEGRITY_KEY.encode(bytes(range(16))),
    ]
    return d.SIP_AUTH_DATA_ITEM.encode(b"".join(parts))


class Station:
    """A neighbour: answers requests with ``answer(message) -> octets | None`` and keeps what it got."""

    def __init__(self, host, realm):
        self.host, self.realm = host, realm
        self.got = []
        self.answer = lambda message: None
        self.node = None
        self._session = 0

    def on_request(self, peer, octets):
        message = Message.decode(octets)
        self.got.append(message)
        answer = self.answer(message)
        if asyncio.iscoroutine(answer):
            raise TypeError("answer now or send later")
        if answer is not None:
            self.node.send(peer, answer)

    def success(self, message, *avps, result_code=2001, experimental=None, flags=None):
        """Return an answer in this station's name."""
        result = {"experimental": experimental} if experimental else {"result_code": result_code}
        return encode_answer(message, origin_host=self.host, origin_realm=self.realm, avps=avps, **result)

    def multimedia_auth(self, message, *items, user_name=None, public=None):
        """Return an MAA with the identities asked for, unless told others."""
        avps = [
            d.USER_NAME.encode(user_name or message.require(d.USER_NAME)),
            d.PUBLIC_IDENTITY.encode(public or message.require(d.PUBLIC_IDENTITY)),
            d.SIP_NUMBER_AUTH_ITEMS.encode(1),
            *(items or (vector(),)),
        ]
        return self.success(message, *avps)

    def common(self, realm, host=None):
        """Return the AVPs that every Cx request of Kamailio begins with."""
        self._session += 1
        avps = [
            d.SESSION_ID.encode(f"{self.host};42;{self._session}"),
            VSAI,
            d.AUTH_SESSION_STATE.encode(1),
            d.ORIGIN_HOST.encode(self.host),
            d.ORIGIN_REALM.encode(self.realm),
            d.DESTINATION_REALM.encode(realm),
        ]
        return avps + ([d.DESTINATION_HOST.encode(host)] if host else [])

    def request(self, command, *avps, realm=None, host=None, end_to_end=None):
        """Return a request of this station."""
        number = self.node.next_end_to_end() if end_to_end is None else end_to_end
        common = self.common(realm or self.realm, host)
        return encode_request(command, end_to_end=number, avps=[*common, *avps])

    def mar(self, impi, impu, *, item=None, number=1, more=(), **rest):
        """Return a MAR as Kamailio's S-CSCF sends it."""
        avps = [
            d.PUBLIC_IDENTITY.encode(impu),
            d.USER_NAME.encode(impi),
            d.SIP_NUMBER_AUTH_ITEMS.encode(number),
            item or d.SIP_AUTH_DATA_ITEM.encode(d.SIP_AUTHENTICATION_SCHEME.encode(AKA)),
            d.SERVER_NAME.encode(f"sip:{self.host}:6060"),
            *more,
        ]
        return self.request(MAR, *avps, **rest)

    def uar(self, impi, impu, **rest):
        """Return a UAR as Kamailio's I-CSCF sends it."""
        visited = d.VISITED_NETWORK_IDENTIFIER.encode(self.realm.encode())
        return self.request(UAR, d.USER_NAME.encode(impi), d.PUBLIC_IDENTITY.encode(impu), visited, **rest)

    def sar(self, impi, impu, kind=1, server_name=None, **rest):
        """Return a SAR as Kamailio's S-CSCF sends it, its stray AVP 494 of vendor 50 included."""
        stray = bytes.fromhex("000001eec00000130000003263616c6c2d696400")
        avps = (
            stray,
            d.PUBLIC_IDENTITY.encode(impu),
            d.SERVER_NAME.encode(server_name or f"sip:{self.host}:6060"),
            d.USER_NAME.encode(impi),
            d.SERVER_ASSIGNMENT_TYPE.encode(kind),
            d.USER_DATA_ALREADY_AVAILABLE.encode(0),
        )
        return self.request(SAR, *avps, **rest)

    def lir(self, impu, **rest):
        """Return a LIR."""
        return self.request(LIR, d.PUBLIC_IDENTITY.encode(impu), **rest)

    def rtr(self, impi, *impus, host, **rest):
        """Return an RTR."""
        reason = d.DEREGISTRATION_REASON.encode(d.REASON_CODE.encode(0))
        return self.request(
            RTR, d.USER_NAME.encode(impi), *map(d.PUBLIC_IDENTITY.encode, impus), reason, host=host, **rest
        )

    async def ask(self, peer, octets, deadline_s=DEADLINE_S):
        """Send a request and return its answer."""
        return Message.decode(await self.node.request(peer, octets, deadline_s))

    def requests(self, command):
        """Return the requests of a kind that came here."""
        return [m for m in self.got if m.header.command_code == command.code and m.header.flags & REQUEST]
