# ruff: noqa: E501 - the tables are wider than prose
"""The AVPs that we know, as rows: RFC 6733 §4.5 and TS 29.229 §6.3, with what Cx borrows from others.

An AVP that is no row here still passes through every other module, octet for octet.
"""

from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

from diameter_proxy.diameter import values as v
from diameter_proxy.diameter.errors import PermanentFailure
from diameter_proxy.diameter.formats import (
    ADDRESS,
    DIAMETER_IDENTITY,
    DIAMETER_URI,
    GROUPED,
    OCTET_STRING,
    UNSIGNED_32,
    UNSIGNED_64,
    UTF8_STRING,
    Format,
    WrongLength,
    WrongValue,
    enumerated,
)
from diameter_proxy.diameter.result_codes import ResultCode
from diameter_proxy.diameter.wire import AVP_MANDATORY, encode_avp

T = TypeVar("T")

TGPP: Final = 10415
"""The vendor number of 3GPP."""


@dataclass(frozen=True, slots=True)
class AvpType(Generic[T]):
    """One AVP: its name, its key on the wire, its format, and whether we send it with the M bit."""

    name: str
    code: int
    vendor_id: int
    format: Format[T]
    mandatory: bool
    section: str

    @property
    def flags(self) -> int:
        """The flags that we send, without the V bit, which follows from the vendor."""
        return AVP_MANDATORY if self.mandatory else 0

    def encode(self, value: T) -> bytes:
        """Return the whole AVP, padded.

        Raises:
            ValueError: the value has no such format.
        """
        return encode_avp(self.code, self.format.encode(value), self.vendor_id, self.flags)

    def decode(self, data: bytes) -> T:
        """Return the value of an AVP's data.

        Raises:
            PermanentFailure: INVALID_AVP_LENGTH (5014) or INVALID_AVP_VALUE (5004), with the AVP.
        """
        try:
            return self.format.decode(data)
        except WrongLength as exc:
            raise self._failure(ResultCode.INVALID_AVP_LENGTH, exc, data) from exc
        except WrongValue as exc:
            raise self._failure(ResultCode.INVALID_AVP_VALUE, exc, data) from exc

    def example(self) -> bytes:
        """Return the AVP with the least zero-filled data, to say in a Failed-AVP that it is missing (RFC 6733 §7.5)."""
        return encode_avp(self.code, bytes(self.format.octets_min), self.vendor_id, self.flags)

    def _failure(self, code: ResultCode, exc: Exception, data: bytes) -> PermanentFailure:
        failed_avp = encode_avp(self.code, data, self.vendor_id, self.flags)
        return PermanentFailure(code, f"{self.name}: {exc}", failed_avp)


