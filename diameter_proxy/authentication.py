"""SIP-Auth-Data-Item of migrated users: the scheme gate of the MAR and the checks of the MAA (TS 29.228 §6.3).

Only AKA can be migrated: RAND, AUTN, XRES, CK and IK do not depend on identities, a digest password does.  What is in
an item passes octet for octet.
"""

from struct import Struct
from typing import Final

from diameter_proxy.diameter import dictionary as d
from diameter_proxy.diameter.result_codes import ExperimentalResultCode, ResultCode
from diameter_proxy.diameter.wire import walk_avps
from diameter_proxy.hot_path import SIP_AUTH_DATA_ITEM, SIP_NUMBER_AUTH_ITEMS, TGPP, Edit, avp_at, starts_of, value_at
from diameter_proxy.routing import Refusal

AKA_V1: Final = "Digest-AKAv1-MD5"
RAND_AUTS_OCTETS: Final = 30
AUTHENTICATE_OCTETS: Final = 32
ONE_ITEM: Final = d.SIP_NUMBER_AUTH_ITEMS.encode(1)

_SCHEME: Final = 608
_AUTHENTICATE: Final = 609
_AUTHORIZATION: Final = 610
_ITEM_NUMBER: Final = 613
_READ: Final = frozenset({_SCHEME, _AUTHENTICATE, _AUTHORIZATION, _ITEM_NUMBER})

_pair = Struct(">2I").unpack_from
_word = Struct(">I").unpack_from

_ONE_IS_WANTED: Final = Refusal(
    "exactly one SIP-Auth-Data-Item is wanted", result_code=ResultCode.AVP_OCCURS_TOO_MANY_TIMES
)
_NO_AKA: Final = Refusal(
    "authentication scheme is not AKA", experimental=ExperimentalResultCode.ERROR_AUTH_SCHEME_NOT_SUPPORTED
)
MISSING_ITEM: Final = Refusal("SIP-Auth-Data-Item is missing", result_code=ResultCode.MISSING_AVP)


def gate_request(data: bytes, found: list[int]) -> Refusal | list[Edit]:
    """Let AKA pass: return the edits to a MAR (one vector only, "unknown" as AKAv1), or why it is refused.

    A SIP-Authorization that is not RAND||AUTS is dropped: in old cores it held the Authorization header, and with it
    the identities of this system.
    """
    starts = starts_of(found, SIP_AUTH_DATA_ITEM)
    if not starts:
        return MISSING_ITEM
    if len(starts) > 1:
        return _ONE_IS_WANTED
    start = starts[0]
    inner = _inside(data, start)
    if inner is None or _SCHEME not in inner:
        return _NO_AKA
    scheme = value_at(data, inner[_SCHEME]).lower()
    if scheme != b"unknown" and not scheme.startswith(b"digest-aka"):
        return _NO_AKA
    edits = _one_vector(data, found)
    authorization = inner.get(_AUTHORIZATION)
    is_resync = authorization is not None and len(value_at(data, authorization)) == RAND_AUTS_OCTETS
    if scheme == b"unknown" or (authorization is not None and not is_resync):
        edits.append((start, _rebuilt(data, start, aka=scheme == b"unknown", authorization=is_resync)))
    return edits


def check_answer(data: bytes, found: list[int]) -> Refusal | list[Edit]:
    """Return the edits to a successful MAA (Item-Number, number of items), or why its vector is not passed on."""
    starts = starts_of(found, SIP_AUTH_DATA_ITEM)
    if not starts:
        return _NO_AKA
    if len(starts) > 1:
        return _damaged(f"{len(starts)} items, one was asked for")
    start = starts[0]
    inner = _inside(data, start)
    if inner is None:
        return _damaged("item cannot be read")
    if _SCHEME not in inner or not value_at(data, inner[_SCHEME]).lower().startswith(b"digest-aka"):
        return _NO_AKA
    if _AUTHENTICATE not in inner or len(value_at(data, inner[_AUTHENTICATE])) != AUTHENTICATE_OCTETS:
        return _damaged(f"SIP-Authenticate is not RAND||AUTN of {AUTHENTICATE_OCTETS} octets")
    if _AUTHORIZATION not in inner or not 4 <= len(value_at(data, inner[_AUTHORIZATION])) <= 16:
        return _damaged("SIP-Authorization is not XRES of 4 to 16 octets")
    edits = _one_vector(data, found)
    if _ITEM_NUMBER not in inner:
        item = d.SIP_ITEM_NUMBER.encode(1) + value_at(data, start)
        edits.append((start, d.SIP_AUTH_DATA_ITEM.encode(item)))
    return edits


def _damaged(reason: str) -> Refusal:
    return Refusal(reason, result_code=ResultCode.UNABLE_TO_COMPLY)


def _one_vector(data: bytes, found: list[int]) -> list[Edit]:
    number = found[SIP_NUMBER_AUTH_ITEMS]
    if number and avp_at(data, number) != ONE_ITEM:
        return [(number, ONE_ITEM)]
    return []


def _inside(data: bytes, start: int) -> dict[int, int] | None:
    """Return where each AVP that matters starts inside the group; None: it cannot be read, or one stands twice."""
    inner: dict[int, int] = {}
    at, end = start + 12, start + (_word(data, start + 4)[0] & 0xFFFFFF)
    while at < end:
        if at + 8 > end:
            return None
        code, flags_length = _pair(data, at)
        length = flags_length & 0xFFFFFF
        following = at + (length + 3 & 0x1FFFFFC)
        if length < (12 if flags_length & 0x80000000 else 8) or following > end:
            return None
        if code in _READ and flags_length & 0x80000000 and _word(data, at + 8)[0] == TGPP:
            if code in inner:
                return None
            inner[code] = at
        at = following
    return inner


def _rebuilt(data: bytes, start: int, *, aka: bool, authorization: bool) -> bytes:
    """Return the item with the scheme AKAv1, or without a SIP-Authorization that must not leave."""
    parts: list[bytes] = []
    for span in walk_avps(data, start + 12, start + 12 + len(value_at(data, start))):
        if span.vendor_id == TGPP and span.code == _SCHEME and aka:
            parts.append(d.SIP_AUTHENTICATION_SCHEME.encode(AKA_V1))
        elif span.vendor_id != TGPP or span.code != _AUTHORIZATION or authorization:
            parts.append(data[span.start : span.next])
    return d.SIP_AUTH_DATA_ITEM.encode(b"".join(parts))
