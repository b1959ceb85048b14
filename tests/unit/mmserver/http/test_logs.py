"""Events go to standard error as JSON, a library's warnings too."""

import json
import subprocess
import sys
from pathlib import Path

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
