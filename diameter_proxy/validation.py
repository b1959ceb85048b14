"""What is wrong with a request before anybody asks whose it is (RFC 6733 §6.1, §7.1; docs/diameter-proxy.md).

``Refused`` carries the answer.  Realm before application (RFC 6733 §2.7); what is malformed before all else.
"""

from typing import Final

from diameter_proxy.diameter import dictionary as d
from diameter_proxy.diameter.commands import CX, LIR, MAR, PPR, RTR, SAR, UAR
from diameter_proxy.diameter.errors import PermanentFailure
from diameter_proxy.diameter.result_codes import ResultCode
from diameter_proxy.diameter.wire import ERROR, PROXIABLE, walk_avps
from diameter_proxy.hot_path import (
    ASSOCIATED_IDENTITIES,
    DESTINATION_HOST,
    DESTINATION_REALM,
    PUBLIC_IDENTITY,
    ROUTE_RECORD,
    SLOTS,
    USER_NAME,
    WILDCARDED_IMPU,
    WILDCARDED_PUBLIC_IDENTITY,
    Unreadable,
    avp_at,
    locate,
    starts_of,
    value_at,
)
from diameter_proxy.routing import Refusal

STEP: Final = "10.6.2-3"
_HDR_BITS: Final = Refusal("request with E bit", result_code=ResultCode.INVALID_HDR_BITS, step=STEP)
_LENGTH: Final = Refusal("length is no multiple of 4", result_code=ResultCode.INVALID_MESSAGE_LENGTH, step=STEP)
_NO_PROXY_BIT: Final = Refusal(
    "P bit clear: not to be forwarded", result_code=ResultCode.COMMAND_UNSUPPORTED, step=STEP
)
_LOOP: Final = Refusal("own identity in Route-Record", result_code=ResultCode.LOOP_DETECTED, step=STEP)
_NO_REALM: Final = Refusal(
    "Destination-Realm is missing",
    result_code=ResultCode.MISSING_AVP,
    step=STEP,
    failed_avp=d.DESTINATION_REALM.example(),
)
_OTHER_REALM: Final = Refusal("realm not served", result_code=ResultCode.REALM_NOT_SERVED, step=STEP)
_OTHER_APPLICATION: Final = Refusal(
    "application has no server in the realm", result_code=ResultCode.UNABLE_TO_DELIVER, step=STEP
)
_LOCAL_APPLICATION: Final = Refusal(
    "application not supported here", result_code=ResultCode.APPLICATION_UNSUPPORTED, step=STEP
)


_TOO_MANY: Final = Refusal("identity stands twice", result_code=ResultCode.AVP_OCCURS_TOO_MANY_TIMES, step=STEP)
_IDENTITIES: Final = {
    USER_NAME: d.USER_NAME,
    PUBLIC_IDENTITY: d.PUBLIC_IDENTITY,
    WILDCARDED_PUBLIC_IDENTITY: d.WILDCARDED_PUBLIC_IDENTITY,
    WILDCARDED_IMPU: d.WILDCARDED_IMPU,
    ASSOCIATED_IDENTITIES: d.ASSOCIATED_IDENTITIES,
}
_ONCE: Final = {
    command.code: frozenset(slot for slot, avp in _IDENTITIES.items() if avp in (*command.required, *command.once))
    for command in (UAR, SAR, LIR, MAR, RTR, PPR)
}
"""Identities that a command may name once, by its grammar."""


