"""The types of ``proxy.toml``: files beside it, names, ports, seconds."""

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationInfo


def _beside_the_file(path: Path, info: ValidationInfo) -> Path:
    folder = (info.context or {}).get("folder")
    return path if folder is None or path.is_absolute() else Path(folder) / path


def _existing(path: Path) -> Path:
    if not path.is_file():
        raise ValueError(f"no such file: {path}")
    return path


ConfigFile = Annotated[Path, AfterValidator(_beside_the_file), AfterValidator(_existing)]
ConfigPath = Annotated[Path, AfterValidator(_beside_the_file)]
DiameterIdentity = Annotated[
    str, Field(min_length=1, max_length=255, pattern=r"^[A-Za-z0-9._\-]+$"), AfterValidator(str.lower)
]
Port = Annotated[int, Field(ge=0, le=65535, description="TCP port; 0 takes a free one.")]
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

    model_config = ConfigDict(frozen=True, extra="forbid")
