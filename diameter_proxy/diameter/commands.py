# ruff: noqa: E501 - the tables are wider than prose
"""The commands that we know, as rows: RFC 6733 §5 and TS 29.229 §6.1.

``required`` holds what the ABNF has in ``<>`` and ``{}``, ``once`` what it allows at most one of, ``optional`` what it
allows any number of; ``*[AVP]`` is in every one of them.  "Result-Code or Experimental-Result" is no row of an ABNF.
"""

from dataclasses import dataclass
from typing import Final

from diameter_proxy.diameter import dictionary as d
from diameter_proxy.diameter.dictionary import TGPP as TGPP
from diameter_proxy.diameter.dictionary import AnyAvpType
from diameter_proxy.diameter.wire import PROXIABLE, REQUEST

BASE: Final = 0
CX: Final = 16777216
RELAY: Final = 0xFFFFFFFF
"""Application Id of a relay agent (RFC 6733 §2.4); common with every other."""

Avps = tuple[AnyAvpType, ...]


@dataclass(frozen=True, slots=True)
class CommandType:
    """One command: its name, its key on the wire, the flags it is sent with, and its grammar."""

    name: str
    code: int
    application_id: int
    flags: int
    section: str
    required: Avps = ()
    once: Avps = ()
    optional: Avps = ()

    @property
    def is_request(self) -> bool:
        """Whether it is the request of its pair."""
        return bool(self.flags & REQUEST)


_ORIGIN: Final[Avps] = (d.ORIGIN_HOST, d.ORIGIN_REALM)
_CAPABILITIES: Final[Avps] = (d.SUPPORTED_VENDOR_ID, d.AUTH_APPLICATION_ID, d.INBAND_SECURITY_ID,
                              d.ACCT_APPLICATION_ID, d.VENDOR_SPECIFIC_APPLICATION_ID)  # fmt: skip
_RESULT: Final[Avps] = (d.RESULT_CODE,)
_ERROR: Final[Avps] = (d.ERROR_MESSAGE,)
_CX: Final[Avps] = (d.SESSION_ID, d.VENDOR_SPECIFIC_APPLICATION_ID, d.AUTH_SESSION_STATE, *_ORIGIN)
_CX_REQUEST: Final[Avps] = (*_CX, d.DESTINATION_REALM)
_CX_ONCE: Final[Avps] = (d.DRMP, d.OC_SUPPORTED_FEATURES)
_CX_MANY: Final[Avps] = (d.SUPPORTED_FEATURES, d.PROXY_INFO, d.ROUTE_RECORD)
_CX_RESULT: Final[Avps] = (d.RESULT_CODE, d.EXPERIMENTAL_RESULT, d.DRMP, d.OC_SUPPORTED_FEATURES, d.OC_OLR,
                           d.ERROR_MESSAGE, d.ERROR_REPORTING_HOST)  # fmt: skip
_CX_ANSWER_MANY: Final[Avps] = (d.SUPPORTED_FEATURES, d.LOAD, d.FAILED_AVP, d.PROXY_INFO, d.ROUTE_RECORD)
_CX_PAIR: Final = REQUEST | PROXIABLE

# fmt: off
CER: Final = CommandType("CER", 257, BASE, REQUEST, "RFC 6733 §5.3.1",
    required=(*_ORIGIN, d.HOST_IP_ADDRESS, d.VENDOR_ID, d.PRODUCT_NAME), once=(d.ORIGIN_STATE_ID, d.FIRMWARE_REVISION), optional=_CAPABILITIES)
CEA: Final = CommandType("CEA", 257, BASE, 0, "RFC 6733 §5.3.2",
    required=(*_RESULT, *_ORIGIN, d.HOST_IP_ADDRESS, d.VENDOR_ID, d.PRODUCT_NAME), once=(d.ORIGIN_STATE_ID, d.FIRMWARE_REVISION, *_ERROR),
    optional=(*_CAPABILITIES, d.FAILED_AVP))
DWR: Final = CommandType("DWR", 280, BASE, REQUEST, "RFC 6733 §5.5.1", required=_ORIGIN, once=(d.ORIGIN_STATE_ID,))
DWA: Final = CommandType("DWA", 280, BASE, 0, "RFC 6733 §5.5.2", required=(*_RESULT, *_ORIGIN), once=(d.ORIGIN_STATE_ID, *_ERROR), optional=(d.FAILED_AVP,))
DPR: Final = CommandType("DPR", 282, BASE, REQUEST, "RFC 6733 §5.4.1", required=(*_ORIGIN, d.DISCONNECT_CAUSE))
DPA: Final = CommandType("DPA", 282, BASE, 0, "RFC 6733 §5.4.2", required=(*_RESULT, *_ORIGIN), once=_ERROR, optional=(d.FAILED_AVP,))

UAR: Final = CommandType("UAR", 300, CX, _CX_PAIR, "TS 29.229 §6.1.1",
    required=(*_CX_REQUEST, d.USER_NAME, d.PUBLIC_IDENTITY, d.VISITED_NETWORK_IDENTIFIER),
    once=(*_CX_ONCE, d.DESTINATION_HOST, d.USER_AUTHORIZATION_TYPE, d.UAR_FLAGS), optional=_CX_MANY)