# fmt: off
# RFC 6733 and what it imports                     name                        code vendor format               M     specification
USER_NAME                             = AvpType("User-Name",                             1, 0, UTF8_STRING,       True,  "RFC 6733 §8.14")
CLASS                                 = AvpType("Class",                                25, 0, OCTET_STRING,      True,  "RFC 6733 §8.20")
PROXY_STATE                           = AvpType("Proxy-State",                          33, 0, OCTET_STRING,      True,  "RFC 6733 §6.7.4")
HOST_IP_ADDRESS                       = AvpType("Host-IP-Address",                     257, 0, ADDRESS,           True,  "RFC 6733 §5.3.5")
AUTH_APPLICATION_ID                   = AvpType("Auth-Application-Id",                 258, 0, UNSIGNED_32,       True,  "RFC 6733 §6.8")
ACCT_APPLICATION_ID                   = AvpType("Acct-Application-Id",                 259, 0, UNSIGNED_32,       True,  "RFC 6733 §6.9")
VENDOR_SPECIFIC_APPLICATION_ID        = AvpType("Vendor-Specific-Application-Id",      260, 0, GROUPED,           True,  "RFC 6733 §6.11")
REDIRECT_HOST_USAGE                   = AvpType("Redirect-Host-Usage",                 261, 0, UNSIGNED_32,       True,  "RFC 6733 §6.13")
REDIRECT_MAX_CACHE_TIME               = AvpType("Redirect-Max-Cache-Time",             262, 0, UNSIGNED_32,       True,  "RFC 6733 §6.14")
SESSION_ID                            = AvpType("Session-Id",                          263, 0, UTF8_STRING,       True,  "RFC 6733 §8.8")
ORIGIN_HOST                           = AvpType("Origin-Host",                         264, 0, DIAMETER_IDENTITY, True,  "RFC 6733 §6.3")
SUPPORTED_VENDOR_ID                   = AvpType("Supported-Vendor-Id",                 265, 0, UNSIGNED_32,       True,  "RFC 6733 §5.3.6")
VENDOR_ID                             = AvpType("Vendor-Id",                           266, 0, UNSIGNED_32,       True,  "RFC 6733 §5.3.3")
FIRMWARE_REVISION                     = AvpType("Firmware-Revision",                   267, 0, UNSIGNED_32,       False, "RFC 6733 §5.3.4")
RESULT_CODE                           = AvpType("Result-Code",                         268, 0, UNSIGNED_32,       True,  "RFC 6733 §7.1")
PRODUCT_NAME                          = AvpType("Product-Name",                        269, 0, UTF8_STRING,       False, "RFC 6733 §5.3.7")
DISCONNECT_CAUSE                      = AvpType("Disconnect-Cause",                    273, 0, enumerated(v.DisconnectCause), True, "RFC 6733 §5.4.3")
AUTH_SESSION_STATE                    = AvpType("Auth-Session-State",                  277, 0, enumerated(v.AuthSessionState), True, "RFC 6733 §8.11")
ORIGIN_STATE_ID                       = AvpType("Origin-State-Id",                     278, 0, UNSIGNED_32,       True,  "RFC 6733 §8.16")
FAILED_AVP                            = AvpType("Failed-AVP",                          279, 0, GROUPED,           True,  "RFC 6733 §7.5")
PROXY_HOST                            = AvpType("Proxy-Host",                          280, 0, DIAMETER_IDENTITY, True,  "RFC 6733 §6.7.3")
ERROR_MESSAGE                         = AvpType("Error-Message",                       281, 0, UTF8_STRING,       False, "RFC 6733 §7.3")
ROUTE_RECORD                          = AvpType("Route-Record",                        282, 0, DIAMETER_IDENTITY, True,  "RFC 6733 §6.7.1")
DESTINATION_REALM                     = AvpType("Destination-Realm",                   283, 0, DIAMETER_IDENTITY, True,  "RFC 6733 §6.6")
PROXY_INFO                            = AvpType("Proxy-Info",                          284, 0, GROUPED,           True,  "RFC 6733 §6.7.2")
REDIRECT_HOST                         = AvpType("Redirect-Host",                       292, 0, DIAMETER_URI,      True,  "RFC 6733 §6.12")
DESTINATION_HOST                      = AvpType("Destination-Host",                    293, 0, DIAMETER_IDENTITY, True,  "RFC 6733 §6.5")
ERROR_REPORTING_HOST                  = AvpType("Error-Reporting-Host",                294, 0, DIAMETER_IDENTITY, False, "RFC 6733 §7.4")
ORIGIN_REALM                          = AvpType("Origin-Realm",                        296, 0, DIAMETER_IDENTITY, True,  "RFC 6733 §6.4")
EXPERIMENTAL_RESULT                   = AvpType("Experimental-Result",                 297, 0, GROUPED,           True,  "RFC 6733 §7.6")
EXPERIMENTAL_RESULT_CODE              = AvpType("Experimental-Result-Code",            298, 0, UNSIGNED_32,       True,  "RFC 6733 §7.7")
INBAND_SECURITY_ID                    = AvpType("Inband-Security-Id",                  299, 0, enumerated(v.InbandSecurityId), True, "RFC 6733 §6.10")
DRMP                                  = AvpType("DRMP",                                301, 0, UNSIGNED_32,       False, "RFC 7944 §9.1")
OC_SUPPORTED_FEATURES                 = AvpType("OC-Supported-Features",               621, 0, GROUPED,           False, "RFC 7683 §7.1")
OC_FEATURE_VECTOR                     = AvpType("OC-Feature-Vector",                   622, 0, UNSIGNED_64,       False, "RFC 7683 §7.2")
OC_OLR                                = AvpType("OC-OLR",                              623, 0, GROUPED,           False, "RFC 7683 §7.3")
LOAD                                  = AvpType("Load",                                650, 0, GROUPED,           False, "RFC 8583 §7.1")
# what TS 29.229 borrows: digest and line authentication inside SIP-Auth-Data-Item
FRAMED_IP_ADDRESS                     = AvpType("Framed-IP-Address",                     8, 0, OCTET_STRING,      True,  "RFC 7155 §4.4.10.5.1")
FRAMED_INTERFACE_ID                   = AvpType("Framed-Interface-Id",                  96, 0, UNSIGNED_64,       True,  "RFC 7155 §4.4.10.5.5")
FRAMED_IPV6_PREFIX                    = AvpType("Framed-IPv6-Prefix",                   97, 0, OCTET_STRING,      True,  "RFC 7155 §4.4.10.5.6")
DIGEST_REALM                          = AvpType("Digest-Realm",                        104, 0, UTF8_STRING,       True,  "RFC 4740 §9.5.3")
DIGEST_QOP                            = AvpType("Digest-QoP",                          110, 0, UTF8_STRING,       True,  "RFC 4740 §9.5.4")
DIGEST_ALGORITHM                      = AvpType("Digest-Algorithm",                    111, 0, UTF8_STRING,       True,  "RFC 4740 §9.5.5")
DIGEST_HA1                            = AvpType("Digest-HA1",                          121, 0, UTF8_STRING,       True,  "RFC 4740 §9.5.6")
LINE_IDENTIFIER                       = AvpType("Line-Identifier",                 500, 13019, OCTET_STRING,      False, "TS 29.229 §6.3.42")
# TS 29.229, vendor 3GPP
VISITED_NETWORK_IDENTIFIER            = AvpType("Visited-Network-Identifier",          600, TGPP, OCTET_STRING,   True,  "TS 29.229 §6.3.1")
PUBLIC_IDENTITY                       = AvpType("Public-Identity",                     601, TGPP, UTF8_STRING,    True,  "TS 29.229 §6.3.2")
SERVER_NAME                           = AvpType("Server-Name",                         602, TGPP, UTF8_STRING,    True,  "TS 29.229 §6.3.3")
SERVER_CAPABILITIES                   = AvpType("Server-Capabilities",                 603, TGPP, GROUPED,        True,  "TS 29.229 §6.3.4")
MANDATORY_CAPABILITY                  = AvpType("Mandatory-Capability",                604, TGPP, UNSIGNED_32,    True,  "TS 29.229 §6.3.5")
OPTIONAL_CAPABILITY                   = AvpType("Optional-Capability",                 605, TGPP, UNSIGNED_32,    True,  "TS 29.229 §6.3.6")
USER_DATA                             = AvpType("User-Data",                           606, TGPP, OCTET_STRING,   True,  "TS 29.229 §6.3.7")
SIP_NUMBER_AUTH_ITEMS                 = AvpType("SIP-Number-Auth-Items",               607, TGPP, UNSIGNED_32,    True,  "TS 29.229 §6.3.8")
SIP_AUTHENTICATION_SCHEME             = AvpType("SIP-Authentication-Scheme",           608, TGPP, UTF8_STRING,    True,  "TS 29.229 §6.3.9")
SIP_AUTHENTICATE                      = AvpType("SIP-Authenticate",                    609, TGPP, OCTET_STRING,   True,  "TS 29.229 §6.3.10")
SIP_AUTHORIZATION                     = AvpType("SIP-Authorization",                   610, TGPP, OCTET_STRING,   True,  "TS 29.229 §6.3.11")
SIP_AUTHENTICATION_CONTEXT            = AvpType("SIP-Authentication-Context",          611, TGPP, OCTET_STRING,   True,  "TS 29.229 §6.3.12")
SIP_AUTH_DATA_ITEM                    = AvpType("SIP-Auth-Data-Item",                  612, TGPP, GROUPED,        True,  "TS 29.229 §6.3.13")
SIP_ITEM_NUMBER                       = AvpType("SIP-Item-Number",                     613, TGPP, UNSIGNED_32,    True,  "TS 29.229 §6.3.14")
SERVER_ASSIGNMENT_TYPE                = AvpType("Server-Assignment-Type",              614, TGPP, enumerated(v.ServerAssignmentType), True, "TS 29.229 §6.3.15")
DEREGISTRATION_REASON                 = AvpType("Deregistration-Reason",               615, TGPP, GROUPED,        True,  "TS 29.229 §6.3.16")
REASON_CODE                           = AvpType("Reason-Code",                         616, TGPP, enumerated(v.ReasonCode), True, "TS 29.229 §6.3.17")
REASON_INFO                           = AvpType("Reason-Info",                         617, TGPP, UTF8_STRING,    True,  "TS 29.229 §6.3.18")
CHARGING_INFORMATION                  = AvpType("Charging-Information",                618, TGPP, GROUPED,        True,  "TS 29.229 §6.3.19")
PRIMARY_EVENT_CHARGING_FUNCTION_NAME        = AvpType("Primary-Event-Charging-Function-Name",        619, TGPP, DIAMETER_URI, True, "TS 29.229 §6.3.20")
SECONDARY_EVENT_CHARGING_FUNCTION_NAME      = AvpType("Secondary-Event-Charging-Function-Name",      620, TGPP, DIAMETER_URI, True, "TS 29.229 §6.3.21")
PRIMARY_CHARGING_COLLECTION_FUNCTION_NAME   = AvpType("Primary-Charging-Collection-Function-Name",   621, TGPP, DIAMETER_URI, True, "TS 29.229 §6.3.22")
SECONDARY_CHARGING_COLLECTION_FUNCTION_NAME = AvpType("Secondary-Charging-Collection-Function-Name", 622, TGPP, DIAMETER_URI, True, "TS 29.229 §6.3.23")
USER_AUTHORIZATION_TYPE               = AvpType("User-Authorization-Type",             623, TGPP, enumerated(v.UserAuthorizationType), True, "TS 29.229 §6.3.24")
USER_DATA_ALREADY_AVAILABLE           = AvpType("User-Data-Already-Available",         624, TGPP, enumerated(v.UserDataAlreadyAvailable), True, "TS 29.229 §6.3.26")
CONFIDENTIALITY_KEY                   = AvpType("Confidentiality-Key",                 625, TGPP, OCTET_STRING,   True,  "TS 29.229 §6.3.27")
INTEGRITY_KEY                         = AvpType("Integrity-Key",                       626, TGPP, OCTET_STRING,   True,  "TS 29.229 §6.3.28")
SUPPORTED_FEATURES                    = AvpType("Supported-Features",                  628, TGPP, GROUPED,        True,  "TS 29.229 §6.3.29")
FEATURE_LIST_ID                       = AvpType("Feature-List-ID",                     629, TGPP, UNSIGNED_32,    False, "TS 29.229 §6.3.30")
FEATURE_LIST                          = AvpType("Feature-List",                        630, TGPP, UNSIGNED_32,    False, "TS 29.229 §6.3.31")
SUPPORTED_APPLICATIONS                = AvpType("Supported-Applications",              631, TGPP, GROUPED,        True,  "TS 29.229 §6.3.32")
ASSOCIATED_IDENTITIES                 = AvpType("Associated-Identities",               632, TGPP, GROUPED,        True,  "TS 29.229 §6.3.33")
ORIGINATING_REQUEST                   = AvpType("Originating-Request",                 633, TGPP, enumerated(v.OriginatingRequest), True, "TS 29.229 §6.3.34")
WILDCARDED_PUBLIC_IDENTITY            = AvpType("Wildcarded-Public-Identity",          634, TGPP, UTF8_STRING,    False, "TS 29.229 §6.3.35")
SIP_DIGEST_AUTHENTICATE               = AvpType("SIP-Digest-Authenticate",             635, TGPP, GROUPED,        False, "TS 29.229 §6.3.36")
WILDCARDED_IMPU                       = AvpType("Wildcarded-IMPU",                     636, TGPP, UTF8_STRING,    False, "TS 29.229 §6.3.43")
UAR_FLAGS                             = AvpType("UAR-Flags",                           637, TGPP, UNSIGNED_32,    False, "TS 29.229 §6.3.44")
LOOSE_ROUTE_INDICATION                = AvpType("Loose-Route-Indication",              638, TGPP, enumerated(v.LooseRouteIndication), False, "TS 29.229 §6.3.45")
SCSCF_RESTORATION_INFO                = AvpType("SCSCF-Restoration-Info",              639, TGPP, GROUPED,        False, "TS 29.229 §6.3.46")
PATH                                  = AvpType("Path",                                640, TGPP, OCTET_STRING,   False, "TS 29.229 §6.3.47")
CONTACT                               = AvpType("Contact",                             641, TGPP, OCTET_STRING,   False, "TS 29.229 §6.3.48")
SUBSCRIPTION_INFO                     = AvpType("Subscription-Info",                   642, TGPP, GROUPED,        False, "TS 29.229 §6.3.49")
CALL_ID_SIP_HEADER                    = AvpType("Call-ID-SIP-Header",                  643, TGPP, OCTET_STRING,   False, "TS 29.229 §6.3.49.1")
FROM_SIP_HEADER                       = AvpType("From-SIP-Header",                     644, TGPP, OCTET_STRING,   False, "TS 29.229 §6.3.49.2")
TO_SIP_HEADER                         = AvpType("To-SIP-Header",                       645, TGPP, OCTET_STRING,   False, "TS 29.229 §6.3.49.3")
RECORD_ROUTE                          = AvpType("Record-Route",                        646, TGPP, OCTET_STRING,   False, "TS 29.229 §6.3.49.4")
ASSOCIATED_REGISTERED_IDENTITIES      = AvpType("Associated-Registered-Identities",    647, TGPP, GROUPED,        False, "TS 29.229 §6.3.50")
MULTIPLE_REGISTRATION_INDICATION      = AvpType("Multiple-Registration-Indication",    648, TGPP, enumerated(v.MultipleRegistrationIndication), False, "TS 29.229 §6.3.51")
RESTORATION_INFO                      = AvpType("Restoration-Info",                    649, TGPP, GROUPED,        False, "TS 29.229 §6.3.52")
SESSION_PRIORITY                      = AvpType("Session-Priority",                    650, TGPP, enumerated(v.SessionPriority), False, "TS 29.229 §6.3.56")
IDENTITY_WITH_EMERGENCY_REGISTRATION  = AvpType("Identity-with-Emergency-Registration", 651, TGPP, GROUPED,       False, "TS 29.229 §6.3.57")
PRIVILEDGED_SENDER_INDICATION         = AvpType("Priviledged-Sender-Indication",       652, TGPP, enumerated(v.PriviledgedSenderIndication), False, "TS 29.229 §6.3.58")
LIA_FLAGS                             = AvpType("LIA-Flags",                           653, TGPP, UNSIGNED_32,    False, "TS 29.229 §6.3.59")
INITIAL_CSEQ_SEQUENCE_NUMBER          = AvpType("Initial-CSeq-Sequence-Number",        654, TGPP, UNSIGNED_32,    False, "TS 29.229 §6.3.62")
SAR_FLAGS                             = AvpType("SAR-Flags",                           655, TGPP, UNSIGNED_32,    False, "TS 29.229 §6.3.63")
ALLOWED_WAF_WWSF_IDENTITIES           = AvpType("Allowed-WAF-WWSF-Identities",         656, TGPP, GROUPED,        False, "TS 29.229 §6.3.64")
WEBRTC_AUTHENTICATION_FUNCTION_NAME   = AvpType("WebRTC-Authentication-Function-Name", 657, TGPP, UTF8_STRING,    False, "TS 29.229 §6.3.65")
WEBRTC_WEB_SERVER_FUNCTION_NAME       = AvpType("WebRTC-Web-Server-Function-Name",     658, TGPP, UTF8_STRING,    False, "TS 29.229 §6.3.66")
# fmt: on

AnyAvpType = AvpType[Any]
ALL: Final[tuple[AnyAvpType, ...]] = tuple(row for row in list(globals().values()) if isinstance(row, AvpType))
BY_KEY: Final[dict[tuple[int, int], AnyAvpType]] = {(row.code, row.vendor_id): row for row in ALL}
