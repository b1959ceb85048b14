"""A whole core: registration by IMS AKA, refusals, outages, strangers, terminating requests (TS 24.229, TS 29.228)."""

import time

import pytest

from diameter_proxy.diameter import commands as c
from diameter_proxy.diameter import dictionary as d
from diameter_proxy.diameter.message import encode_answer

pytestmark = pytest.mark.lab

PCSCF, ICSCF, SCSCF = ("10.77.1.10", 5060), ("10.77.1.11", 4060), ("10.77.1.12", 6060)
ANSWERED_WITHIN_S = 2.5
"""A UE learns of an outage before its crew does (DESIGN.md §6, time)."""

ONCE_MORE_WITHIN_S = 5.0
"""The answer that did not come is waited for, 2.2 s, before the REGISTER goes again; it waits no longer."""

OUTAGES = [{"result_code": 3002}, {"result_code": 3004}, {"result_code": 5012}]
REFUSALS = [{"experimental": 5001}, {"experimental": 5002}, {"experimental": 5004}]


def failing(core, command, **result):
    """Let the database answer ``command`` with an error."""
    core.database.fault = lambda request: (
        core.database.error(request, **result) if request.header.command_code == command.code else None
    )


def test_ue_registers_and_learns_its_service_route(core) -> None:
    ue = core.ue()
    response = ue.register()
    assert response.status == 200, core.log()
    assert response.header("Service-Route") == "<sip:orig@scscf.mc1.lab:6060;lr>"
    assert response.header("P-Associated-URI") == f"<{ue.impu}>"
    assert response.header("Path") == "<sip:term@pcscf.mc1.lab:5060;lr>"
    assert [name for _, name in core.database.requests] == ["UAR", "MAR", "UAR", "SAR"]


def test_challenge_carries_the_vector_and_no_key(core) -> None:
    challenge = core.ue().challenge().header("WWW-Authenticate")
    assert challenge.startswith('Digest realm="ims.mc1.lab", nonce="')
    assert "algorithm=AKAv1-MD5" in challenge
    assert [part for part in challenge.split(", ") if part.lower().startswith(("ck", "ik"))] == []


def test_a_refresh_is_challenged_afresh(core) -> None:
    """There is no security association that would vouch for it (TS 24.229 §5.4.1.2.2)."""
    ue = core.ue()
    assert ue.register().status == 200
    core.database.requests.clear()
    assert ue.register().status == 200
    assert [name for _, name in core.database.requests] == ["UAR", "MAR", "UAR", "SAR"]


def test_used_credentials_open_nothing_twice(core) -> None:
    ue = core.ue()
    challenge = ue.challenge()
    assert ue.authenticate(challenge, res=b"\x00" * 8).status == 403
    assert ue.authenticate(ue.challenge()).status == 200


def test_deregistration_reaches_the_database_and_ends_service(core) -> None:
    ue, other = core.ue(), core.ue()
    assert (ue.register().status, other.register().status) == (200, 200)
    core.database.requests.clear()
    assert ue.register(expires=0).status == 200
    assert [name for _, name in core.database.requests] == ["UAR", "MAR", "UAR", "SAR"]
    assert ue.send(PCSCF, "MESSAGE", other.impu).status == 403


def test_resynchronisation_brings_a_fresh_challenge(core) -> None:
    """TS 33.203 §6.1.3: the ISIM is ahead of the database."""
    ahead = core.ue()
    ahead.isim.sequence_numbers = ahead.isim.sequence_numbers.accept(1 << 20)
    before = core.database.resynchronised
    assert ahead.register().status == 200, core.log()
    assert core.database.resynchronised == before + 1


@pytest.mark.parametrize("command", [c.UAR, c.MAR], ids=lambda command: command.name)
@pytest.mark.parametrize("result", OUTAGES, ids=str)
def test_an_outage_behind_the_proxy_is_504(core, command, result) -> None:
    failing(core, command, **result)
    assert core.ue().register().status == 504, core.log()


@pytest.mark.parametrize("command", [c.UAR, c.MAR], ids=lambda command: command.name)
@pytest.mark.parametrize("result", REFUSALS, ids=str)
def test_a_refusal_is_403(core, command, result) -> None:
    failing(core, command, **result)
    assert core.ue().register().status == 403, core.log()


def test_an_unsupported_scheme_is_403(core) -> None:
    failing(core, c.MAR, experimental=5006)
    assert core.ue().register().status == 403


def test_an_error_of_an_agent_that_names_no_identity_is_504(core) -> None:
    core.database.fault = lambda request: (
        encode_answer(request, origin_host="proxy1.mc1.lab", origin_realm="ims.mc1.lab", result_code=3002)
        if request.header.command_code == c.MAR.code
        else None
    )
    assert core.ue().register().status == 504


def test_a_wrong_response_is_403(core) -> None:
    ue = core.ue()
    assert ue.authenticate(ue.challenge(), res=b"\x00" * 8).text.splitlines()[0].endswith("Authentication Failed")


