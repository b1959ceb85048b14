"""The last known lent range on disk: what a proxy that starts while its MMS is down must not relay to the HSS.

Only the range is kept.  A map of bindings would be older than ``limits.max_map_age_s`` in most outages, and what was
withdrawn meanwhile must not come back; with the range, a lent identity is answered 3002 until the feed has said more.
"""

import contextlib
import json
import os
import tempfile
from pathlib import Path
from typing import Final, NamedTuple

import structlog

from diameter_proxy.reading import read_regular

STATE_OCTETS_MAX: Final = 4096


class LentRange(NamedTuple):
    """Where our lent identities lie: the domain, and how their user parts begin."""

    domain: str
    prefix: str


class LentRangeFile:
    """One small JSON file, mode 0600, exchanged as a whole."""

    def __init__(self, path: Path) -> None:
        self._path: Final = path
        self._log: Final = structlog.get_logger()
        self._written: LentRange | None = None

    def read(self) -> LentRange | None:
        """Return what was written last; None when there is none, or nothing that can be used (which is logged)."""
        try:
            body = json.loads(read_regular(self._path, STATE_OCTETS_MAX))
            domain, prefix = body["lent_range"]["domain"], body["lent_range"]["prefix"]
            if not (isinstance(domain, str) and isinstance(prefix, str) and domain and prefix):
                raise ValueError("domain and prefix are wanted")
            (domain + prefix).encode()  # a lone surrogate is no text
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError, RecursionError) as exc:
            self._log.error("state.unusable", file=str(self._path), reason=f"{type(exc).__name__}: {exc}")
            return None
        self._written = LentRange(domain, prefix)
        return self._written

    def write(self, lent_range: LentRange) -> None:
        """Put a range on disk, if it is not there already; a disk that is full is logged, and tried again next time."""
        if lent_range == self._written:
            return
        try:
            self._replace(json.dumps({"lent_range": lent_range._asdict()}) + "\n")
        except OSError as exc:
            self._log.error("state.unwritten", file=str(self._path), reason=exc.strerror or str(exc))
            return
        self._written = lent_range

    def _replace(self, text: str) -> None:
        folder = self._path.parent
        number, name = tempfile.mkstemp(dir=folder, prefix=f".{self._path.name}.")  # mode 0600
        try:
            with os.fdopen(number, "w") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            Path(name).replace(self._path)
        except OSError:
            with contextlib.suppress(OSError):
                Path(name).unlink()
            raise
        opened = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(opened)
        finally:
            os.close(opened)