UAA: Final = CommandType("UAA", 300, CX, PROXIABLE, "TS 29.229 §6.1.2",
    required=_CX, once=(*_CX_RESULT, d.SERVER_NAME, d.SERVER_CAPABILITIES), optional=_CX_ANSWER_MANY)
SAR: Final = CommandType("SAR", 301, CX, _CX_PAIR, "TS 29.229 §6.1.3",
    required=(*_CX_REQUEST, d.SERVER_NAME, d.SERVER_ASSIGNMENT_TYPE, d.USER_DATA_ALREADY_AVAILABLE),
    once=(*_CX_ONCE, d.DESTINATION_HOST, d.USER_NAME, d.WILDCARDED_PUBLIC_IDENTITY, d.WILDCARDED_IMPU, d.SCSCF_RESTORATION_INFO,
          d.MULTIPLE_REGISTRATION_INDICATION, d.SESSION_PRIORITY, d.SAR_FLAGS),
    optional=(*_CX_MANY, d.PUBLIC_IDENTITY))
SAA: Final = CommandType("SAA", 301, CX, PROXIABLE, "TS 29.229 §6.1.4",
    required=_CX,
    once=(*_CX_RESULT, d.USER_NAME, d.USER_DATA, d.CHARGING_INFORMATION, d.ASSOCIATED_IDENTITIES, d.LOOSE_ROUTE_INDICATION,
          d.ASSOCIATED_REGISTERED_IDENTITIES, d.SERVER_NAME, d.WILDCARDED_PUBLIC_IDENTITY, d.PRIVILEDGED_SENDER_INDICATION,
          d.ALLOWED_WAF_WWSF_IDENTITIES),
    optional=(*_CX_ANSWER_MANY, d.SCSCF_RESTORATION_INFO))
LIR: Final = CommandType("LIR", 302, CX, _CX_PAIR, "TS 29.229 §6.1.5",
    required=(*_CX_REQUEST, d.PUBLIC_IDENTITY),
    once=(*_CX_ONCE, d.DESTINATION_HOST, d.ORIGINATING_REQUEST, d.USER_AUTHORIZATION_TYPE, d.SESSION_PRIORITY), optional=_CX_MANY)
LIA: Final = CommandType("LIA", 302, CX, PROXIABLE, "TS 29.229 §6.1.6",
    required=_CX, once=(*_CX_RESULT, d.SERVER_NAME, d.SERVER_CAPABILITIES, d.WILDCARDED_PUBLIC_IDENTITY, d.WILDCARDED_IMPU, d.LIA_FLAGS),
    optional=_CX_ANSWER_MANY)
MAR: Final = CommandType("MAR", 303, CX, _CX_PAIR, "TS 29.229 §6.1.7",
    required=(*_CX_REQUEST, d.USER_NAME, d.PUBLIC_IDENTITY, d.SIP_AUTH_DATA_ITEM, d.SIP_NUMBER_AUTH_ITEMS, d.SERVER_NAME),
    once=(*_CX_ONCE, d.DESTINATION_HOST), optional=_CX_MANY)
MAA: Final = CommandType("MAA", 303, CX, PROXIABLE, "TS 29.229 §6.1.8",
    required=_CX, once=(*_CX_RESULT, d.USER_NAME, d.PUBLIC_IDENTITY, d.SIP_NUMBER_AUTH_ITEMS), optional=(*_CX_ANSWER_MANY, d.SIP_AUTH_DATA_ITEM))
RTR: Final = CommandType("RTR", 304, CX, _CX_PAIR, "TS 29.229 §6.1.9",
    required=(*_CX_REQUEST, d.DESTINATION_HOST, d.USER_NAME, d.DEREGISTRATION_REASON),
    once=(d.DRMP, d.ASSOCIATED_IDENTITIES), optional=(*_CX_MANY, d.PUBLIC_IDENTITY))
RTA: Final = CommandType("RTA", 304, CX, PROXIABLE, "TS 29.229 §6.1.10",
    required=_CX, once=(*_CX_RESULT, d.ASSOCIATED_IDENTITIES), optional=(*_CX_ANSWER_MANY, d.IDENTITY_WITH_EMERGENCY_REGISTRATION))
PPR: Final = CommandType("PPR", 305, CX, _CX_PAIR, "TS 29.229 §6.1.11",
    required=(*_CX_REQUEST, d.DESTINATION_HOST, d.USER_NAME),
    once=(d.DRMP, d.USER_DATA, d.CHARGING_INFORMATION, d.SIP_AUTH_DATA_ITEM, d.ALLOWED_WAF_WWSF_IDENTITIES), optional=_CX_MANY)
PPA: Final = CommandType("PPA", 305, CX, PROXIABLE, "TS 29.229 §6.1.12", required=_CX, once=_CX_RESULT, optional=_CX_ANSWER_MANY)
# fmt: on

ALL: Final[tuple[CommandType, ...]] = tuple(row for row in list(globals().values()) if isinstance(row, CommandType))
BY_KEY: Final[dict[tuple[int, int, bool], CommandType]] = {
    (row.code, row.application_id, row.is_request): row for row in ALL
}
