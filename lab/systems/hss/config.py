"""The configuration file of the HSS simulator, ``hss.toml``, as a frozen value.

A relative path means a file beside the configuration file. K, OP and OPc never appear in an error.
"""

import tomllib
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Final, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, model_validator

from lab.systems.hss.errors import ConfigError
from mmserver.identity import parse_domain, parse_impi, parse_impu

SECRETS: Final = frozenset({"k", "op", "opc"})


class Mode(StrEnum):
    """How the HSS behaves: as the specification has it, or with one trait of another implementation."""

    PLAIN = "plain"
    AFTER_UAR = "after-uar"
    """A MAR or SAR before a UAR of the same pair is refused with 5002; nothing but SQN survives a restart (Open5GS)."""
    IMSI_ONLY = "imsi-only"
    """Only private identities whose user part is an IMSI are known (PyHSS, Open5GS)."""
    NO_ASSOCIATION = "no-association"
    """The private identity alone decides; the public one is not checked against it (PyHSS)."""


def _beside_the_file(path: Path, info: ValidationInfo) -> Path:
    folder = (info.context or {}).get("folder")
    return path if folder is None or path.is_absolute() else Path(folder) / path


Octets16 = Annotated[str, Field(pattern=r"^[0-9a-fA-F]{32}$")]
Domain = Annotated[str, AfterValidator(parse_domain)]
PrivateUserIdentity = Annotated[str, AfterValidator(parse_impi)]
PublicUserIdentity = Annotated[str, AfterValidator(parse_impu)]
SipUri = Annotated[str, Field(pattern=r"^sips?:[^\s<>\"]{1,250}$")]
ConfigPath = Annotated[Path, AfterValidator(_beside_the_file)]


class Table(BaseModel):
    """A table of the file."""

    # Built once, as a whole, when a file is read: a start costs some 40 ms less than with each model built alone.
    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


class NodeTable(Table):
    """``[node]``: our Diameter node and who may connect to it."""

    origin_host: Domain
    origin_realm: Domain
    address: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(3868, ge=0, le=65535, description="TCP port; 0 takes a free one.")
    peers: tuple[Domain, ...] = Field(min_length=1, description="Host names (Origin-Host) that may connect.")
    watchdog_s: float = Field(6.0, ge=0.1, le=3600, description="Tw of RFC 3539.")


class HssTable(Table):
    """``[hss]``: behaviour and state."""

    mode: Mode = Mode.PLAIN
    state: ConfigPath = Field(description="SQLite file: sequence numbers and registrations.")
    control: ConfigPath | None = Field(None, description="Unix socket for commands; none without it.")
    scscf: tuple[SipUri, ...] = Field(min_length=1, description="S-CSCFs of Server-Capabilities, the preferred first.")
    corrupt_res_for: tuple[PrivateUserIdentity, ...] = Field(
        (), description="Lab only: private identities whose XRES is wrong on purpose."
    )
    rtr_deadline_s: float = Field(2.0, gt=0, le=60, description="How long to wait for an RTA.")


class InitialFilterCriterion(Table):
    """``[[users.ifc]]``: one InitialFilterCriteria (TS 29.228 Annex B.2.2)."""

    priority: int = Field(0, ge=0, le=2**31 - 1)
    server_name: SipUri
    method: str | None = Field(None, pattern=r"^[A-Z]{1,32}$", description="SIP method; none means always.")
    session_case: int | None = Field(None, ge=0, le=3, description="0 originating, 1 terminating registered, ...")
    default_handling: int = Field(0, ge=0, le=1, description="0 session continued, 1 session terminated.")
    include_register_request: bool = False


class SetTable(Table):
    """``[[users.impis]]``: a private identity and its implicit registration set."""

    private_user_identity: PrivateUserIdentity
    public_user_identities: tuple[PublicUserIdentity, ...] = Field(min_length=1, max_length=16)


class UserTable(Table):
    """``[[users]]``: one subscriber: one K, one sequence number generator, one or more identity sets."""

    name: str = Field(min_length=1, max_length=255)
    k: Octets16 = Field(repr=False)
    op: Octets16 | None = Field(None, repr=False)
    opc: Octets16 | None = Field(None, repr=False)
    amf: str = Field("8000", pattern=r"^[0-9a-fA-F]{4}$")
    visited_networks: tuple[str, ...] | None = Field(None, description="Where roaming is allowed; everywhere if unset.")
    barred: bool = Field(False, description="UAR is answered 5003 (authorization rejected).")
    ifc: tuple[InitialFilterCriterion, ...] = ()
    impis: tuple[SetTable, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _one_of_op_and_opc(self) -> Self:
        if (self.op is None) == (self.opc is None):
            raise ValueError("exactly one of op and opc is wanted")
        return self


class HssConfig(Table):
    """The whole file."""

    node: NodeTable
    hss: HssTable
    users: tuple[UserTable, ...] = ()

    @model_validator(mode="after")
    def _each_name_once(self) -> Self:
        _unique("user", [user.name for user in self.users])
        _unique("private user identity", [row.private_user_identity for user in self.users for row in user.impis])
        return self


def load_config(path: Path) -> HssConfig:
    """Return the file at ``path``.

    Raises:
        ConfigError: it cannot be read, is not TOML, or breaks a constraint.
    """
    try:
        data = tomllib.loads(path.read_text("utf-8"))
    except OSError as exc:
        raise ConfigError(f"{path}: {exc.strerror or exc}") from exc
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as exc:
        raise ConfigError(f"{path.name}: {exc}") from exc
    try:
        return HssConfig.model_validate(data, context={"folder": path.parent})
    except ValidationError as exc:
        raise ConfigError(f"{path.name}: {_first_fault(exc)}") from None


def _unique(what: str, names: list[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise ValueError(f"{what} {name} stands twice")
        seen.add(name)


def _first_fault(exc: ValidationError) -> str:
    error = exc.errors(include_url=False)[0]
    where = ".".join(str(part) for part in error["loc"]) or "file"
    limits: dict[str, Any] = error.get("ctx", {})
    shown = "the value" if SECRETS & {str(part) for part in error["loc"]} else error["input"]
    match error["type"]:
        case "extra_forbidden":
            what = "no such setting"
        case "missing":
            what = "is missing"
        case "less_than_equal":
            what = f"{shown} is more than {limits['le']}"
        case "greater_than_equal":
            what = f"{shown} is less than {limits['ge']}"
        case "string_pattern_mismatch":
            what = f"{shown} does not match {limits['pattern']}"
        case _:
            what = error["msg"].removeprefix("Value error, ")
    return f"{where}: {what}"
