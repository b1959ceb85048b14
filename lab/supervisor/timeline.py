"""What the supervisor did when: one JSON object a line, written as it happens."""

import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

Listener = Callable[[Mapping[str, Any]], None]


class Timeline:
    """The run's timeline, also told to a listener (who waits at the command line)."""

    def __init__(self, file: Path, listener: Listener | None = None) -> None:
        self._stream = file.open("a", buffering=1)
        self._began = time.monotonic()
        self._listener = listener

    def note(self, event: str, **values: Any) -> None:
        """Write one event; ``at`` is seconds since the epoch, ``after_s`` seconds since the lab began."""
        line = {"at": time.time(), "after_s": round(time.monotonic() - self._began, 4), "event": event, **values}
        self._stream.write(json.dumps(line, default=str) + "\n")
        if self._listener is not None:
            self._listener(line)

    def close(self) -> None:
        """Close the file."""
        self._stream.close()
