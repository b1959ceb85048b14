"""Events on standard error, JSON in service."""

import json
import logging

import structlog

from diameter_proxy.logs import configure_logs


def test_an_event_is_a_line_of_json(capsys):
    kept = logging.root.handlers[:], logging.root.level
    try:
        configure_logs("info", node="proxy1")
        structlog.get_logger().info("peer.open", peer="hss")
        structlog.get_logger().debug("not.shown")
    finally:
        structlog.reset_defaults()
        structlog.contextvars.clear_contextvars()
        logging.root.handlers[:], logging.root.level = kept
    line = json.loads(capsys.readouterr().err)
    assert (line["event"], line["peer"], line["node"], line["level"]) == ("peer.open", "hss", "proxy1", "info")