@pytest.mark.parametrize("command", [c.UAR, c.MAR, c.SAR], ids=lambda command: command.name)
def test_a_silent_database_is_504_in_time(core, command) -> None:
    ue = core.ue()
    core.database.fault = lambda request: b"" if request.header.command_code == command.code else None
    response = ue.register()
    assert response.status == 504, core.log()
    assert response.seconds < ANSWERED_WITHIN_S
    assert [name for _, name in core.database.requests].count(command.name) == 1, "who is silent is asked once"


def test_a_slow_refusal_of_the_proxy_is_504_in_time(core) -> None:
    """The proxy gives up after 1.7 s and says 3002 (its budget on AAA-2)."""

    def late(request):
        if request.header.command_code != c.MAR.code:
            return None
        time.sleep(1.7)
        return core.database.error(request, result_code=3002)

    core.database.fault = late
    response = core.ue().register()
    assert response.status == 504
    assert response.seconds < ANSWERED_WITHIN_S


def test_a_refresh_that_meets_an_outage_does_not_end_the_registration(core) -> None:
    """TS 24.229 §5.2.2: only a 200 or a de-registration changes what the P-CSCF has bound."""
    alice, bob = core.ue(), core.ue(address="10.77.1.22")
    assert (alice.register().status, bob.register().status) == (200, 200)
    for command in (c.UAR, c.MAR):
        failing(core, command, result_code=3002)
        assert (alice.register().status, bob.register().status) == (504, 504)
    core.database.fault = lambda _request: None
    answering = bob.answer()
    assert alice.send(PCSCF, "MESSAGE", bob.impu).status == 200, core.log()
    answering.join(5)


def test_a_message_reaches_the_user_through_lir_and_path(core) -> None:
    """The service of TS 23.280 10.6.2 step 14."""
    alice, bob = core.ue(), core.ue(address="10.77.1.22")
    assert (alice.register().status, bob.register().status) == (200, 200)
    core.database.requests.clear()
    answering = bob.answer()
    response = alice.send(PCSCF, "MESSAGE", bob.impu, "P-Asserted-Identity: <sip:boss@ims.mc1.lab>")
    assert response.status == 200, core.log()
    answering.join(5)
    assert f"P-Asserted-Identity: <{alice.impu}>\r\n" in bob.received
    assert "boss" not in bob.received
    assert [name for _, name in core.database.requests] == ["LIR"]


def test_a_message_in_anothers_name_is_refused(core) -> None:
    alice, bob = core.ue(), core.ue(address="10.77.1.22")
    assert (alice.register().status, bob.register().status) == (200, 200)
    alice.impu = bob.impu
    assert alice.send(PCSCF, "MESSAGE", bob.impu).status == 403


def test_a_stranger_with_the_contact_of_a_registered_ue_is_refused(core) -> None:
    alice, stranger = core.ue(), core.ue(address="10.77.1.66")
    assert alice.register().status == 200
    stranger.impu, stranger.contact = alice.impu, alice.contact
    assert stranger.send(PCSCF, "MESSAGE", alice.impu).status == 403


def test_a_stranger_who_registers_with_anothers_contact_gains_and_breaks_nothing(core) -> None:
    """The challenge is never answered; what the P-CSCF has bound stays."""
    alice, bob, stranger = core.ue(), core.ue(address="10.77.1.22"), core.ue(address="10.77.1.66")
    assert (alice.register().status, bob.register().status) == (200, 200)
    stranger.impu, stranger.impi, stranger.contact = alice.impu, alice.impi, alice.contact
    assert stranger.challenge().status == 401
    assert stranger.authenticate(stranger.challenge(), res=bytes(8)).status == 403
    assert stranger.send(PCSCF, "MESSAGE", bob.impu).status == 403
    answering = bob.answer()
    assert alice.send(PCSCF, "MESSAGE", bob.impu).status == 200, core.log()
    answering.join(5)
    answering = alice.answer()
    assert bob.send(PCSCF, "MESSAGE", alice.impu).status == 200, core.log()
    answering.join(5)


def test_a_message_to_nobody_is_480(core) -> None:
    alice = core.ue()
    assert alice.register().status == 200
    assert alice.send(PCSCF, "MESSAGE", "sip:nobody@ims.mc1.lab").status == 480


def test_a_message_to_a_domain_without_agreement_is_404(core) -> None:
    alice = core.ue()
    assert alice.register().status == 200
    assert alice.send(PCSCF, "MESSAGE", "sip:x@ims.mc9.lab").status == 404


def test_lir_in_an_outage_is_504(core) -> None:
    alice = core.ue()
    assert alice.register().status == 200
    failing(core, c.LIR, result_code=3002)
    assert alice.send(PCSCF, "MESSAGE", alice.impu).status == 504
    core.database.fault = lambda _request: b""
    silent = alice.send(PCSCF, "MESSAGE", alice.impu)
    assert silent.status == 504
    assert silent.seconds < ANSWERED_WITHIN_S


