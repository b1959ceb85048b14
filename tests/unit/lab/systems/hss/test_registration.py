"""The registration state as tables (TS 29.228 §6.1.1.1, §6.1.2.1, §6.1.4.1, §6.3.1)."""

import pytest

from diameter_proxy.diameter.values import ServerAssignmentType, UserAuthorizationType
from lab.systems.hss.errors import Refusal
from lab.systems.hss.registration import (
    CLEARED,
    Decision,
    Registration,
    ServingSystem,
    State,
    assign_server,
    authenticate,
    authorize_user,
    locate,
)

A = ServingSystem("sip:a.lab", "a.lab", "lab")
B = ServingSystem("sip:b.lab", "b.lab", "lab")
PENDING = Registration(State.NOT_REGISTERED, A, True)
REGISTERED = Registration(State.REGISTERED, A)
UNREGISTERED = Registration(State.UNREGISTERED, A)
T = ServerAssignmentType
U = UserAuthorizationType


def outcome(decide: object) -> tuple[object, ...]:
    """Return (result_code, experimental, server_name, capabilities, user_data, registration) or the refusal's codes."""
    try:
        decision: Decision = decide()  # type: ignore[operator]
    except Refusal as refusal:
        return refusal.result_code, refusal.experimental
    return (
        decision.result_code,
        decision.experimental,
        decision.server_name,
        decision.with_capabilities,
        decision.with_user_data,
        decision.registration,
    )


# fmt: off
UAR = [
    # now          kind                             result exp.  name           capab. data   after
    (CLEARED,      U.REGISTRATION,                  (None, 2001, None,          True,  False, CLEARED)),
    (PENDING,      U.REGISTRATION,                  (None, 2002, A.server_name, False, False, PENDING)),
    (REGISTERED,   U.REGISTRATION,                  (None, 2002, A.server_name, False, False, REGISTERED)),
    (UNREGISTERED, U.REGISTRATION,                  (None, 2002, A.server_name, False, False, UNREGISTERED)),
    (CLEARED,      U.DE_REGISTRATION,               (None, 5003)),
    (REGISTERED,   U.DE_REGISTRATION,               (2001, None, A.server_name, False, False, REGISTERED)),
    (REGISTERED,   U.REGISTRATION_AND_CAPABILITIES, (2001, None, None,          True,  False, REGISTERED)),
]
# fmt: on


@pytest.mark.parametrize(("now", "kind", "expected"), UAR)
def test_uar(now: Registration, kind: UserAuthorizationType, expected: tuple[object, ...]) -> None:
    """TS 29.228 §6.1.1.1."""
    assert outcome(lambda: authorize_user(now, kind)) == expected


# fmt: off
MAR = [
    # now          asker  resync after, or the refusal
    (CLEARED,      A,     False, PENDING),
    (PENDING,      B,     False, Registration(State.NOT_REGISTERED, B, True)),
    (REGISTERED,   A,     False, REGISTERED),
    (REGISTERED,   B,     False, Registration(State.REGISTERED, B, True)),
    (UNREGISTERED, A,     False, Registration(State.UNREGISTERED, A, True)),
    (PENDING,      A,     True,  PENDING),
    (REGISTERED,   B,     True,  (5012, None)),
    (CLEARED,      A,     True,  (5012, None)),
]
# fmt: on


@pytest.mark.parametrize(("now", "asker", "resynchronisation", "expected"), MAR)
def test_mar(now: Registration, asker: ServingSystem, resynchronisation: bool, expected: object) -> None:
    """TS 29.228 §6.3.1: the name stored at a MAR of another S-CSCF is that S-CSCF's (reassignment)."""
    found = outcome(lambda: authenticate(now, asker, resynchronisation=resynchronisation))
    assert found == (expected if isinstance(expected, tuple) else (2001, None, None, False, False, expected))


# fmt: off
SAR = [
    # now          asker  type                                        known  result
    (PENDING,      A,     T.REGISTRATION,                             False, (2001, True,  REGISTERED)),
    (CLEARED,      A,     T.REGISTRATION,                             True,  (2001, False, REGISTERED)),
    (REGISTERED,   A,     T.RE_REGISTRATION,                          True,  (2001, False, REGISTERED)),
    (REGISTERED,   B,     T.REGISTRATION,                             False, (None, 5005)),
    (UNREGISTERED, B,     T.UNREGISTERED_USER,                        False, (None, 5005)),
    (CLEARED,      A,     T.UNREGISTERED_USER,                        False, (2001, True,  UNREGISTERED)),
    (REGISTERED,   A,     T.NO_ASSIGNMENT,                            False, (2001, True,  REGISTERED)),
    (REGISTERED,   B,     T.NO_ASSIGNMENT,                            False, (5012, None)),
    (CLEARED,      A,     T.NO_ASSIGNMENT,                            False, (5012, None)),
    (REGISTERED,   A,     T.TIMEOUT_DEREGISTRATION,                   False, (2001, False, CLEARED)),
    (REGISTERED,   A,     T.USER_DEREGISTRATION,                      True,  (2001, False, CLEARED)),
    (REGISTERED,   B,     T.USER_DEREGISTRATION,                      True,  (5012, None)),
    (REGISTERED,   A,     T.TIMEOUT_DEREGISTRATION_STORE_SERVER_NAME, True,  (2001, False, UNREGISTERED)),
    (REGISTERED,   A,     T.USER_DEREGISTRATION_STORE_SERVER_NAME,    True,  (2001, False, UNREGISTERED)),
    (REGISTERED,   A,     T.ADMINISTRATIVE_DEREGISTRATION,            True,  (2001, False, CLEARED)),
    (PENDING,      A,     T.AUTHENTICATION_FAILURE,                   True,  (2001, False, CLEARED)),
    (REGISTERED,   A,     T.AUTHENTICATION_TIMEOUT,                   True,  (2001, False, REGISTERED)),
    (REGISTERED,   A,     T.DEREGISTRATION_TOO_MUCH_DATA,             True,  (2001, False, CLEARED)),
    (CLEARED,      A,     T.USER_DEREGISTRATION,                      True,  (2001, False, CLEARED)),
    (REGISTERED,   A,     T.RESTORATION,                              True,  (None, 5007)),
]
# fmt: on


@pytest.mark.parametrize(("now", "asker", "kind", "available", "expected"), SAR)
def test_sar(
    now: Registration, asker: ServingSystem, kind: ServerAssignmentType, available: bool, expected: tuple[object, ...]
) -> None:
    """TS 29.228 §6.1.2.1."""
    found = outcome(lambda: assign_server(now, asker, kind, user_data_available=available))
    assert (found if len(found) == 2 else (found[0], found[4], found[5])) == expected


@pytest.mark.parametrize(
    ("now", "expected"), [(CLEARED, 5003), (PENDING, 5003), (REGISTERED, A.server_name), (UNREGISTERED, A.server_name)]
)
def test_lir(now: Registration, expected: object) -> None:
    """TS 29.228 §6.1.4.1."""
    found = outcome(lambda: locate(now))
    assert (found[1] if len(found) == 2 else found[2]) == expected
