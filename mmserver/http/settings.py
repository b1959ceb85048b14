"""Configuration files of both servers: TOML into a frozen pydantic value, with errors of one line.

``error: mms.toml: http.port: 70000 is more than 65535``.  Unknown keys are errors.  A relative path means a file beside
the configuration file.
"""

import tomllib
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Annotated, Any, Final, TypeVar
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, ValidationInfo

from mmserver.http.tls import Credentials

CONFIG_OCTETS_MAX: Final = 16 * 1024 * 1024


class ConfigError(Exception):
    """A configuration file cannot be used; the text is one line that names file, key and fault."""


class Table(BaseModel):
    """A table of a configuration file."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


def _beside_the_file(path: Path, info: ValidationInfo) -> Path:
    folder = (info.context or {}).get("folder")
    return path if folder is None or path.is_absolute() else Path(folder) / path


def _existing(path: Path) -> Path:
    if not path.is_file():
        raise ValueError(f"no such file: {path}")
    return path


def readable_store_url(url: str) -> str:
    """Return a store's URL, of which a database library would say what is wrong only when it connects.

    Raises:
        ValueError: its port is no port, or several hosts stand where one does.
    """
    try:
        port = urlsplit(url).port
    except ValueError:
        port = 0
    if port == 0:
        raise ValueError("its port is not one of 1 to 65535; several hosts stand as ?host=A:5432&host=B:5432")
    return url


ConfigPath = Annotated[Path, AfterValidator(_beside_the_file)]
"""A path; a relative one lies beside the configuration file."""

ConfigFile = Annotated[Path, AfterValidator(_beside_the_file), AfterValidator(_existing)]
"""A file that must be there."""

Port = Annotated[int, Field(ge=0, le=65535, description="TCP port; 0 takes a free one.")]
Seconds = Annotated[float, Field(gt=0, le=366 * 86400)]


class TlsTable(Table):
    """``[tls]``: our certificate chain and private key, PEM."""

    certificate: ConfigFile
    private_key: ConfigFile

    def credentials(self) -> Credentials:
        """Return them for a TLS context."""
        return Credentials(self.certificate, self.private_key)


class MetricsTable(Table):
    """``[metrics]``: who may read them.  Nobody, unless told."""

    clients: Annotated[tuple[str, ...], Field(description="Client names that may read /metrics beside the API.")] = ()
    address: Annotated[str | None, Field(description="IP address of a listener for metrics alone, plain HTTP.")] = None
    port: Port = 9464


T = TypeVar("T", bound=BaseModel)


def changed_settings(old: BaseModel, new: BaseModel, tables: Iterable[str], *, but: Collection[str] = ()) -> list[str]:
    """Return as ``table.setting`` what differs in these tables, or ``table`` where one has it and the other has not.

    ``but`` names settings that do not count.
    """
    found: list[str] = []
    for table in tables:
        before, after = getattr(old, table), getattr(new, table)
        if not isinstance(before, BaseModel) or not isinstance(after, BaseModel):
            found += [table] if before != after and table not in but else []
            continue
        names = (name for name in type(before).model_fields if getattr(before, name) != getattr(after, name))
        found += [f"{table}.{name}" for name in names if f"{table}.{name}" not in but]
    return found


def missing_store(url: str) -> str | None:
    """Return the line on a store in SQLite whose file or folder is not there; a server would leave an empty file."""
    path = url.partition("sqlite+aiosqlite:///")[2]
    if not path or Path(path).exists():
        return None
    what = "file" if Path(path).parent.is_dir() else "folder"
    return f"store: {path}: there is no such {what}; `upgrade` makes the store"


def store_fault(url: str, reason: str) -> str:
    """Return the line on a store that cannot be used; SQLite's own words do not name the file."""
    path = url.partition("sqlite+aiosqlite:///")[2]
    return f"store: {path}: {reason}" if path else f"store: {reason}"


def load_toml(path: Path, model: type[T]) -> T:
    """Return the file at ``path`` as a ``model``.

    Raises:
        ConfigError: it cannot be read, is not TOML, or breaks a constraint.
    """
    try:
        with path.open("rb") as file:
            octets = file.read(CONFIG_OCTETS_MAX + 1)
        if len(octets) > CONFIG_OCTETS_MAX:
            raise ConfigError(f"{path.name}: over {CONFIG_OCTETS_MAX} octets")
        data = tomllib.loads(octets.decode())
    except OSError as exc:
        raise ConfigError(f"{path}: {exc.strerror or exc}") from exc
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as exc:
        raise ConfigError(f"{path.name}: {exc}") from exc
    return validate(data, model, name=path.name, folder=path.parent)


def validate(data: dict[str, Any], model: type[T], *, name: str, folder: Path | None = None) -> T:
    """Return ``data`` as a ``model``; ``name`` stands before each fault.

    Raises:
        ConfigError: it breaks a constraint.
    """
    try:
        return model.model_validate(data, context={"folder": folder})
    except ValidationError as exc:
        raise ConfigError(f"{name}: {_first_fault(exc)}") from None


def _first_fault(exc: ValidationError) -> str:
    error = exc.errors(include_url=False)[0]
    where = ".".join(str(part) for part in error["loc"]) or "file"
    context: dict[str, Any] = error.get("ctx", {})
    shown = error["input"]
    match error["type"]:
        case "extra_forbidden":
            what = "no such setting"
        case "missing":
            what = "is missing"
        case "less_than_equal":
            what = f"{shown} is more than {context['le']}"
        case "greater_than_equal":
            what = f"{shown} is less than {context['ge']}"
        case "greater_than":
            what = f"{shown} is not more than {context['gt']}"
        case "finite_number":
            what = f"{shown} is no finite number"
        case _:
            what = error["msg"].removeprefix("Value error, ")
    return f"{where}: {what}"