@pytest.mark.parametrize("to", [ICSCF, SCSCF], ids=["I-CSCF", "S-CSCF"])
@pytest.mark.parametrize("method", ["REGISTER", "MESSAGE", "INVITE", "OPTIONS"])
def test_strangers_are_refused(core, to, method) -> None:
    uri = "sip:ims.mc1.lab" if method == "REGISTER" else "sip:001010000000001@ims.mc1.lab"
    stranger = core.ue(address="10.77.1.66")
    assert stranger.send(to, method, uri, "Route: <sip:orig@scscf.mc1.lab:6060;lr>").status == 403
    assert core.database.requests == []


def test_partner_core_may_call_our_users_and_nothing_else(core) -> None:
    bob, partner = core.ue(), core.ue(address="10.77.2.12")
    assert bob.register().status == 200
    answering = bob.answer()
    assert partner.send(ICSCF, "MESSAGE", bob.impu).status == 200, core.log()
    answering.join(5)
    assert partner.send(ICSCF, "REGISTER", "sip:ims.mc1.lab").status == 403
    assert partner.send(ICSCF, "MESSAGE", "sip:x@ims.mc9.lab").status == 404
    assert partner.send(SCSCF, "MESSAGE", bob.impu).status == 403


def test_rtr_takes_the_user_off(core) -> None:
    """TS 29.228 §6.1.3; the contact is gone within the S-CSCF's timer of one second."""
    alice, bob = core.ue(), core.ue(address="10.77.1.22")
    assert (alice.register().status, bob.register().status) == (200, 200)
    core.database.deregister(bob.impi, bob.impu)
    deadline = time.monotonic() + 30
    while not core.database.answers and time.monotonic() < deadline:
        time.sleep(0.01)
    assert [answer.get(d.RESULT_CODE) for answer in core.database.answers] == [2001]
    time.sleep(1.5)
    assert alice.send(PCSCF, "MESSAGE", bob.impu).status == 480


def test_fifty_registrations_leave_every_process_alive(core) -> None:
    last = [core.ue().register() for _ in range(50)]
    assert [response.status for response in last] == [200] * 50, [one.text for one in last if one.status != 200]


AT_ONCE_S = 1.5
"""Less than cdp waits for an answer."""
CRASH_NOTICED_WITHIN_S = 8.0
"""cdp 5.6.3 may miss that a connection was closed; then only its watchdog notices, after two Tc of 2 s."""


def registers_within(core, seconds: float, through: str | None = None) -> bool:
    """Whether a UE gets its 200 within that time, trying again on 504 as a UE does; all ``through`` one proxy."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        core.database.requests.clear()
        status = core.ue().register().status
        assert status in (200, 504), core.log()
        if status == 200 and (through is None or {host for host, _ in core.database.requests} == {through}):
            return True
        time.sleep(0.1)
    return False


def test_second_proxy_takes_over_at_once_when_the_first_leaves(core) -> None:
    """RFC 6733 §5.4: DPR."""
    core.database.leave("proxy1.mc1.lab")
    assert core.ue().register().status == 200, core.log()
    assert {host for host, _ in core.database.requests} == {"proxy2.mc1.lab"}
    core.database.start_proxy("proxy1.mc1.lab", "10.77.1.14")
    assert registers_within(core, 3 * CRASH_NOTICED_WITHIN_S, through="proxy1.mc1.lab"), core.database.requests


def test_second_proxy_takes_over_when_the_first_crashes(core) -> None:
    core.database.stop("proxy1.mc1.lab")
    assert registers_within(core, CRASH_NOTICED_WITHIN_S), core.log()
    assert core.database.requests[-1][0] == "proxy2.mc1.lab"
    core.database.start_proxy("proxy1.mc1.lab", "10.77.1.14")


def test_without_any_proxy_it_is_504_at_once(core) -> None:
    core.database.stop()
    time.sleep(CRASH_NOTICED_WITHIN_S / 2 + 2)
    response = core.ue().register()
    core.database.start()
    assert response.status == 504
    assert response.seconds < AT_ONCE_S
    assert registers_within(core, CRASH_NOTICED_WITHIN_S), core.log()


@pytest.mark.parametrize("command", [c.MAR, c.UAR], ids=lambda command: command.name)
def test_a_register_whose_proxy_goes_away_with_its_request_goes_once_more(core, core_values, command) -> None:
    """cdp tries no other peer for a request that is out; the P-CSCF sends the REGISTER again, and no third time."""
    deadline = time.monotonic() + CRASH_NOTICED_WITHIN_S
    while not core.database.is_peer_of_all() and time.monotonic() < deadline:
        time.sleep(0.1)
    assert registers_within(core, CRASH_NOTICED_WITHIN_S), core.log()
    before = core.cscfs["pcscf"].text().count("register.repeated")
    gone: list[str] = []

    def go_away(request):
        if gone or request.header.command_code != command.code:
            return None
        gone.append(core.database.requests[-1][0])
        core.database.leave(gone[0])
        return b""

    core.database.fault = go_away
    response = core.ue().challenge()
    (address,) = (proxy.address for proxy in core_values.proxies if proxy.host == gone[0])
    core.database.start_proxy(gone[0], address)
    assert response.status == 401, core.log()
    assert response.seconds < ONCE_MORE_WITHIN_S
    assert core.database.requests[-1][0] != gone[0]
    assert core.cscfs["pcscf"].text().count("register.repeated") == before + 1
