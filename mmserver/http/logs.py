"""Logs of both servers: structlog events on standard error, JSON in service, console at a terminal.

Whatever a library says through ``logging`` from WARNING up goes the same way.  No secret is ever an event's field.
"""

import logging
import sys
from typing import TextIO

import structlog


class EventWriter:
    """Writes one line per event; a full disk behind standard error costs the line, not the request.

    ``lost`` counts the lines that could not be written.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.lost = 0

    def msg(self, message: str) -> None:
        """Write a line."""
        try:
            self._stream.write(message + "\n")
            self._stream.flush()
        except OSError:
            self.lost += 1

    log = debug = info = warn = warning = error = err = critical = exception = fatal = failure = msg


def configure_logs(**bound: str) -> None:
    """Send events to standard error, each with the ``bound`` fields (``program="mms"``)."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    renderer: structlog.typing.Processor = structlog.processors.JSONRenderer()
    if sys.stderr.isatty():
        renderer = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
    else:
        shared.append(structlog.processors.format_exc_info)
    structlog.configure(
        processors=[*shared, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=lambda *_: EventWriter(sys.stderr),
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(**bound)
    logging.raiseExceptions = False  # as EventWriter: a log that cannot be written stops nobody
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(processor=renderer, foreign_pre_chain=shared))
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
