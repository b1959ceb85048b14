"""Clocks five minutes apart: real servers, the one of them under Debian's ``faketime``.

The rule that docs/operations.md states: a moment is absolute, and each server judges it by its own clock, with the
leeway that is configured for tokens and with none for validity.
"""

import signal
import time
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.waiting import wait_until

AHEAD, BEHIND = 300, -300
DETAILS = "/csc-4/v1/partner-mc-system-connection-details"
CONFIGURATION = "/csc-4/v1/initial-ue-configuration"
EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
SOON_S = 15
PATIENT = "leeway_s = 330"
SHORT = "[lifetimes]\naccess_token_s = 60\n"


def log_in(system: Any, user: str = "alice") -> str:
    """Return an access token of the real identity management server."""
    form = {"grant_type": "password", "client_id": "mc-client", "username": user, "password": f"{user}-secret"}
    with system.client() as client:
        token: str = client.post(system.url("idms") + "/token", data=form).json()["access_token"]
    return token


def bindings(system: Any) -> list[dict[str, Any]]:
    with system.client("admin") as client:
        found: list[dict[str, Any]] = client.get(system.url("mms") + "/csc-x/v1/bindings").json()
    return found


def moment(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def ask(system: Any, token: str) -> Any:
    """Steps 1 to 13 for alice, who is in the area of mc2."""
    body = {
        "location_information": {"coordinates": {"latitude": 60.5, "longitude": 26.5}},
        "mc_service_ids": ["sip:alice@mc1.lab"],
        "default_identities": {
            "private_user_identity": "alice@ims.mc1.lab",
            "public_user_identities": ["sip:alice@ims.mc1.lab"],
        },
    }
    with system.client() as client:
        return client.post(system.url("cms") + DETAILS, json=body, headers={"Authorization": f"Bearer {token}"})


@pytest.fixture(scope="module", params=[AHEAD, BEHIND], ids=["ahead", "behind"])
def offset_s(request: pytest.FixtureRequest) -> int:
    return int(request.param)


@pytest.fixture(scope="module")
def systems(offset_s: int, make_system: Any, start_mms: Any, start_for_module: Any) -> tuple[Any, Any]:
    """mc1 has the true time; the servers of mc2 run five minutes beside it."""
    mc1, mc2 = make_system("mc1"), make_system("mc2")
    start_mms(mc1, mc1.write_mms(mc2))
    start_mms(mc2, mc2.write_mms(mc1, user="bob"), clock_s=offset_s)
    start_for_module("idms-mc1", "lab.systems.idms", "run", "--config", str(mc1.write_idms(mc2)))
    cms = ("mmserver.configuration", "run", "--config", str(mc2.write_cms(mc1, user="bob")))
    start_for_module("cms-mc2", *cms, clock_s=offset_s)
    return mc1, mc2


@pytest.fixture
def make_world(systems: tuple[Any, Any], start_cms: Any) -> Any:
    """Start mc1's configuration management server, its agreement as told; end with no binding left."""
    mc1, mc2 = systems

    def make(agreement_ends_in_s: float | None = None) -> float:
        process = start_cms(mc1, mc1.write_cms(mc2))
        if agreement_ends_in_s is None:
            return 0.0
        at = round(time.time() + agreement_ends_in_s, 3)
        mc1.write_cms(mc2, partner=f"valid_until = {datetime.fromtimestamp(at, UTC).isoformat()}")
        process.popen.send_signal(signal.SIGHUP)
        assert wait_until(lambda: len(process.events("reload.done")) == 1)
        return at

    yield make
    for system in systems:
        with system.client("admin") as client:
            for binding in bindings(system):
                client.post(f"{system.url('mms')}/csc-x/v1/bindings/{binding['binding']}/release", json={})
    assert wait_until(lambda: bindings(mc1) == bindings(mc2) == [])


def test_steps_1_to_13_pass_and_the_ue_is_told_the_earlier_of_two_validities(
    systems: tuple[Any, Any], make_world: Any, offset_s: int
) -> None:
    """Each lends for its own longest time from its own now; what is held meanwhile is timed by its own clock alone."""
    mc1, mc2 = systems
    make_world()
    answer = ask(mc1, log_in(mc1))
    assert answer.status_code == 200, answer.text
    (primary,), (partner,) = bindings(mc1), bindings(mc2)
    assert (primary["state"], partner["state"]) == ("allocated", "allocated")
    until = [moment(one["valid_until"]) for one in (primary, partner, answer.json())]
    # A partner ahead of us would lend for longer, and is held to what it was asked for.
    assert until[1] == pytest.approx(until[0] + min(offset_s, 0), abs=20)
    assert until[2] == min(until[:2])


def test_a_validity_that_is_over_on_the_partners_clock_is_refused_at_step_10(
    systems: tuple[Any, Any], make_world: Any, offset_s: int
) -> None:
    """The agreement ends in 200 s: over for a partner that is ahead, the same moment on both sides for one behind."""
    mc1, mc2 = systems
    end = make_world(200)
    answer = ask(mc1, log_in(mc1))
    if offset_s > 0:
        problem = answer.json()
        assert (answer.status_code, problem["step"]) == (422, "10.1.X.1-10"), answer.text
        assert problem["type"] == "urn:mc-migration:problem:validity-over"
        assert wait_until(lambda: bindings(mc1) == bindings(mc2) == [])
        return
    assert answer.status_code == 200, answer.text
    told = [answer.json(), *bindings(mc1), *bindings(mc2)]
    assert [moment(one["valid_until"]) for one in told] == pytest.approx([end] * 3, abs=0.001)


def test_a_binding_ends_at_its_moment_on_each_sides_own_clock(
    systems: tuple[Any, Any], make_world: Any, offset_s: int
) -> None:
    """A little before the end on the clock ahead: a partner ahead ends it alone, a primary tells the partner."""
    mc1, mc2 = systems
    make_world(max(offset_s, 0) + SOON_S)
    answer = ask(mc1, log_in(mc1))
    assert answer.status_code == 200, answer.text
    first, last = (mc2, mc1) if offset_s > 0 else (mc1, mc2)
    assert wait_until(lambda: bindings(first) == [])
    if offset_s > 0:
        assert [one["state"] for one in bindings(last)] == ["allocated"]
    else:
        assert wait_until(lambda: all(one["state"] == "quarantined" for one in bindings(last)))
    again = ask(mc1, log_in(mc1))
    # Behind us the partner still lends: it is we who see that the agreement is over.
    expected = (422, "validity-over") if offset_s > 0 else (404, "no-suitable-partner")
    assert (again.status_code, again.json()["type"].rpartition(":")[2]) == expected, again.text


def open_with(system: Any, token: str) -> tuple[int, str]:
    """Ask the configuration management server for the simplest thing that a token opens."""
    with system.client() as client:
        answer = client.get(system.url("cms") + CONFIGURATION, headers={"Authorization": f"Bearer {token}"})
    return answer.status_code, "" if answer.status_code == 200 else answer.json()["type"].rpartition(":")[2]


def test_a_token_of_the_real_idms_needs_the_leeway_that_is_configured(
    make_system: Any, start: Any, start_cms: Any, offset_s: int
) -> None:
    """Ahead of the IdMS a CMS takes a token of a minute for expired, behind it for one of the future."""
    system = make_system("mc1")
    start("idms-mc1", "lab.systems.idms", "run", "--config", str(system.write_idms(more=SHORT)))
    strict = start_cms(system, system.write_cms(), clock_s=offset_s)
    assert open_with(system, log_in(system)) == (401, "token-expired" if offset_s > 0 else "token-invalid")
    strict.stop()
    start_cms(system, system.write_cms(idms=PATIENT), clock_s=offset_s)
    assert open_with(system, log_in(system)) == (200, "")


def test_a_security_token_is_taken_within_the_leeway_of_30_s_and_not_beyond(
    systems: tuple[Any, Any], start: Any, offset_s: int
) -> None:
    """10.6.2 step 1: it is good for 120 s from the primary's now (TS 33.180 B.8)."""
    mc1, mc2 = systems
    config = str(mc2.write_idms(mc1, user="bob"))

    def exchanged() -> tuple[int, dict[str, Any]]:
        form = {
            "grant_type": EXCHANGE,
            "subject_token": log_in(mc1),
            "subject_token_type": "urn:ietf:params:oauth:token-type:access_token",
            "audience": mc2.url("idms"),
        }
        with mc1.client() as at_mc1, mc2.client() as at_mc2:
            assertion = at_mc1.post(mc1.url("idms") + "/token", data=form).json()["access_token"]
            bearer = {"grant_type": JWT_BEARER, "assertion": assertion, "client_id": "mc-client"}
            answer = at_mc2.post(mc2.url("idms") + "/token", data=bearer)
        return answer.status_code, answer.json()

    beyond = start("idms-mc2", "lab.systems.idms", "run", "--config", config, clock_s=offset_s)
    status, problem = exchanged()
    why = "the assertion has expired" if offset_s > 0 else "the assertion was issued in the future"
    assert (status, problem["error"], problem["error_description"]) == (400, "invalid_grant", why)
    beyond.stop()
    start("idms-mc2", "lab.systems.idms", "run", "--config", config, clock_s=offset_s // 15)
    status, tokens = exchanged()
    assert (status, tokens["token_type"]) == (200, "Bearer"), tokens
