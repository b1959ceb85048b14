"""The registration state of an identity set, and what each Cx procedure makes of it (TS 29.228 §6).

Pure: a state and the request's facts in, a decision with the next state out. Whether the identities are known and
belong together is decided before (``subscribers``). Left out: restoration, shared S-CSCF between sets of one user
(each set is its own IMS subscription here), services of unregistered users.
"""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from diameter_proxy.diameter.result_codes import ExperimentalResultCode, ResultCode
from diameter_proxy.diameter.values import ServerAssignmentType, UserAuthorizationType
from lab.systems.hss.errors import Refusal


class State(StrEnum):
    """Of an implicit registration set (TS 29.228 §8.1)."""

    NOT_REGISTERED = "not-registered"
    REGISTERED = "registered"
    UNREGISTERED = "unregistered"
    """Not registered, but an S-CSCF keeps the profile."""


# fmt: off
_T = ServerAssignmentType
_REGISTRATIONS: Final   = frozenset({_T.REGISTRATION, _T.RE_REGISTRATION})
_KEEPING: Final         = frozenset({_T.TIMEOUT_DEREGISTRATION_STORE_SERVER_NAME,
                                     _T.USER_DEREGISTRATION_STORE_SERVER_NAME})
_DEREGISTRATIONS: Final = frozenset({_T.TIMEOUT_DEREGISTRATION, _T.USER_DEREGISTRATION,
                                     _T.ADMINISTRATIVE_DEREGISTRATION, _T.DEREGISTRATION_TOO_MUCH_DATA})
_AUTHENTICATIONS: Final = frozenset({_T.AUTHENTICATION_FAILURE, _T.AUTHENTICATION_TIMEOUT})
# fmt: on


@dataclass(frozen=True, slots=True)
class ServingSystem:
    """Who asks: the S-CSCF by Server-Name, and the node that RTR goes to."""

    server_name: str
    origin_host: str
    origin_realm: str


@dataclass(frozen=True, slots=True)
class Registration:
    """What the HSS holds for one identity set (TS 29.228 §6.1.2.1, §6.3.1)."""

    state: State = State.NOT_REGISTERED
    serving: ServingSystem | None = None
    auth_pending: bool = False

    @property
    def server_name(self) -> str | None:
        """The stored S-CSCF name."""
        return None if self.serving is None else self.serving.server_name


CLEARED: Final = Registration()


@dataclass(frozen=True, slots=True)
class Decision:
    """How to answer, and the state afterwards.

    Attributes:
        registration: the state afterwards.
        result_code: Result-Code, unless ``experimental`` is set.
        experimental: Experimental-Result-Code.
        server_name: for the Server-Name AVP.
        with_capabilities: Server-Capabilities are to be sent.
        with_user_data: User-Data is to be sent.
    """

    registration: Registration
    result_code: int | None = ResultCode.SUCCESS
    experimental: int | None = None
    server_name: str | None = None
    with_capabilities: bool = False
    with_user_data: bool = False


def authorize_user(now: Registration, kind: UserAuthorizationType) -> Decision:
    """Decide a UAR (TS 29.228 §6.1.1.1, step 5); never neither Server-Name nor capabilities.

    Raises:
        Refusal: 5003, a de-registration of what has no S-CSCF.
    """
    match kind:
        case UserAuthorizationType.DE_REGISTRATION:
            if now.server_name is None:
                raise Refusal(
                    "nothing to de-register", experimental=ExperimentalResultCode.ERROR_IDENTITY_NOT_REGISTERED
                )
            return Decision(now, server_name=now.server_name)
        case UserAuthorizationType.REGISTRATION_AND_CAPABILITIES:
            return Decision(now, with_capabilities=True)
        case UserAuthorizationType.REGISTRATION:
            pass
    if now.server_name is None:
        return Decision(now, None, ExperimentalResultCode.FIRST_REGISTRATION, with_capabilities=True)
    return Decision(now, None, ExperimentalResultCode.SUBSEQUENT_REGISTRATION, server_name=now.server_name)


def authenticate(now: Registration, asker: ServingSystem, *, resynchronisation: bool) -> Decision:
    """Decide a MAR (TS 29.228 §6.3.1, steps 4 and 5).

    Raises:
        Refusal: 5012, a resynchronisation from an S-CSCF whose name is not the stored one.
    """
    if resynchronisation:
        if now.server_name != asker.server_name:
            raise Refusal("resynchronisation from another S-CSCF", result_code=ResultCode.UNABLE_TO_COMPLY)
        return Decision(now)
    # Registered, and by the same S-CSCF: authentication data only, nothing changes (step 5, first branch).
    if now.state is State.REGISTERED and now.server_name == asker.server_name:
        return Decision(now)
    return Decision(replace(now, serving=asker, auth_pending=True))


def assign_server(
    now: Registration, asker: ServingSystem, kind: ServerAssignmentType, *, user_data_available: bool
) -> Decision:
    """Decide a SAR (TS 29.228 §6.1.2.1, steps 3 and 4).

    Raises:
        Refusal: 5005, another S-CSCF is assigned; 5012, the same for any other type than 1, 2 and 3; 5007, a type
            above 11.
    """
    foreign = now.server_name is not None and now.server_name != asker.server_name
    if kind in _REGISTRATIONS or kind is ServerAssignmentType.UNREGISTERED_USER:
        if foreign:
            raise Refusal(
                "another S-CSCF is assigned", experimental=ExperimentalResultCode.ERROR_IDENTITY_ALREADY_REGISTERED
            )
        state = State.REGISTERED if kind in _REGISTRATIONS else State.UNREGISTERED
        return Decision(Registration(state, asker), with_user_data=not user_data_available)
    if foreign or (kind is ServerAssignmentType.NO_ASSIGNMENT and now.server_name is None):
        raise Refusal("the S-CSCF is not the one assigned", result_code=ResultCode.UNABLE_TO_COMPLY)
    if kind is ServerAssignmentType.NO_ASSIGNMENT:
        return Decision(now, with_user_data=not user_data_available)
    if kind in _KEEPING:
        return Decision(Registration(State.UNREGISTERED, asker))
    if kind in _AUTHENTICATIONS and now.state is not State.NOT_REGISTERED:
        return Decision(replace(now, auth_pending=False))
    if kind in _DEREGISTRATIONS | _AUTHENTICATIONS:
        return Decision(CLEARED)
    raise Refusal("assignment type", experimental=ExperimentalResultCode.ERROR_IN_ASSIGNMENT_TYPE)


def locate(now: Registration) -> Decision:
    """Decide a LIR (TS 29.228 §6.1.4.1).

    Raises:
        Refusal: 5003, no S-CSCF serves the identity.
    """
    if now.state is State.NOT_REGISTERED or now.server_name is None:
        raise Refusal("not registered", experimental=ExperimentalResultCode.ERROR_IDENTITY_NOT_REGISTERED)
    return Decision(now, server_name=now.server_name)
