"""Logs of the HSS simulator."""

import json

import pytest
import structlog

from lab.systems.hss.logs import configure_logs


def test_an_event_is_a_line_of_json_on_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    try:
        configure_logs(program="hss")
        structlog.get_logger().info("program.started", mode="plain")
        structlog.get_logger().debug("peer.open")
        captured = capsys.readouterr()
    finally:
        structlog.reset_defaults()
        structlog.contextvars.clear_contextvars()
    event = json.loads(captured.err)
    assert (event["event"], event["program"], event["mode"], event["level"]) == (
        "program.started",
        "hss",
        "plain",
        "info",
    )
    assert captured.out == ""
