"""What must not cross CSC-Y: host names of a system's inside, and identities of the other side of a binding.

The table of docs/diameter-proxy.md, leg by leg.  Session-Id is hidden under one of our own (``session_ids``), and
restored from the pending request.  Identities that stray into AVPs which are not mapped are found
in the finished octets, and those AVPs are left out.
"""

from collections.abc import Iterable
from typing import Final

from diameter_proxy.diameter import dictionary as d
from diameter_proxy.diameter.wire import encode_message, walk_avps
from diameter_proxy.hot_path import (
    DESTINATION_HOST,
    DESTINATION_REALM,
    ERROR_MESSAGE,
    ERROR_REPORTING_HOST,
    FAILED_AVP,
    ORIGIN_HOST,
    ORIGIN_REALM,
    ORIGIN_STATE_ID,
    PROXY_INFO,
    ROUTE_RECORD,
    SERVER_NAME,
    SESSION_ID,
    TELLING_OCTETS,
    Edit,
    SessionIds,
    avp_at,
    bare_identity,
    folded,
    starts_of,
)
from diameter_proxy.identity_map import Identities

_ITEM: Final = (d.SIP_AUTH_DATA_ITEM.code, d.SIP_AUTH_DATA_ITEM.vendor_id)
_OF_THE_INSIDE: Final = (DESTINATION_HOST, ORIGIN_STATE_ID, ROUTE_RECORD, PROXY_INFO)
_OF_NO_ANSWER: Final = (
    DESTINATION_HOST, DESTINATION_REALM, ORIGIN_STATE_ID, ROUTE_RECORD, PROXY_INFO, ERROR_MESSAGE, FAILED_AVP,
    SERVER_NAME,
)  # fmt: skip


class TopologyHiding:
    """Our names in place of those of the inside."""

    def __init__(self, origin_host: str, origin_realm: str, secret: bytes) -> None:
        """Take our own names, and a secret of this run (16 to 64 octets), which tells where its Session-Ids begin."""
        self.session_ids: Final = SessionIds(origin_host, secret)
        self.origin_host_avp: Final = d.ORIGIN_HOST.encode(origin_host)
        self.origin_realm_avp: Final = d.ORIGIN_REALM.encode(origin_realm)
        self._error_reporting_host: Final = d.ERROR_REPORTING_HOST.encode(origin_host)
        self._server_name: Final = d.SERVER_NAME.encode(f"sip:{origin_realm}")

    def origin_edits(self, data: bytes, found: list[int]) -> list[Edit]:
        """Return the edits that put our Origin-Host and Origin-Realm in place."""
        return [(found[ORIGIN_HOST], self.origin_host_avp), (found[ORIGIN_REALM], self.origin_realm_avp)]

    def request_edits(self, data: bytes, found: list[int], destination_realm: str) -> list[Edit]:
        """Return the edits to a request that leaves over CSC-Y; identities and authentication items aside.

        Without Destination-Host, so that any proxy of the other system, or an agent before it, can serve.
        """
        edits = self.origin_edits(data, found)
        edits.append((found[SESSION_ID], d.SESSION_ID.encode(self.session_ids.text())))
        edits.append((found[DESTINATION_REALM], d.DESTINATION_REALM.encode(destination_realm)))
        if found[SERVER_NAME]:
            edits.append((found[SERVER_NAME], self._server_name))
        edits += [(start, b"") for slot in _OF_THE_INSIDE if found[slot] for start in starts_of(found, slot)]
        return edits

    def answer_edits(self, data: bytes, found: list[int]) -> list[Edit]:
        """Return the edits to an answer that came over CSC-Y, or that leaves over it; identities aside."""
        edits: list[Edit] = [
            (start, self.origin_host_avp if slot == ORIGIN_HOST else self.origin_realm_avp)
            for slot in (ORIGIN_HOST, ORIGIN_REALM)
            for start in starts_of(found, slot)[:1]
        ]
        edits += [(start, b"") for slot in _OF_NO_ANSWER if found[slot] for start in starts_of(found, slot)]
        reporting = starts_of(found, ERROR_REPORTING_HOST)
        edits += [(start, b"" if number else self._error_reporting_host) for number, start in enumerate(reporting)]
        return edits


def proxy_infos(data: bytes, found: list[int]) -> bytes:
    """Return the Proxy-Info AVPs of a request, for its answer, in order (RFC 6733 §6.2)."""
    return b"".join(avp_at(data, start) for start in starts_of(found, PROXY_INFO))


def needles_of(identities: Identities, but: Identities = ()) -> frozenset[bytes]:
    """Return the octets, in lower case, by which identities are known in any AVP; what is part of ``but`` may be seen.

    A user part that is long enough to be nobody else's gives its identity away without the domain too.
    """
    seen = [bare_identity(identity).lower() for identity in but]
    bare = {bare_identity(identity).lower() for identity in identities}
    users = {identity.rpartition(b"@")[0] for identity in bare}
    telling = bare.union(user for user in users if len(user) >= TELLING_OCTETS)
    return frozenset(needle for needle in telling if not any(needle in other for other in seen))


def without(message: bytes, needles: Iterable[bytes]) -> bytes:
    """Return the message without the AVPs, of whatever kind, in which one of the needles stands.

    In whatever case of letters, and behind percent escapes.  Of a SIP-Auth-Data-Item only what is inside goes.
    """
    text = folded(message)
    found = [needle for needle in needles if needle in text]
    if not found:
        return message
    kept = _kept(message, 20, len(message), found)
    words = [int.from_bytes(message[at : at + 4], "big") for at in range(0, 20, 4)]
    return encode_message(words[1] >> 24, words[1] & 0xFFFFFF, words[2], words[3], words[4], kept)


def _kept(octets: bytes, start: int, end: int, needles: list[bytes]) -> list[bytes]:
    kept: list[bytes] = []
    for span in walk_avps(octets, start, end):
        avp = octets[span.start : span.next]
        text = folded(avp)
        if not any(needle in text for needle in needles):
            kept.append(avp)
        elif (span.code, span.vendor_id) == _ITEM:
            kept.append(d.SIP_AUTH_DATA_ITEM.encode(b"".join(_kept(octets, span.value, span.end, needles))))
    return kept
