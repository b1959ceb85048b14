"""The UE's knowledge and its refusals, with a real state directory and no network."""

import pytest

from ue_agent.agent import Agent
from ue_agent.config import UeConfig
from ue_agent.errors import NoMedia, UsageError
from ue_agent.stack_process import Media
from ue_agent.store import Store


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


class Talking:
    """A stack in a call whose counts grow."""

    def __init__(self, received: int) -> None:
        self._counts = Media(0, 0)
        self._received = received

    async def media(self, timeout_s: float) -> Media:
        self._counts = Media(self._counts.rtp_sent + 5, self._counts.rtp_received + self._received)
        return self._counts


async def test_media_is_awaited_both_ways(agent) -> None:
    agent._stacks["mc1"] = Talking(received=5)
    assert await agent.await_media("mc1", 10, 5.0) == Media(10, 10)
    agent._stacks["mc1"] = Talking(received=0)
    with pytest.raises(NoMedia, match=r"no media: .* 0 received"):
        await agent.await_media("mc1", 10, 0.01)


async def test_events_of_a_call_become_the_ues(agent, events) -> None:
    stack = agent._stacks["mc1"] = Stack()
    agent._on_stack_event("mc1", stack, {"event": "call-received", "caller": "sip:b@d"})
    agent._on_stack_event("mc1", stack, {"event": "call-answered", "status": 200, "reason": "OK"})
    ended = {"event": "call-ended", "status": 200, "reason": "Normal", "rtp_sent": 3, "rtp_received": 4}
    agent._on_stack_event("mc1", stack, ended)
    assert events == [
        {"event": "call.received", "system": "mc1", "from": "sip:b@d"},
        {"event": "call.answered", "system": "mc1"},
        {**ended, "event": "call.ended", "system": "mc1"},
    ]
