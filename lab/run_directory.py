"""The run directory: where each file of a lab's life lies (docs/lab.md), and its owner afterwards.

run.json topology.toml   etc/<host>/   tls/   log/<host>.log   events/<host>.jsonl   keys/<host>.keys
state/<host>/   raw.pcapng   capture.pcapng   timeline.jsonl   report.json report.html junit.xml
"""

import json
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

FOLDERS: Final = ("etc", "tls", "log", "events", "keys", "state")
PRIVATE: Final = frozenset({"keys", "state"})
"""TLS secrets, and databases with the keys of subscribers: for the owner of the run alone."""
RUN_FILE: Final = "run.json"


class RunDirectoryError(ValueError):
    """The run directory is not there, or not whole; the text is one line."""


@dataclass(frozen=True, slots=True)
class RunDirectory:
    """The paths of one run."""

    path: Path

    @property
    def topology(self) -> Path:
        """The topology as it was used, settings laid over."""
        return self.path / "topology.toml"

    @property
    def raw_capture(self) -> Path:
        """What dumpcap wrote."""
        return self.path / "raw.pcapng"

    @property
    def timeline(self) -> Path:
        """What the supervisor did when, one JSON object a line."""
        return self.path / "timeline.jsonl"

    @property
    def tls(self) -> Path:
        """Certificates: one CA a system."""
        return self.path / "tls"

    @property
    def hosts_file(self) -> Path:
        """Names of the lab, laid over /etc/hosts in each host."""
        return self.path / "etc" / "hosts"

    def etc(self, host: str) -> Path:
        """Rendered configuration of a host."""
        return self.path / "etc" / host

    def state(self, host: str) -> Path:
        """What a host's program keeps: databases, the UE's files."""
        return self.path / "state" / host

    def log(self, host: str) -> Path:
        """Standard error of a host's program."""
        return self.path / "log" / f"{host}.log"

    def events(self, host: str) -> Path:
        """Standard output of a host's program."""
        return self.path / "events" / f"{host}.jsonl"

    def keys(self, host: str) -> Path:
        """TLS secrets of a host's program, in NSS key log format."""
        return self.path / "keys" / f"{host}.keys"

    def make(self) -> None:
        """Make the directory and its folders."""
        for folder in FOLDERS:
            (self.path / folder).mkdir(parents=True, exist_ok=True)
            if folder in PRIVATE:
                (self.path / folder).chmod(0o700)

    def write_run(self, facts: Mapping[str, Any]) -> None:
        """Write ``run.json`` whole or not at all."""
        draft = self.path / f".{RUN_FILE}.{os.getpid()}"
        draft.write_text(json.dumps(facts, indent=2, default=str) + "\n")
        draft.replace(self.path / RUN_FILE)

    def read_run(self) -> dict[str, Any]:
        """Return ``run.json``.

        Raises:
            RunDirectoryError: there is none, or it is cut short.
        """
        file = self.path / RUN_FILE
        try:
            facts = json.loads(file.read_text())
        except OSError as exc:
            raise RunDirectoryError(f"{self.path}: not a run directory: {self._instead(exc)}") from exc
        except (ValueError, RecursionError) as exc:
            raise RunDirectoryError(f"{file}: half-written: {exc}") from exc
        if not isinstance(facts, dict) or "scenario" not in facts:
            raise RunDirectoryError(f"{file}: half-written: no scenario in it")
        return facts

    def _instead(self, exc: OSError) -> str:
        if not self.path.exists():
            return "there is nothing; mclab run leaves them in runs/ of the folder that it is called in"
        if self.path.is_file():
            return "a file; mclab doctor takes a capture"
        return f"{RUN_FILE}: {exc.strerror}"

    def give_to_caller(self) -> None:
        """Make the files belong to whoever called sudo (SUDO_UID, SUDO_GID)."""
        try:
            owner, group = int(os.environ["SUDO_UID"]), int(os.environ["SUDO_GID"])
        except (KeyError, ValueError):
            return
        for file in (self.path, *self.path.rglob("*")):
            os.chown(file, owner, group, follow_symlinks=False)
        if self.path.parent.stat().st_uid == 0 and self.path.parent.name == "runs":
            os.chown(self.path.parent, owner, group)


def new_lab_id() -> str:
    """Return a short name for a new lab; it stands in the namespaces' names."""
    return secrets.token_hex(2)


def new_run_path(scenario: str, lab_id: str, now: datetime | None = None) -> Path:
    """Return ``runs/<scenario>-<time>-<id>`` under the working directory."""
    moment = now or datetime.now(UTC)
    return Path.cwd() / "runs" / f"{scenario}-{moment:%Y%m%d-%H%M%S}-{lab_id}"


def last_lines(file: Path, count: int) -> list[str]:
    """Return the last lines of a text file, none where there is no file."""
    try:
        with file.open("rb") as stream:
            stream.seek(0, os.SEEK_END)
            stream.seek(max(0, stream.tell() - 8192))
            return stream.read().decode(errors="replace").splitlines()[-count:]
    except OSError:
        return []
