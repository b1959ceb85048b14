"""Configuration of a configuration management server: one TOML file, read at the start and at every reload.

Users, groups and agreements of the file are read-only; more of them may come over the admin API (``catalogue``).
"""

from pathlib import Path
from typing import Annotated, Final

from pydantic import AfterValidator, Field, model_validator

from mmserver.configuration.terms import Group, HttpsUrl, Partner, User
from mmserver.http.settings import (
    ConfigFile,
    MetricsTable,
    Port,
    Seconds,
    Table,
    TlsTable,
    load_toml,
    readable_store_url,
)
from mmserver.messages import DomainText, InitialUeConfiguration, SystemName

CONFIG_MANAGEMENT_SCOPES: Final = tuple(
    f"3gpp:mc:{service}_config_management_service" for service in ("ptt", "video", "data")
)


class SystemTable(Table):
    """``[system]``: which MC system this is."""

    name: SystemName
    home_domain: DomainText
    mc_service_id_domains: Annotated[
        tuple[DomainText, ...], Field(description="Domains of our own MC service IDs: no inbound user may carry one.")
    ] = ()


class HttpTable(Table):
    """``[http]``: where CSC-4 and CSC-17 are served."""

    address: str
    port: Port = 443


class MmsTable(Table):
    """``[mms]``: our own migration management server (CSC-X)."""

    url: HttpsUrl
    ca: ConfigFile
    timeout_s: Seconds = 2.0


class IdmsTable(Table):
    """``[idms]``: the primary identity management server whose tokens let UEs in."""

    issuer: Annotated[str, Field(pattern=r"^https://", max_length=255)]
    ca: ConfigFile
    audience: str
    scopes: Annotated[tuple[str, ...], Field(description="One of these is wanted; empty: none.")] = (
        CONFIG_MANAGEMENT_SCOPES
    )
    leeway_s: Annotated[float, Field(ge=0, le=600)] = 5.0
    timeout_s: Seconds = 2.0


class StoreTable(Table):
    """``[store]``: where data set over the admin API and the state of withdrawals survive a restart."""

    url: Annotated[
        str,
        Field(pattern=r"^(sqlite\+aiosqlite:///|postgresql\+psycopg://).+", description="SQLAlchemy URL."),
        AfterValidator(readable_store_url),
    ]
    busy_timeout_s: Seconds = 5.0
    poll_s: Annotated[Seconds, Field(description="How soon a change by another instance is seen.")] = 1.0
    keep_s: Annotated[Seconds, Field(description="Withdrawals that the partner was told of are shown so long.")] = (
        7 * 86400.0
    )


class AdminTable(Table):
    """``[admin]``: who may use the admin API.  Nobody, unless told."""

    clients: tuple[str, ...] = ()
    ca: Annotated[ConfigFile | None, Field(description="Vouches for them; by default the CA of our own system.")] = None


class LimitsTable(Table):
    """``[limits]``: what one caller may ask for."""

    body_octets_max: Annotated[int, Field(ge=1024)] = 65_536
    requests_per_s: Annotated[float, Field(gt=0)] = 20.0
    burst: Annotated[int, Field(ge=1)] = 60
    partner_requests_per_s: Annotated[float, Field(gt=0)] = 500.0
    partner_burst: Annotated[int, Field(ge=1)] = 1000
    in_progress_max: Annotated[
        int, Field(ge=1, le=10_000, description="Requests of CSC-4 and accesses of CSC-17 at one time; more: 503.")
    ] = 64
    callers_max: Annotated[int, Field(ge=1)] = 100_000


class CmsConfig(Table):
    """The whole file."""

    system: SystemTable
    http: HttpTable
    tls: TlsTable
    mms: MmsTable
    idms: IdmsTable
    users: tuple[User, ...] = ()
    groups: tuple[Group, ...] = ()
    partners: tuple[Partner, ...] = ()
    initial_ue_configuration: InitialUeConfiguration
    limits: LimitsTable = LimitsTable()
    store: StoreTable | None = None
    admin: AdminTable = AdminTable()
    metrics: MetricsTable = MetricsTable()

    @model_validator(mode="after")
    def _consistent(self) -> "CmsConfig":
        _distinct("users", [user.mc_service_id for user in self.users])
        _distinct("groups", [group.name for group in self.groups])
        _distinct("partners", [partner.name for partner in self.partners])
        _distinct("partners.client_name", [partner.client_name.lower() for partner in self.partners])
        if self.system.name in [partner.name for partner in self.partners]:
            raise ValueError(f"partners: {self.system.name} is this system")
        if self.initial_ue_configuration.mc_system != self.system.name:
            raise ValueError(f"initial_ue_configuration.mc_system: wanted {self.system.name}")
        return self


def load_config(path: Path) -> CmsConfig:
    """Return the configuration in ``path``.

    Raises:
        ConfigError: it cannot be read or used.
    """
    return load_toml(path, CmsConfig)


def _distinct(what: str, names: list[str]) -> None:
    doubled = sorted({name for name in names if names.count(name) > 1})
    if doubled:
        raise ValueError(f"{what}: {doubled[0]} stands twice")
