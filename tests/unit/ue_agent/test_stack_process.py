"""What the parent does with a child's lines, without a child."""

import asyncio
import dataclasses
import json

import pytest

from ue_agent.aka.isim import Isim
from ue_agent.challenge import Answer, ChallengeResponder, DigestQuestion
from ue_agent.errors import StackError
from ue_agent.stack_process import StackProcess
from ue_agent.stack_settings import StackSettings

SETTINGS = StackSettings("u@d", "sip:u@d", "d", "sip:10.0.0.1", "10.0.0.2", 0, "udp", 600, "urn:uuid:1", "")


@pytest.fixture
def stack() -> StackProcess:
    card = Isim("u@d", ["sip:u@d"], "d", ["sip:p"], bytes(16), bytes(16))
    return StackProcess(SETTINGS, ChallengeResponder(card, lambda _: None), lambda _: None)


def test_a_question_is_answered(stack) -> None:
    question = DigestQuestion("u@d", "d", "x", "sip:d", "REGISTER", "", "", "")
    assert stack._answer(json.dumps(dataclasses.asdict(question)).encode()) == Answer(refusal="invalid-challenge")


@pytest.mark.parametrize("line", [b"", b"{", b"[]", b'{"x": 1}'])
def test_what_is_no_question_is_refused(stack, line) -> None:
    assert stack._answer(line) == Answer(refusal="invalid-challenge")


async def test_only_the_awaited_event_settles(stack) -> None:
    future: asyncio.Future[dict[str, object]] = asyncio.get_running_loop().create_future()
    stack._waiting = (("registration",), future)
    stack._settle({"event": "message-received"}, None)
    assert not future.done()
    stack._settle({"event": "registration"}, None)
    stack._settle({"event": "registration", "late": True}, None)
    assert future.result() == {"event": "registration"}


async def test_an_end_settles_whatever_is_awaited(stack) -> None:
    future: asyncio.Future[dict[str, object]] = asyncio.get_running_loop().create_future()
    stack._waiting = (("registration",), future)
    stack._settle(None, StackError("gone"))
    with pytest.raises(StackError, match="gone"):
        await future


async def test_stop_before_start_is_nothing(stack) -> None:
    await stack.stop()
