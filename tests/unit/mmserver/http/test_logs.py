"""Events go to standard error as JSON, a library's warnings too."""

import contextlib
import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

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


def test_a_full_disk_behind_the_log_stops_nobody() -> None:
    with Path("/dev/full").open("w") as full:
        run = subprocess.run(
            [sys.executable, "-c", PROGRAM + "print('went on')"],
            stdout=subprocess.PIPE,
            stderr=full,
            timeout=60,
            text=True,
        )
    assert run.stdout == "went on\n"


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
        "import structlog; from lab.systems.hss.logs import configure_logs; configure_logs()",
        "import structlog; from lab.systems.idms.server import _configure_log; _configure_log()",
    ],
    ids=["servers", "proxy", "hss", "idms"],
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