class Refused(Exception):
    """The request is answered by us, with this refusal."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.reason)
        self.refusal = refusal


def read(data: bytes, avps_max: int) -> list[int]:
    """Return where the AVPs of a request lie.

    Raises:
        Refused: 5015, 3008, 5014 with Failed-AVP, or 5012 when there are too many.
    """
    if len(data) & 3:
        raise Refused(_LENGTH)
    if data[4] & ERROR:
        raise Refused(_HDR_BITS)
    try:
        return locate(data, avps_max)
    except Unreadable as exc:
        if exc.too_many:
            refusal = Refusal(f"over {avps_max} AVPs", result_code=ResultCode.UNABLE_TO_COMPLY, step=STEP)
        else:
            refusal = _invalid_length(data, exc.start)
        raise Refused(refusal) from exc


def check(data: bytes, found: list[int], origin_host: bytes, realms: frozenset[bytes]) -> None:
    """Hold a request against what RFC 6733 asks of one that a proxy passes on; ``realms`` are those that it may name.

    Raises:
        Refused: 3001, 3002, 3003, 3005, 3007 or 5005.
    """
    if not data[4] & PROXIABLE:
        raise Refused(_NO_PROXY_BIT)
    if found[ROUTE_RECORD] and _is_named_in_route_records(data, found, origin_host):
        raise Refused(_LOOP)
    if not found[DESTINATION_REALM]:
        raise Refused(_NO_REALM)
    if value_at(data, found[DESTINATION_REALM]).lower() not in realms:
        raise Refused(_OTHER_REALM)
    if int.from_bytes(data[8:12], "big") != CX:
        is_ours = found[DESTINATION_HOST] and value_at(data, found[DESTINATION_HOST]).lower() == origin_host
        raise Refused(_LOCAL_APPLICATION if is_ours else _OTHER_APPLICATION)


def _is_named_in_route_records(data: bytes, found: list[int], origin_host: bytes) -> bool:
    octets = len(origin_host)
    lengths = ((8 + octets).to_bytes(3, "big"), (12 + octets).to_bytes(3, "big"))  # first, for there may be hundreds
    return any(
        data[start + 5 : start + 8] in lengths and value_at(data, start).lower() == origin_host
        for start in starts_of(found, ROUTE_RECORD)
    )


def check_once(data: bytes, found: list[int], command: int) -> None:
    """Return when no identity stands more often than the command's grammar allows (TS 29.229 §6.1).

    Two User-Names would be read as one by us and as the other by the HSS.

    Raises:
        Refused: 5009 with the first that is too many.
    """
    once = _ONCE.get(command, ())
    for index in range(SLOTS, len(found), 2):
        if found[index] in once:
            raise Refused(_TOO_MANY._replace(failed_avp=avp_at(data, found[index + 1])))


def further_identities(data: bytes, found: list[int]) -> list[bytes]:
    """Return the identities that a request names beside User-Name and Public-Identity; they count in the pair check.

    Wildcarded-Public-Identity, Wildcarded-IMPU, and the User-Names inside Associated-Identities (TS 29.229 §6.3).
    """
    named: list[bytes] = []
    for slot in (WILDCARDED_PUBLIC_IDENTITY, WILDCARDED_IMPU):
        if found[slot]:
            named += [value_at(data, start) for start in starts_of(found, slot)]
    if found[ASSOCIATED_IDENTITIES]:
        for start in starts_of(found, ASSOCIATED_IDENTITIES):
            named += _user_names_inside(data, start)
    return named


def _user_names_inside(data: bytes, start: int) -> list[bytes]:
    value = value_at(data, start)
    try:
        spans = [span for span in walk_avps(value, 0, len(value)) if span.code == d.USER_NAME.code]
    except PermanentFailure as exc:
        refusal = Refusal("AVP length", result_code=ResultCode.INVALID_AVP_LENGTH, step=STEP, failed_avp=exc.failed_avp)
        raise Refused(refusal) from exc
    return [value[span.value : span.end] for span in spans if span.vendor_id == 0]


def _invalid_length(data: bytes, start: int) -> Refusal:
    failed_avp = b""
    try:
        for _ in walk_avps(data, start):
            pass
    except PermanentFailure as exc:
        failed_avp = exc.failed_avp
    return Refusal("AVP length", result_code=ResultCode.INVALID_AVP_LENGTH, step=STEP, failed_avp=failed_avp)
