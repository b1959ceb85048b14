"""Logs: structlog events on standard error, JSON in service, console at a terminal.  No secret is an event's field.

Knows no program, and serves servers other than the proxy too.
"""

import functools
import json
import logging
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any, BinaryIO, ClassVar, Final, TextIO

import structlog


class LineWriter:
    """Writes lines for structlog and ``logging``; what cannot be written is dropped and counted, and nothing raises.

    A full disk (ENOSPC) or a pipe whose reader has died (EPIPE) costs lines, never a peer.  Nothing is kept back: when
    there is room again, a line before the next one says how many were lost.  A pipe that nobody reads still blocks the
    writer, as soon as it is full: who collects the lines has to read them.
    """

    lost: ClassVar[int] = 0
    """Lines lost in this process."""

    def __init__(self, stream: TextIO, tell_lost: Callable[[int], str]) -> None:
        """Take what makes the line that says how many were lost."""
        # past Python's buffers: they would keep what failed, and fail again with it at the next line and at the exit
        self._file: Final[BinaryIO] = getattr(stream.buffer, "raw", stream.buffer)
        self._tell_lost: Final = tell_lost
        self._untold = 0
        self._is_torn = False
        self._lock: Final = threading.Lock()

    def msg(self, message: str) -> None:
        """Write a line."""
        with self._lock:
            if self._untold and self._put(self._tell_lost(self._untold)):
                self._untold = 0
            if self._untold or not self._put(message):
                self._untold += 1
                LineWriter.lost += 1

    log = debug = info = warn = warning = error = err = critical = exception = fatal = failure = msg

    def write(self, text: str) -> None:
        """Write what ``logging`` ends with a line feed of its own."""
        self.msg(text.removesuffix("\n"))

    def flush(self) -> None:
        """Do nothing: all is written."""

    def _put(self, line: str) -> bool:
        """Write a line, after a line feed where the last one broke off; say whether it is out as a whole."""
        rest = memoryview(("\n" * self._is_torn + line + "\n").encode(errors="backslashreplace"))
        try:
            while rest:
                written = self._file.write(rest)
                if not written:  # a pipe that does not block and is full
                    return False
                rest, self._is_torn = rest[written:], True
        except (OSError, ValueError):  # ValueError: it is closed
            return False
        self._is_torn = False
        return True


def configure_logs(level: str = "info", **bound: str) -> None:
    """Send events to standard error, each with the ``bound`` fields; what libraries say from WARNING up too."""
    processors: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    if sys.stderr.isatty():
        processors.append(structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback))
    else:
        processors += [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    writer = log_writer(processors, **bound)
    structlog.configure(
        processors=processors,
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=lambda *_: writer,
        cache_logger_on_first_use=False,
    )
    structlog.contextvars.bind_contextvars(**bound)
    logging.basicConfig(level=logging.WARNING, stream=writer, force=True)


def log_writer(processors: Sequence[structlog.typing.Processor], **bound: str) -> LineWriter:
    """Return what writes to standard error; its own event, ``log.lost``, goes through the same processors."""
    return LineWriter(sys.stderr, lambda count: _rendered(processors, {**bound, "event": "log.lost", "count": count}))


def tell(event: Mapping[str, Any]) -> None:
    """Write an event on standard output; one that cannot be written is lost and counted, as a line of the log is."""
    _teller(sys.stdout).msg(json.dumps(event))


@functools.lru_cache(maxsize=1)
def _teller(stream: TextIO) -> LineWriter:
    return LineWriter(stream, lambda count: json.dumps({"event": "log.lost", "count": count}))


def _rendered(processors: Sequence[structlog.typing.Processor], fields: dict[str, Any]) -> str:
    """Return an event of level error as a line, whatever level is logged."""
    said: Any = fields
    for processor in processors:
        said = processor(None, "error", said)
    return str(said)
