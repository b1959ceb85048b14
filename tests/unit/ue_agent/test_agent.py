"""The UE's knowledge and its refusals, with a real state directory and no network."""

import pytest

from mmserver.messages import ConnectionDetailsResponse
from ue_agent.agent import Agent, default_sip_uri, partner_entry
from ue_agent.config import UeConfig
from ue_agent.errors import HttpError, UsageError
from ue_agent.store import Store

DETAILS = {
    "partner_mc_system": "mc2",
    "partner_mc_system_sip_identities": {
        "private_user_identity": "m@d2",
        "public_user_identities": ["tel:+1", "sip:m@d2"],
    },
    "initial_ue_configuration": {
        "mc_system": "mc2", "home_domain": "d2", "p_cscf": ["sip:10.0.0.1"], "plmn": "00102", "idms_issuer": "i",
        "idms_auth_endpoint": "a", "idms_token_endpoint": "t", "cms": "c", "gms": "g", "kms": "k",
    },
    "valid_until": "2099-01-01T00:00:00Z",
}  # fmt: skip


@pytest.fixture
def config(tmp_path) -> UeConfig:
    (tmp_path / "ca.pem").write_text("x")
    return UeConfig.model_validate(
        {
            "ue": {"name": "ue1", "state_dir": tmp_path / "state"},
            "isim": {
                "private_user_identity": "u@d", "public_user_identities": ["sip:u@d"], "home_domain": "d",
                "p_cscf": ["sip:10.0.0.1"], "k": "00" * 16, "opc": "00" * 16,
            },
            "user": {"mc_service_ids": ["sip:a@b"], "username": "a", "password": "p", "client_id": "c"},
            "primary": {"system": "mc1", "idms": "https://i", "cms": "https://c", "ca": tmp_path / "ca.pem"},
        }
    )  # fmt: skip


@pytest.fixture
def events() -> list[dict[str, object]]:
    return []


@pytest.fixture
def agent(config, events):
    store = Store(config.ue.state_dir)
    yield Agent(config, store, events.append)
    store.close()


def details(**changes: object) -> ConnectionDetailsResponse:
    return ConnectionDetailsResponse.model_validate(
        {**DETAILS, "initial_ue_configuration": {**DETAILS["initial_ue_configuration"], **changes}}
    )


def test_knows_its_primary_from_the_start(agent) -> None:
    status = agent.status()
    assert [(entry["system"], entry["role"]) for entry in status["systems"]] == [("mc1", "primary")]
    assert (status["primary"], status["registered"], status["authenticated"]) == ("mc1", [], [])


def test_the_sequence_numbers_it_is_told_are_durable(agent, config) -> None:
    agent.set_sqn(64)
    assert agent.status()["isim"]["sqn"] == 64
    assert agent._store.isim_state("u@d") == (2,) * 32


@pytest.mark.parametrize("act", ["refresh", "deregister"])
async def test_not_registered_is_told(agent, act) -> None:
    with pytest.raises(UsageError, match="not registered at mc1"):
        await getattr(agent, act)("mc1")


async def test_unknown_systems_are_told(agent) -> None:
    with pytest.raises(UsageError, match="nothing is known of mc2"):
        await agent.register("mc2")
    with pytest.raises(UsageError, match="authenticate at mc1 first"):
        await agent.authenticate("mc2")
    with pytest.raises(UsageError, match="no location"):
        await agent.get_connection_details(None, None)


def test_a_partners_entry_is_what_step_13_says() -> None:
    entry = partner_entry(details())
    assert (entry.mc_system, entry.role, entry.home_domain, entry.p_cscf) == ("mc2", "partner", "d2", ("sip:10.0.0.1",))
    assert entry.identities.private_user_identity == "m@d2" and entry.valid_until is not None


@pytest.mark.parametrize("p_cscf", ["sip:x>y", "http://x", "sip:h;evil=1"])
def test_a_p_cscf_that_pjsip_may_not_see(p_cscf) -> None:
    with pytest.raises(HttpError, match="p_cscf"):
        partner_entry(details(p_cscf=[p_cscf]))


def test_the_first_sip_uri_is_registered() -> None:
    assert default_sip_uri(partner_entry(details())) == "sip:m@d2"


class Stack:
    """A stack that is told to end."""

    ended = False

    async def stop(self) -> None:
        self.ended = True


async def test_events_of_a_stack_become_the_ues(agent, events) -> None:
    stack = agent._stacks["mc1"] = Stack()
    said = {"event": "registration", "status": 200, "reason": "OK", "expires_s": 540, "public_user_identities": []}
    agent._on_stack_event("mc1", stack, said)
    agent._on_stack_event("mc1", stack, {"event": "message-received", "sender": "sip:b@d", "text": "t"})
    assert agent.registered_at == ("mc1",)
    agent._on_stack_event("mc1", stack, {"event": "ended", "reason": "gone"})
    assert events == [
        {"event": "registration.changed", "system": "mc1", "status": 200, "reason": "OK", "expires": 540},
        {"event": "message.received", "system": "mc1", "from": "sip:b@d", "text": "t"},
        {"event": "registration.changed", "system": "mc1", "status": 0, "reason": "gone", "expires": 0},
    ]


async def test_an_outage_leaves_the_stack_for_another_try(agent) -> None:
    """TS 24.229 §5.1.1.4.1: after 504 the UE registers anew; what stands at the S-CSCF still stands."""
    stack = Stack()
    agent._stacks["mc1"] = stack
    outage = {"event": "registration", "status": 504, "reason": "", "expires_s": 0, "public_user_identities": []}
    agent._on_stack_event("mc1", stack, outage)
    assert agent.registered_at == ("mc1",)
    await agent.stop()


async def test_a_refused_refresh_ends_the_stack_it_came_from_and_no_other(agent) -> None:
    old, new = Stack(), Stack()
    agent._stacks["mc1"] = new
    refused = {"event": "registration", "status": 403, "reason": "No", "expires_s": 0, "public_user_identities": []}
    agent._on_stack_event("mc1", old, refused)
    assert agent.registered_at == ("mc1",)
    agent._on_stack_event("mc1", new, refused)
    assert agent.registered_at == ()
    await agent.stop()
    assert (old.ended, new.ended) == (False, True)
