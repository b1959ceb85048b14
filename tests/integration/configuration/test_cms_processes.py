"""10.1.X.1 between two configuration and two migration management servers, all real processes over HTTPS."""

import asyncio
import contextlib
import socket
from collections.abc import Iterator

import pytest

from tests.waiting import wait_until

DETAILS = "/csc-4/v1/partner-mc-system-connection-details"
ACCESS = "/csc-17/v1/partner-mc-system-access"
HELD_S = 10
XML = "application/vnd.3gpp.mcptt-ue-init-config+xml"


def body(user: str = "alice", **changes: object) -> dict:
    return {
        "location_information": {"coordinates": {"latitude": 60.5, "longitude": 26.5}},
        "mc_service_ids": [f"sip:{user}@mc1.lab"],
        "default_identities": {
            "private_user_identity": f"{user}@ims.mc1.lab",
            "public_user_identities": [f"sip:{user}@ims.mc1.lab"],
        },
        **changes,
    }


def step_7(mms: str = "mms.mc1.lab") -> dict:
    return {
        "mc_service_ids": ["sip:alice@mc1.lab"],
        "migration_management_server": mms,
        "primary_mc_system_sip_identities": {
            "private_user_identity": "mig-1@ims.mc1.lab",
            "public_user_identities": ["sip:mig-1@ims.mc1.lab"],
        },
    }


@pytest.fixture(scope="module")
def systems(make_system, start_mms, start_for_module):
    """Start what the tests of this module share: two migration and one identity management server."""
    mc1, mc2 = make_system("mc1"), make_system("mc2")
    start_mms(mc1, mc1.write_mms(mc2, held_s=HELD_S))
    start_mms(mc2, mc2.write_mms(mc1, user="bob", held_s=HELD_S))
    start_for_module("idms-mc1", "lab.systems.idms", "run", "--config", str(mc1.write_idms(mc2)))
    return mc1, mc2


@pytest.fixture
def make_world(systems, start_cms):
    """Start both configuration management servers, with changes of their configuration; end with no binding left."""
    mc1, mc2 = systems

    def make(mc1_cms: dict | None = None, mc2_cms: dict | None = None):
        first = start_cms(mc1, mc1.write_cms(mc2, **(mc1_cms or {})))
        return first, start_cms(mc2, mc2.write_cms(mc1, user="bob", **(mc2_cms or {})))

    yield make
    for system in systems:
        release_all(system)
    assert wait_until(lambda: states(mc1, mc2) == [[], []])


def ask(system, token: str | None = None, query: str = "", headers: dict | None = None, **changes: object):
    with system.client() as client:
        bearer = {"Authorization": f"Bearer {token or system.access_token()}", **(headers or {})}
        return client.post(system.url("cms") + DETAILS + query, json=body(**changes), headers=bearer)


def bindings(system) -> list[dict]:
    with system.client("admin") as client:
        return client.get(system.url("mms") + "/csc-x/v1/bindings").json()


def release_all(system) -> None:
    with system.client("admin") as client:
        for binding in bindings(system):
            path = f"/csc-x/v1/bindings/{binding['binding']}/release"
            client.post(system.url("mms") + path, json={"reason": "the test is over"})


def states(*systems) -> list[list[str]]:
    return [[binding["state"] for binding in bindings(system)] for system in systems]


@contextlib.contextmanager
def silent_listener(address: str, port: int) -> Iterator[None]:
    """Accept connections at ``address`` and say nothing."""
    with socket.create_server((address, port)):
        yield


