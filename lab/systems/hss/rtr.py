"""Registration-Termination: the RTR that an operator asks for, and what its RTA says (TS 29.228 §6.1.3).

Public-Identity AVPs go along always: an S-CSCF of Kamailio never answers an RTR that names a private identity only.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from diameter_proxy.diameter import dictionary as d
from diameter_proxy.diameter.commands import CX, RTR, TGPP
from diameter_proxy.diameter.message import Message, encode_request
from diameter_proxy.diameter.values import AuthSessionState, ReasonCode

VENDOR_SPECIFIC_APPLICATION: Final = d.VENDOR_SPECIFIC_APPLICATION_ID.encode(
    d.VENDOR_ID.encode(TGPP) + d.AUTH_APPLICATION_ID.encode(CX)
)


@dataclass(frozen=True, slots=True)
class Termination:
    """What an RTR says."""

    private_user_identity: str
    public_user_identities: Sequence[str]
    destination_host: str
    destination_realm: str
    reason: ReasonCode = ReasonCode.PERMANENT_TERMINATION
    reason_info: str = ""


def encode_rtr(
    termination: Termination, *, session_id: str, origin_host: str, origin_realm: str, end_to_end: int
) -> bytes:
    """Return the request (TS 29.229 §6.1.9)."""
    reason = d.REASON_CODE.encode(termination.reason)
    if termination.reason_info:
        reason += d.REASON_INFO.encode(termination.reason_info)
    avps = [
        d.SESSION_ID.encode(session_id),
        VENDOR_SPECIFIC_APPLICATION,
        d.AUTH_SESSION_STATE.encode(AuthSessionState.NO_STATE_MAINTAINED),
        d.ORIGIN_HOST.encode(origin_host),
        d.ORIGIN_REALM.encode(origin_realm),
        d.DESTINATION_HOST.encode(termination.destination_host),
        d.DESTINATION_REALM.encode(termination.destination_realm),
        d.USER_NAME.encode(termination.private_user_identity),
        *(d.PUBLIC_IDENTITY.encode(impu) for impu in termination.public_user_identities),
        d.DEREGISTRATION_REASON.encode(reason),
    ]
    return encode_request(RTR, end_to_end=end_to_end, avps=avps)


def decode_rta(octets: bytes) -> int:
    """Return the code of an RTA, whether Result-Code or Experimental-Result; 0 when it has neither.

    Raises:
        DiameterError: it cannot be read.
    """
    result = Message.decode(octets).result()
    return 0 if result is None else result[1]
