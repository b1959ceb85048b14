"""Lines of the control socket; the socket itself is in tests/integration/test_hss_program.py."""

import pytest

from lab.systems.hss.config import Mode
from lab.systems.hss.control import Command, ModeCommand, Reply, RtrCommand, StatusCommand, answer_line


async def echo(command: Command) -> Reply:
    return {"ok": True, "command": command}


@pytest.mark.parametrize(
    ("line", "command"),
    [
        (b'{"command": "status"}\n', StatusCommand(command="status")),
        (b'{"command": "mode", "mode": "imsi-only"}', ModeCommand(command="mode", mode=Mode.IMSI_ONLY)),
        (
            b'{"command": "rtr", "private_user_identity": "a@b"}',
            RtrCommand(command="rtr", private_user_identity="a@b", reason=0),
        ),
    ],
)
async def test_a_command_reaches_its_handler(line: bytes, command: Command) -> None:
    assert await answer_line(line, echo) == {"ok": True, "command": command}


@pytest.mark.parametrize(
    ("line", "error"),
    [
        (b"\xff\n", "Invalid JSON"),
        (b"[]", "object"),
        (b'{"command": "stop"}', "does not match any of the expected tags"),
        (b'{"command": "mode", "mode": "odd"}', "mode.mode: Input should be"),
        (b'{"command": "rtr", "private_user_identity": "a@b", "reason": 9}', "rtr.reason"),
        (b'{"command": "status", "more": 1}', "status.more"),
    ],
)
async def test_a_line_that_is_no_command_is_refused_in_words(line: bytes, error: str) -> None:
    reply = await answer_line(line, echo)
    assert reply["ok"] is False
    assert error in str(reply["error"])