def test_a_user_gets_connection_details_and_both_sides_keep_the_binding(systems, make_world) -> None:
    mc1, mc2 = systems
    make_world()
    answer = ask(mc1)
    assert answer.status_code == 200, answer.text
    details = answer.json()
    assert details["partner_mc_system"] == "mc2"
    assert details["initial_ue_configuration"]["home_domain"] == "ims.mc2.lab"
    lent = details["partner_mc_system_sip_identities"]
    assert lent["private_user_identity"].endswith("@ims.mc2.lab")
    (primary,), (partner,) = bindings(mc1), bindings(mc2)
    assert (primary["state"], partner["state"]) == ("allocated", "allocated")
    assert partner["identities"] == lent
    assert partner["counterpart"] == primary["identities"]
    assert "alice@ims.mc1.lab" not in str(partner)
    again = ask(mc1, partner_mc_system="mc2").json()
    assert again["partner_mc_system_sip_identities"] == lent
    document = ask(mc1, headers={"Accept": XML})
    assert document.headers["content-type"] == XML
    assert lent["private_user_identity"] in document.text
    assert len(bindings(mc1)) == len(bindings(mc2)) == 1


def test_a_token_of_the_real_identity_management_server_lets_in(systems, make_world) -> None:
    mc1, _ = systems
    make_world()
    login = {"grant_type": "password", "client_id": "mc-client", "username": "alice", "password": "alice-secret"}
    with mc1.client() as client:
        token = client.post(mc1.url("idms") + "/token", data=login).json()["access_token"]
    assert ask(mc1, token, query="?dry_run=true").json() == {"partner_mc_system": "mc2", "possible": True}
    assert wait_until(lambda: states(*systems) == [[], []])
    assert ask(mc1, mc1.access_token("mallory")).json()["type"].endswith(":token-for-another-user")
    foreign = ask(mc1, mc1.access_token("mallory"), mc_service_ids=["sip:mallory@mc1.lab"])
    assert foreign.json()["type"].endswith(":foreign-isim")
    assert wait_until(lambda: states(*systems) == [[], []])


def test_an_access_token_serves_again_and_the_same_request_changes_nothing(systems, make_world) -> None:
    """docs/token-exchange.md, "What serves once": a bearer token is not one-use (RFC 6750)."""
    mc1, mc2 = systems
    first, _ = make_world()
    token = mc1.access_token()
    answers = [ask(mc1, token) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 200]
    assert len({answer.json()["partner_mc_system_sip_identities"]["private_user_identity"] for answer in answers}) == 1
    assert states(mc1, mc2) == [["allocated"], ["allocated"]]
    assert first.events("request.refused") == []


@pytest.mark.parametrize(
    ("user", "mc1_cms", "mc2_cms", "status", "name", "step"),
    [
        ("alice", {"migration": "false"}, {}, 403, "not-authorised-for-migration", 2),
        ("alice", {"outbound_users": "[]"}, {}, 404, "no-suitable-partner", 3),
        ("alice", {"partner": "outbound_max = 0"}, {}, 409, "quota-reached", 5),
        ("alice", {}, {"partner": "inbound_max = 0"}, 409, "quota-reached", 10),
        ("mallory", {}, {}, 403, "no-primary-set-for-partner", 5),
        ("alice", {}, {"inbound_users": "[]"}, 403, "inbound-user-refused", 8),
        ("alice", {}, {"partner": "valid_until = 2020-01-01T00:00:00Z"}, 403, "primary-system-not-trusted", 8),
        ("alice", {}, {"partner": "static = true"}, 502, "no-configuration-data", 12),
    ],
)
def test_each_refusal_names_its_step_and_leaves_nothing(
    systems, make_world, user: str, mc1_cms: dict, mc2_cms: dict, status: int, name: str, step: int
) -> None:
    mc1, _ = systems
    first, _ = make_world(mc1_cms, mc2_cms)
    answer = ask(mc1, mc1.access_token(user), user=user)
    problem = answer.json()
    assert (answer.status_code, problem["type"], problem["step"]) == (
        status,
        f"urn:mc-migration:problem:{name}",
        f"10.1.X.1-{step}",
    )
    assert [event["problem"] for event in first.events("request.refused")] == [name]
    assert wait_until(lambda: states(*systems) == [[], []])


