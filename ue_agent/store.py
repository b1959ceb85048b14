"""What a UE keeps over a restart: its ISIM's sequence numbers, and each MC system's configuration in a file of its own.

    STATE_DIR/                 0700
      lock                     held by the one process that is this UE
      device.json              the UE's instance, a random URN
      isim.json                the array of TS 33.102 Annex C.2.2
      systems/mc1.json  ...    0600, one for each MC system

Each file is replaced atomically and is on the disk before the call returns.  A file of the primary MC system is
written from the UE's own configuration alone, never from what a partner or a server said (10.1.X.1 NOTE 3).
The only module that touches these files.
"""

import fcntl
import json
import os
import uuid
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from mmserver.messages import DomainText, IdentitySet, InitialUeConfiguration, SystemName
from ue_agent.config import SipRoute
from ue_agent.errors import StoreError

FILE_OCTETS_MAX: Final = 1 << 22
_SYSTEM_NAME: Final = TypeAdapter[str](SystemName)


class SystemEntry(BaseModel):
    """The configuration of one MC system as the UE keeps it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    mc_system: SystemName
    role: Literal["primary", "partner"]
    identities: IdentitySet
    home_domain: DomainText
    p_cscf: Annotated[tuple[SipRoute, ...], Field(min_length=1, max_length=8)]
    initial_ue_configuration: InitialUeConfiguration | None = None
    valid_until: datetime | None = None


class Store:
    """The state directory of one UE."""

    def __init__(self, folder: Path) -> None:
        """Make the directory where it is missing, and take its lock.

        Raises:
            StoreError: it cannot be made, or another process is this UE.
        """
        self._folder = folder
        try:
            (folder / "systems").mkdir(mode=0o700, parents=True, exist_ok=True)
            folder.chmod(0o700)
            self._lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as exc:
            raise StoreError(f"ue.state_dir: {folder}: {exc.strerror or exc}; wanted a folder of our own") from exc
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as exc:
            os.close(self._lock)
            raise StoreError(f"{folder}: another ue-agent is this UE: an ISIM is in one device at a time") from exc

    def close(self) -> None:
        """Give back the lock."""
        os.close(self._lock)

    def isim_state(self, private_user_identity: str) -> tuple[int, ...] | None:
        """Return the sequence numbers of that card, None for a card never used.

        Raises:
            StoreError: the file is there but damaged: a card must not forget its numbers silently.
        """
        data = self._read(self._folder / "isim.json")
        if data is None or data.get("private_user_identity") != private_user_identity:
            return None
        state = data.get("sequence_numbers")
        if not isinstance(state, list) or not all(isinstance(seq, int) for seq in state):
            raise StoreError("isim.json: no sequence numbers in it")
        return tuple(state)

    def save_isim_state(self, private_user_identity: str, state: tuple[int, ...]) -> None:
        """Make the sequence numbers durable.

        Raises:
            StoreError: the disk refuses.
        """
        data = {"private_user_identity": private_user_identity, "sequence_numbers": list(state)}
        _replace(self._folder / "isim.json", json.dumps(data))

    def instance(self) -> str:
        """Return the URN of this UE for ``+sip.instance``: random, the same for good (RFC 5626 §4.1).

        Raises:
            StoreError: the disk refuses.
        """
        path = self._folder / "device.json"
        data = self._read(path)
        if data is None:
            data = {"instance": uuid.uuid4().urn}
            _replace(path, json.dumps(data))
        return str(data.get("instance"))

    def save_primary(self, entry: SystemEntry) -> None:
        """Keep the primary MC system's entry, from the UE's own configuration.

        Raises:
            StoreError: the disk refuses.
        """
        assert entry.role == "primary"
        self._save(entry)

    def save_partner(self, entry: SystemEntry) -> None:
        """Keep a partner's entry, as step 13 gave it.

        Raises:
            StoreError: it names the primary MC system (10.1.X.1 NOTE 3), or the disk refuses.
        """
        assert entry.role == "partner"
        known = self.load(entry.mc_system)
        if known is not None and known.role == "primary":
            raise StoreError(f"{entry.mc_system} is the primary MC system: a partner's reply never overwrites it")
        self._save(entry)

    def load(self, mc_system: str) -> SystemEntry | None:
        """Return what is kept for a system, None when nothing is.

        Raises:
            StoreError: the name is none, or the file is damaged.
        """
        path = self._path(mc_system)
        data = self._read(path)
        if data is None:
            return None
        try:
            entry = SystemEntry.model_validate(data)
        except ValidationError as exc:
            raise StoreError(f"{path.name}: damaged: {exc.errors(include_url=False)[0]['msg']}") from exc
        if entry.mc_system != mc_system:
            raise StoreError(f"{path.name}: damaged: it is of {entry.mc_system}")
        return entry

    def systems(self) -> tuple[SystemEntry, ...]:
        """Return all entries, by name.

        Raises:
            StoreError: one of them is damaged.
        """
        names = sorted(path.stem for path in (self._folder / "systems").glob("*.json"))
        return tuple(entry for name in names if (entry := self.load(name)) is not None)

    def _save(self, entry: SystemEntry) -> None:
        _replace(self._path(entry.mc_system), entry.model_dump_json(indent=1))

    def _path(self, mc_system: str) -> Path:
        try:
            name = _SYSTEM_NAME.validate_python(mc_system)
        except ValidationError as exc:
            raise StoreError("that is not the name of an MC system") from exc
        return self._folder / "systems" / f"{name}.json"

    def _read(self, path: Path) -> dict[str, Any] | None:
        try:
            with path.open("rb") as file:
                data = json.loads(file.read(FILE_OCTETS_MAX))
        except FileNotFoundError:
            return None
        except OSError as exc:
            raise StoreError(f"{path.name}: {exc.strerror or exc}") from exc
        except ValueError as exc:
            raise StoreError(f"{path.name}: damaged: not JSON") from exc
        if not isinstance(data, dict):
            raise StoreError(f"{path.name}: damaged: not a JSON object")
        return data


def _replace(path: Path, text: str) -> None:
    """Put ``text`` into ``path`` so that a reader, or a power cut, finds the old file or the new one, whole."""
    draft = path.with_name(f".{path.name}.new")
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            os.fchmod(file.fileno(), 0o600)
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as exc:
        raise StoreError(f"{path.name}: cannot be written: {exc.strerror or exc}") from exc
