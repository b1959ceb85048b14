"""The hot path: where the AVPs of a message lie, and a message with some of them exchanged (RFC 6733 §2.8.2, §4.1).

One pass over the AVP headers, no object per AVP, no copy of what does not change.  ``splice_plain`` states in plain
words what these two functions mean, and a property test holds them equal.  What an AVP is for is decided elsewhere.
"""

from collections.abc import Iterable
from struct import Struct
from typing import Final

# Slots: the AVPs that a proxy on Cx looks at.  A slot is an index into what `locate` returns; slot 0 is nobody's.
SESSION_ID: Final = 1
ORIGIN_HOST: Final = 2
ORIGIN_REALM: Final = 3
DESTINATION_REALM: Final = 4
DESTINATION_HOST: Final = 5
ROUTE_RECORD: Final = 6
PROXY_INFO: Final = 7
USER_NAME: Final = 8
RESULT_CODE: Final = 9
EXPERIMENTAL_RESULT: Final = 10
ERROR_MESSAGE: Final = 11
ERROR_REPORTING_HOST: Final = 12
FAILED_AVP: Final = 13
ORIGIN_STATE_ID: Final = 14
PUBLIC_IDENTITY: Final = 15
SERVER_NAME: Final = 16
SIP_NUMBER_AUTH_ITEMS: Final = 17
SIP_AUTH_DATA_ITEM: Final = 18
SERVER_ASSIGNMENT_TYPE: Final = 19
WILDCARDED_PUBLIC_IDENTITY: Final = 20
WILDCARDED_IMPU: Final = 21
ASSOCIATED_IDENTITIES: Final = 22
SLOTS: Final = 23

# fmt: off
BASE_SLOTS: Final[dict[int, int]] = {
    263: SESSION_ID, 264: ORIGIN_HOST, 296: ORIGIN_REALM, 283: DESTINATION_REALM, 293: DESTINATION_HOST,
    282: ROUTE_RECORD, 284: PROXY_INFO, 1: USER_NAME, 268: RESULT_CODE, 297: EXPERIMENTAL_RESULT,
    281: ERROR_MESSAGE, 294: ERROR_REPORTING_HOST, 279: FAILED_AVP, 278: ORIGIN_STATE_ID,
}
TGPP_SLOTS: Final[dict[int, int]] = {
    601: PUBLIC_IDENTITY, 602: SERVER_NAME, 607: SIP_NUMBER_AUTH_ITEMS, 612: SIP_AUTH_DATA_ITEM,
    614: SERVER_ASSIGNMENT_TYPE, 634: WILDCARDED_PUBLIC_IDENTITY, 636: WILDCARDED_IMPU, 632: ASSOCIATED_IDENTITIES,
}
# fmt: on
TGPP: Final = 10415

_HEADER: Final = Struct(">5I")
_pair = Struct(">2I").unpack_from
_word = Struct(">I").unpack_from

Edit = tuple[int, bytes]
"""Put these octets in place of the whole AVP that starts there."""


class Unreadable(Exception):
    """The AVPs of the message cannot be walked to the end.

    Attributes:
        start: where the AVP at fault begins.
        too_many: the limit on the number of AVPs was reached; else a length is wrong.
    """

    def __init__(self, start: int, too_many: bool) -> None:
        super().__init__(f"too many AVPs before octet {start}" if too_many else f"AVP length at octet {start}")
        self.start = start
        self.too_many = too_many