def test_a_partner_that_is_down_or_silent_leaves_nothing(systems, make_world) -> None:
    mc1, mc2 = systems
    _, second = make_world({"partner_timeout_s": "2"})
    second.stop()
    answer = ask(mc1)
    assert (answer.status_code, answer.json()["step"]) == (504, "10.1.X.1-7")
    assert wait_until(lambda: states(*systems) == [[], []])
    with silent_listener(mc2.address("cms"), 8443):
        assert ask(mc1).json()["type"].endswith(":partner-unreachable")
    assert wait_until(lambda: states(*systems) == [[], []])


def test_a_cms_killed_after_step_6_leaves_nothing_when_the_hold_has_lapsed(systems, make_world) -> None:
    """And who comes while it has its hands full is told so at once, with 503 and Retry-After."""
    mc1, mc2 = systems
    first, second = make_world({"limits": "[limits]\nin_progress_max = 1\n"})
    second.stop()

    async def ask_and_be_cut_off() -> None:
        with contextlib.suppress(Exception):
            await asyncio.to_thread(ask, mc1)

    async def kill_in_step_7() -> None:
        asking = asyncio.create_task(ask_and_be_cut_off())
        assert await asyncio.to_thread(wait_until, lambda: states(mc1) == [["held"]], 15)
        refused = await asyncio.to_thread(ask, mc1)
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
        assert refused.json()["type"].endswith(":overloaded")
        assert [event["problem"] for event in first.events("request.refused")] == ["overloaded"]
        first.kill()
        await asking

    with silent_listener(mc2.address("cms"), 8443):
        asyncio.run(kill_in_step_7())
    assert wait_until(lambda: states(mc1, mc2) == [[], []])


def test_csc_17_is_for_partners_with_a_certificate_of_their_own_ca(systems, make_system, make_world) -> None:
    mc1, mc2 = systems
    make_world()
    with mc2.client("cms", of=mc1) as client:
        foreign = client.post(mc2.url("cms") + ACCESS, json=step_7("mms.mc3.lab"))
        assert (foreign.status_code, foreign.json()["step"]) == (403, "10.1.X.1-8")
        assert client.post(mc2.url("cms") + ACCESS, json=step_7()).status_code == 200
    for host in (None, "mms"):  # no certificate; a certificate of the right CA with another name
        with mc2.client(host, of=mc1) as client:
            answer = client.post(mc2.url("cms") + ACCESS, json=step_7())
            assert (answer.status_code, answer.json()["step"]) == (403, "10.1.X.1-8")
    impostor = make_system("mc9")
    folder = impostor.host_folder("cms", "cms.mc1.lab")  # the right name by a CA that mc2 does not know
    with mc2.client("cms", of=impostor) as client, pytest.raises(Exception, match=r"(?i)alert|closed|disconnected|eof"):
        client.post(mc2.url("cms") + ACCESS, json=step_7())
    assert folder.exists()


def test_what_our_mms_disables_is_withdrawn_at_the_partner(systems, make_world) -> None:
    mc1, mc2 = systems
    first, _ = make_world()
    assert ask(mc1).status_code == 200
    (binding,) = bindings(mc1)
    with mc1.client("admin") as client:
        path = f"/csc-x/v1/bindings/{binding['binding']}/disable"
        assert client.post(mc1.url("mms") + path, json={"reason": "withdrawn"}).status_code == 200
    assert wait_until(lambda: [one["enabled"] for one in bindings(mc2)] == [False])
    assert wait_until(lambda: len(first.events("binding.withdrawn")) == 1)
    again = ask(mc1).json()
    assert (again["type"], again["step"]) == ("urn:mc-migration:problem:migration-withdrawn", "10.1.X.1-5")


def test_sigterm_is_a_clean_stop_and_no_log_holds_a_token(systems, make_world) -> None:
    mc1, _ = systems
    first, second = make_world()
    token = mc1.access_token()
    assert ask(mc1, token).status_code == 200
    assert (first.stop(), second.stop()) == (0, 0)
    logs = first.log.read_text() + second.log.read_text()
    assert token not in logs
    assert "Traceback" not in logs
    assert "alice@ims.mc1.lab" not in logs
