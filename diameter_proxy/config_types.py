"""The types of ``proxy.toml``: files beside it, names, ports, seconds."""

import os
from pathlib import Path
from typing import Annotated, Final

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo

from diameter_proxy.reading import other_kind

SOCKET_OCTETS_MAX: Final = 107
"""``sun_path`` without its NUL (unix(7))."""


def _beside_the_file(path: Path, info: ValidationInfo) -> Path:
    folder = (info.context or {}).get("folder")
    return path if folder is None or path.is_absolute() else Path(folder) / path


def _not_empty(name: object) -> object:
    if name == "":
        raise ValueError("is empty: name a path, or leave it out")
    return name


def _without_nul(path: Path) -> Path:
    if "\0" in str(path):
        raise ValueError("holds a NUL, which no path may have")
    return path


def _existing(path: Path) -> Path:
    try:
        kind = other_kind(path)
    except (FileNotFoundError, NotADirectoryError):
        raise ValueError(f"no such file: {path}") from None
    except OSError as exc:
        raise ValueError(f"{path}: {exc.strerror or exc}") from None
    if kind:
        raise ValueError(f"{path} is {kind}, not a file")
    return path


def _a_file_if_there(path: Path) -> Path:
    try:
        kind = other_kind(path)
    except OSError:
        return path  # who writes it says so
    if kind:
        raise ValueError(f"{path} is {kind}, not a file")
    return path


def _bindable(path: Path) -> Path:
    """Refuse what no socket can be bound at; that another process listens there shows only when it is tried."""
    octets = len(os.fsencode(path))
    if octets > SOCKET_OCTETS_MAX:
        raise ValueError(f"{path} has {octets} octets, a socket's path {SOCKET_OCTETS_MAX} at most: name a shorter one")
    # systemd makes a folder of /run when it starts the program (RuntimeDirectory=)
    if not path.parent.is_dir() and path.parent.parent != Path("/run"):
        raise ValueError(f"no such folder: {path.parent}: make it, or name another path")
    if path.exists() and not path.is_socket():
        raise ValueError(f"{path} is {other_kind(path) or 'a file'}, not a socket: name another path")
    return path


NamedPath = Annotated[Path, BeforeValidator(_not_empty), AfterValidator(_without_nul), AfterValidator(_beside_the_file)]
ConfigFile = Annotated[NamedPath, AfterValidator(_existing)]
StateFile = Annotated[NamedPath, AfterValidator(_a_file_if_there)]
SocketPath = Annotated[NamedPath, AfterValidator(_bindable)]
DiameterIdentity = Annotated[
    str, Field(min_length=1, max_length=255, pattern=r"^[A-Za-z0-9._\-]+$"), AfterValidator(str.lower)
]
Integer = Annotated[int, Field(strict=True)]
Port = Annotated[Integer, Field(ge=0, le=65535, description="TCP port; 0 takes a free one.")]
Seconds = Annotated[float, Field(gt=0, le=86400)]
SystemName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9.\-]{0,62}$")]


def _of_ours(transport: str) -> str:
    if transport == "sctp":
        raise ValueError("sctp is not there: Diameter runs over TCP here, and TLS over TCP (RFC 6733 §2.1)")
    if transport != "tcp":
        raise ValueError("tcp is the only transport")
    return transport


Transport = Annotated[str, AfterValidator(_of_ours)]


class Table(BaseModel):
    """A table of the file."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
