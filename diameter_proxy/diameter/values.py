"""The closed sets behind Enumerated AVPs of the base protocol and of Cx (RFC 6733, TS 29.229 §6.3)."""

from enum import IntEnum


class DisconnectCause(IntEnum):
    """Disconnect-Cause (RFC 6733 §5.4.3)."""

    REBOOTING = 0
    BUSY = 1
    DO_NOT_WANT_TO_TALK_TO_YOU = 2


class AuthSessionState(IntEnum):
    """Auth-Session-State (RFC 6733 §8.11); Cx always says NO_STATE_MAINTAINED (TS 29.229 §6.1)."""

    STATE_MAINTAINED = 0
    NO_STATE_MAINTAINED = 1


class InbandSecurityId(IntEnum):
    """Inband-Security-Id (RFC 6733 §6.10)."""

    NO_INBAND_SECURITY = 0
    TLS = 1


class ServerAssignmentType(IntEnum):
    """Server-Assignment-Type (TS 29.229 §6.3.15)."""

    NO_ASSIGNMENT = 0
    REGISTRATION = 1
    RE_REGISTRATION = 2
    UNREGISTERED_USER = 3
    TIMEOUT_DEREGISTRATION = 4
    USER_DEREGISTRATION = 5
    TIMEOUT_DEREGISTRATION_STORE_SERVER_NAME = 6
    USER_DEREGISTRATION_STORE_SERVER_NAME = 7
    ADMINISTRATIVE_DEREGISTRATION = 8
    AUTHENTICATION_FAILURE = 9
    AUTHENTICATION_TIMEOUT = 10
    DEREGISTRATION_TOO_MUCH_DATA = 11
    AAA_USER_DATA_REQUEST = 12
    PGW_UPDATE = 13
    RESTORATION = 14


class ReasonCode(IntEnum):
    """Reason-Code (TS 29.229 §6.3.17)."""

    PERMANENT_TERMINATION = 0
    NEW_SERVER_ASSIGNED = 1
    SERVER_CHANGE = 2
    REMOVE_S_CSCF = 3


class UserAuthorizationType(IntEnum):
    """User-Authorization-Type (TS 29.229 §6.3.24)."""

    REGISTRATION = 0
    DE_REGISTRATION = 1
    REGISTRATION_AND_CAPABILITIES = 2


class UserDataAlreadyAvailable(IntEnum):
    """User-Data-Already-Available (TS 29.229 §6.3.26)."""

    USER_DATA_NOT_AVAILABLE = 0
    USER_DATA_ALREADY_AVAILABLE = 1


class OriginatingRequest(IntEnum):
    """Originating-Request (TS 29.229 §6.3.34)."""

    ORIGINATING = 0


class LooseRouteIndication(IntEnum):
    """Loose-Route-Indication (TS 29.229 §6.3.45)."""

    LOOSE_ROUTE_NOT_REQUIRED = 0
    LOOSE_ROUTE_REQUIRED = 1


class MultipleRegistrationIndication(IntEnum):
    """Multiple-Registration-Indication (TS 29.229 §6.3.51)."""

    NOT_MULTIPLE_REGISTRATION = 0
    MULTIPLE_REGISTRATION = 1


class SessionPriority(IntEnum):
    """Session-Priority (TS 29.229 §6.3.56)."""

    PRIORITY_0 = 0
    PRIORITY_1 = 1
    PRIORITY_2 = 2
    PRIORITY_3 = 3
    PRIORITY_4 = 4


class PriviledgedSenderIndication(IntEnum):
    """Priviledged-Sender-Indication, spelt as the specification does (TS 29.229 §6.3.58)."""

    NOT_PRIVILEDGED_SENDER = 0
    PRIVILEDGED_SENDER = 1
