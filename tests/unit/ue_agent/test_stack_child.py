"""The stack's process, without pjsua2: its mailbox, its lines, its question to the ISIM, its events."""

import json
import os
import socket
import threading

import pytest

from ue_agent.challenge import Answer, DigestQuestion
from ue_agent.pjsua_call import CallAnswered, CallEnded, CallReceived, MediaCounted, MediaStarted
from ue_agent.pjsua_stack import MessageReceived, MessageSent, RegistrationChanged
from ue_agent.stack_child import IsimChannel, Mailbox, _LineReader, event_to_json

QUESTION = DigestQuestion("u@d", "d", "n", "sip:d", "REGISTER", "auth", "00000001", "c")


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (
            RegistrationChanged(200, "OK", 540, ("sip:u@d",)),
            {"event": "registration", "status": 200, "reason": "OK", "expires_s": 540,
             "public_user_identities": ("sip:u@d",)},
        ),
        (
            MessageReceived("sip:u@d", "text/plain", "hello"),
            {"event": "message-received", "sender": "sip:u@d", "content_type": "text/plain", "text": "hello"},
        ),
        (CallReceived("sip:u@d"), {"event": "call-received", "caller": "sip:u@d"}),
        (CallAnswered(200, "OK"), {"event": "call-answered", "status": 200, "reason": "OK"}),
        (
            CallEnded(486, "Busy Here", 1, 2),
            {"event": "call-ended", "status": 486, "reason": "Busy Here", "rtp_sent": 1, "rtp_received": 2},
        ),
        (MediaCounted(1, 2), {"event": "media", "rtp_sent": 1, "rtp_received": 2}),
        (MediaStarted(), {"event": "media-started"}),
        (MessageSent(202, "Accepted"), {"event": "message-sent", "status": 202, "reason": "Accepted"}),
    ],
    ids=lambda value: value.get("event") if isinstance(value, dict) else "",
)  # fmt: skip
def test_events_as_the_parent_reads_them(event, expected) -> None:
    assert event_to_json(event) == expected


def test_mailbox_wakes_and_keeps_the_order() -> None:
    mailbox = Mailbox()
    for status in (1, 2, 3):
        mailbox.push(MessageSent(status, ""))
    assert [event.status for event in mailbox.take()] == [1, 2, 3]


def test_mailbox_never_blocks_when_nobody_reads() -> None:
    mailbox = Mailbox()
    for _ in range(70000):
        mailbox.push(MessageSent(1, ""))
    assert len(mailbox.take()) == 70000


def test_lines_are_taken_whole() -> None:
    reading, writing = os.pipe()
    reader = _LineReader(reading)
    os.write(writing, b"first\nsecond\n\nthi")
    assert reader.wait_for_line() == b"first"
    assert reader.take() == [b"second"]
    os.write(writing, b"rd\n")
    reader.fill()
    assert reader.take() == [b"third"] and not reader.ended
    os.close(writing)
    assert reader.wait_for_line() is None and reader.ended
    os.close(reading)


def answer_once(connection: socket.socket, line: bytes) -> threading.Thread:
    def answer() -> None:
        with connection, connection.makefile("rb") as lines:
            assert json.loads(lines.readline())["username"] == "u@d"
            connection.sendall(line)

    thread = threading.Thread(target=answer)
    thread.start()
    return thread


def test_the_isim_is_asked_and_answers() -> None:
    ours, theirs = socket.socketpair()
    thread = answer_once(theirs, b'{"response": "r", "auts": "", "refusal": ""}\n')
    with ours:
        assert IsimChannel(ours).ask(QUESTION) == Answer("r")
    thread.join()


@pytest.mark.parametrize("line", [b"", b"no json\n", b'{"x": 1}\n'])
def test_an_isim_that_is_gone_or_odd_is_an_error(line) -> None:
    ours, theirs = socket.socketpair()
    thread = answer_once(theirs, line)
    with ours, pytest.raises((OSError, ValueError, TypeError)):
        IsimChannel(ours).ask(QUESTION)
    thread.join()
