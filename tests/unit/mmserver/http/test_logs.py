"""Events go to standard error as JSON, a library's warnings too."""

import contextlib
import json
import os
import pty
import subprocess
import sys

import pytest

from tests import unwritable

PROGRAM = """
import logging, structlog
from mmserver.http.logs import configure_logs
configure_logs(program="mms", system="mc1")
structlog.get_logger().info("binding.written", binding="b-1")
structlog.get_logger().debug("not.shown")
logging.getLogger("uvicorn.error").warning("Invalid HTTP request received.")
logging.getLogger("uvicorn.error").info("not shown")
try:
    1 / 0
except ZeroDivisionError:
    structlog.get_logger().exception("request.failed")
"""


def test_each_event_is_one_line_of_json() -> None:
    run = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True, timeout=60)
    events = [json.loads(line) for line in run.stderr.splitlines()]
    assert [event["event"] for event in events] == [
        "binding.written",
        "Invalid HTTP request received.",
        "request.failed",
    ]
    assert {event["program"] for event in events} == {"mms"}
    assert "ZeroDivisionError" in events[2]["exception"]
    assert run.stdout == ""


@unwritable.EACH
def test_a_log_that_cannot_be_written_stops_nobody(opener: unwritable.Opener) -> None:
    with unwritable.opened(opener) as stderr:
        run = subprocess.run(
            [sys.executable, "-c", PROGRAM + "print('went on')"],
            stdout=subprocess.PIPE,
            stderr=stderr,
            timeout=60,
            text=True,
        )
    assert run.stdout == "went on\n"


@unwritable.EACH
def test_a_server_whose_ready_line_nobody_can_read_goes_on(opener: unwritable.Opener) -> None:
    program = "import sys; from mmserver.http.server import announce_ready; announce_ready(['127.0.0.1:1'])"
    with unwritable.opened(opener) as stdout:
        run = subprocess.run(
            [sys.executable, "-c", f"{program}; print('went on', file=sys.stderr)"],
            stdout=stdout,
            stderr=subprocess.PIPE,
            timeout=60,
            text=True,
        )
    assert (run.stderr, run.returncode) == ("went on\n", 0)


SHORT_OF_ROOM = """
import logging, os, sys, structlog
from mmserver.http.logs import configure_logs
configure_logs(program="mms")
kept = os.dup(2)
os.dup2(int(sys.argv[1]), 2)
structlog.get_logger().info("lost")
logging.getLogger("uvicorn.error").warning("lost too")
os.dup2(kept, 2)
structlog.get_logger().info("back")
"""


@unwritable.EACH
def test_lost_lines_are_counted_before_the_next_one_that_can_be_written(opener: unwritable.Opener) -> None:
    with unwritable.opened(opener) as descriptor:
        run = subprocess.run(
            [sys.executable, "-c", SHORT_OF_ROOM, str(descriptor)],
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
            pass_fds=(descriptor,),
        )
    lost, back = [json.loads(line) for line in run.stderr.splitlines()]
    assert (lost["event"], lost["count"], lost["program"], lost["level"]) == ("log.lost", 2, "mms", "error")
    assert back["event"] == "back"


SECRET = """
def verify(token):
    raise ValueError("odd")

try:
    verify("the-" + "secret")
except ValueError:
    structlog.get_logger().exception("request.failed")
"""


@pytest.mark.parametrize(
    "program",
    [
        "import structlog; from mmserver.http.logs import configure_logs; configure_logs(program='mms')",
        "import structlog; from diameter_proxy.logs import configure_logs; configure_logs()",
    ],
    ids=["servers", "others"],
)
def test_a_traceback_at_a_terminal_shows_no_values(program: str) -> None:
    """With rich installed, structlog would show the local variables of every frame: tokens, keys, passwords."""
    ours, theirs = pty.openpty()
    run = subprocess.Popen([sys.executable, "-c", program + SECRET], stderr=theirs)
    os.close(theirs)
    shown = b""
    with contextlib.suppress(OSError), os.fdopen(ours, "rb", buffering=0) as terminal:  # EIO: the other end is closed
        while octets := terminal.read(4096):
            shown += octets
    assert run.wait(60) == 0
    assert b"ValueError" in shown
    assert b"the-secret" not in shown