def locate(data: bytes, avps_max: int = 512) -> list[int]:
    """Return where the AVPs of each slot start: ``found[slot]`` is the first one's octet, 0 when there is none.

    After the first ``SLOTS`` numbers come pairs (slot, start) for each further AVP of a slot that is taken, in order.

    Raises:
        Unreadable: an AVP overruns the message or is shorter than its header, or there are over ``avps_max``.
    """
    found = [0] * SLOTS
    end = len(data)
    last = end - 8
    at = 20
    left = avps_max
    while at <= last:
        code, flags_length = _pair(data, at)
        length = flags_length & 0xFFFFFF
        if flags_length & 0x80000000:
            if length < 12 or at + length > end:
                raise Unreadable(at, False)
            slot = TGPP_SLOTS.get(code, 0)
            if slot and _word(data, at + 8)[0] != TGPP:
                slot = 0
            following = at + (length + 3 & 0x1FFFFFC)
            if following > end:
                raise Unreadable(at, False)
        else:
            slot = BASE_SLOTS.get(code, 0)
            if length == 8:  # empty: no octet of a message costs more than where it is made of these
                following = at + 8
            else:
                following = at + (length + 3 & 0x1FFFFFC)
                if length < 8 or following > end:
                    raise Unreadable(at, False)
        left -= 1
        if left < 0:
            raise Unreadable(at, True)
        if slot:
            if found[slot]:
                found.append(slot)
                found.append(at)
            else:
                found[slot] = at
        at = following
    if at < end:
        raise Unreadable(at, False)
    return found


def splice(data: bytes, flags: int, hop_by_hop: int, edits: Iterable[Edit] = (), appended: bytes = b"") -> bytes:
    """Return the message with other command flags, another Hop-by-Hop, the edits made and ``appended`` at its end.

    Everything else passes octet for octet, in the order in which it came.  ``edits`` name whole top-level AVPs by
    their first octet, each once.  End-to-End never changes.
    """
    chunks = []
    kept = 20
    for start, octets in sorted(edits):
        chunks.append(data[kept:start])
        chunks.append(octets)
        kept = start + ((_word(data, start + 4)[0] & 0xFFFFFF) + 3 & 0x1FFFFFC)
    chunks.append(data[kept:])
    chunks.append(appended)
    body = b"".join(chunks)
    _, flags_code, application_id, _, end_to_end = _HEADER.unpack_from(data)
    flags_code = flags << 24 | flags_code & 0xFFFFFF
    return _HEADER.pack(0x01000014 + len(body), flags_code, application_id, hop_by_hop, end_to_end) + body


def value_at(data: bytes, start: int) -> bytes:
    """Return the data of the AVP that starts there."""
    flags_length = _word(data, start + 4)[0]
    return data[start + (12 if flags_length & 0x80000000 else 8) : start + (flags_length & 0xFFFFFF)]


def avp_at(data: bytes, start: int) -> bytes:
    """Return the whole AVP that starts there, with its padding."""
    return data[start : start + ((_word(data, start + 4)[0] & 0xFFFFFF) + 3 & 0x1FFFFFC)]


def starts_of(found: list[int], slot: int) -> list[int]:
    """Return where all AVPs of a slot start, in order."""
    first = found[slot]
    if not first:
        return []
    return [first] + [found[i + 1] for i in range(SLOTS, len(found), 2) if found[i] == slot]


def span_at(data: bytes, start: int) -> tuple[int, int, int]:
    """Return where the data of the AVP that starts there begins and ends, and where the next AVP starts."""
    flags_length = _word(data, start + 4)[0]
    end = start + (flags_length & 0xFFFFFF)
    return start + (12 if flags_length & 0x80000000 else 8), end, start + ((flags_length & 0xFFFFFF) + 3 & 0x1FFFFFC)


VECTOR_VALUES: Final = frozenset({609, 610, 625, 626})
"""What is fresh in each SIP-Auth-Data-Item: SIP-Authenticate, SIP-Authorization, CK and IK (TS 29.229 §6.3.13)."""


def inner_values(data: bytes, start: int) -> list[tuple[int, int]]:
    """Return where the data of each such AVP in a readable SIP-Auth-Data-Item begins and ends."""
    values = []
    at, last, _ = span_at(data, start)
    while at < last:
        value, end, following = span_at(data, at)
        if _word(data, at)[0] in VECTOR_VALUES and value - at == 12 and _word(data, at + 8)[0] == TGPP:
            values.append((value, end))
        at = following
    return values
