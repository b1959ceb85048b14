"""Lines into commands."""

import contextlib
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ue_agent import commands
from ue_agent.commands import BadCommand, parse_command


@pytest.mark.parametrize(
    ("line", "command"),
    [
        ({"command": "authenticate", "system": "mc1"}, commands.Authenticate(command="authenticate", system="mc1")),
        (
            {"id": 3, "command": "register", "system": "mc2", "expires": 600},
            commands.Register(id=3, command="register", system="mc2", expires=600),
        ),
        ({"id": "x", "command": "stop"}, commands.Stop(id="x", command="stop")),
        ({"command": "isim", "sqn": "old"}, commands.IsimCommand(command="isim", sqn="old")),
        ({"command": "isim", "sqn": 64}, commands.IsimCommand(command="isim", sqn=64)),
        (
            {"command": "get-connection-details", "partner": None, "location": {"ecgi": "00101-0abcdef"}},
            commands.GetConnectionDetails(
                command="get-connection-details",
                location=commands.LocationInformation(ecgi="00101-0abcdef"),
            ),
        ),
        (
            {"command": "message", "system": "mc1", "to": "tel:+1-2", "text": "t"},
            commands.Message(command="message", system="mc1", to="tel:+1-2", text="t"),
        ),
        (
            {"command": "call", "system": "mc1", "to": "sip:a@b"},
            commands.Call(command="call", system="mc1", to="sip:a@b", ring=30.0),
        ),
        (
            {"command": "answer", "system": "mc1", "status": 486},
            commands.Answer(command="answer", system="mc1", status=486),
        ),
        ({"command": "await-media", "system": "mc1"}, commands.AwaitMedia(command="await-media", system="mc1")),
        ({"command": "hang-up", "system": "mc1"}, commands.HangUp(command="hang-up", system="mc1")),
    ],
    ids=str,
)
def test_commands_are_read(line, command) -> None:
    assert parse_command(json.dumps(line).encode()) == command


@pytest.mark.parametrize(
    ("line", "id_", "reason"),
    [
        (b"", None, "the line is not JSON"),
        (b"7", None, "the line is not a JSON object"),
        (b'{"id": [1], "command": "status"}', None, "id"),
        (b'{"id": 1, "command": "isim", "sqn": -1}', 1, "sqn"),
        (b'{"id": 1, "command": "get-connection-details", "location": {}}', 1, "location"),
        (b'{"id": 1, "command": "authenticate", "system": "mc1", "flow": "magic"}', 1, "flow"),
        (b'{"id": 1, "command": "message", "system": "mc1", "to": "sip:a@b", "text": ""}', 1, "text"),
        (b'{"id": 1, "command": "call", "system": "mc1", "to": "http://a"}', 1, "to"),
        (b'{"id": 1, "command": "call", "system": "mc1", "to": "sip:a@b", "ring": 0}', 1, "ring"),
        (b'{"id": 1, "command": "answer", "system": "mc1", "status": 100}', 1, "status"),
        (b'{"id": 1, "command": "await-media", "system": "mc1", "packets": 0}', 1, "packets"),
    ],
)
def test_what_is_no_command_says_why_and_keeps_the_id(line, id_, reason) -> None:
    with pytest.raises(BadCommand) as caught:
        parse_command(line)
    assert caught.value.id == id_ and reason in str(caught.value)


@settings(deadline=None, derandomize=True)
@given(st.binary(max_size=100) | st.dictionaries(st.text(), st.integers()).map(lambda d: json.dumps(d).encode()))
def test_any_line_is_a_command_or_the_error(line) -> None:
    with contextlib.suppress(BadCommand):
        parse_command(line)
