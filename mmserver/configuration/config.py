"""Configuration of a configuration management server: users, agreements with partners, initial UE configuration data.

There is no store: what a migration leaves behind are the bindings of the two migration management servers, whose
requests are idempotent, and agreements change with this file.
"""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Final, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, model_validator

from mmserver.http.settings import ConfigFile, Port, Seconds, Table, TlsTable, load_toml
from mmserver.messages import (
    DomainText,
    IdentitySet,
    InitialUeConfiguration,
    McServiceId,
    MmsIdentifier,
    SystemName,
)

CONFIG_MANAGEMENT_SCOPES: Final = tuple(
    f"3gpp:mc:{service}_config_management_service" for service in ("ptt", "video", "data")
)


def _https_url(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme != "https" or not parts.hostname or parts.query or parts.fragment:
        raise ValueError("wanted https://host[:port]")
    return text.rstrip("/")


def _with_time_zone(time: datetime) -> datetime:
    if time.tzinfo is None:
        raise ValueError("wanted a time with its zone, such as 2027-01-01T00:00:00Z")
    return time.astimezone(UTC)


HttpsUrl = Annotated[str, Field(max_length=255), AfterValidator(_https_url)]
Time = Annotated[datetime, AfterValidator(_with_time_zone)]
Users = Literal["*"] | tuple[McServiceId, ...]
Cell = Annotated[str, Field(pattern=r"^[0-9]{5,6}-[0-9a-fA-F]{7,9}$")]
TrackingArea = Annotated[str, Field(pattern=r"^[0-9]{5,6}-[0-9a-fA-F]{4,6}$")]
Point = tuple[Annotated[float, Field(ge=-180, le=180)], Annotated[float, Field(ge=-90, le=90)]]


class SystemTable(Table):
    """``[system]``: which MC system this is."""

    name: SystemName
    home_domain: DomainText


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
    leeway_s: Annotated[float, Field(ge=0, le=30)] = 5.0
    timeout_s: Seconds = 2.0


class User(Table):
    """``[[users]]``: an MC service user of this system, and the ISIMs registered for them."""

    mc_service_id: McServiceId
    migration: bool = False
    partners: Annotated[Literal["*"] | tuple[SystemName, ...], Field(description="Where they may migrate to.")] = "*"
    isims: tuple[IdentitySet, ...] = ()


class ServiceArea(Table):
    """Where a partner serves.  Coordinates are longitude, latitude as in GeoJSON (RFC 7946 §3.1.1)."""

    geojson: ConfigFile | None = None
    polygon: tuple[Point, ...] = ()
    ecgi: tuple[Cell, ...] = ()
    ncgi: tuple[Cell, ...] = ()
    tracking_areas: tuple[TrackingArea, ...] = ()

    @model_validator(mode="after")
    def _closed_surface(self) -> "ServiceArea":
        if self.polygon and len(set(self.polygon)) < 3:
            raise ValueError("polygon: wanted three different points or more")
        return self


class Partner(Table):
    """``[[partners]]``: a partner MC system and the migration agreement with it."""

    name: SystemName
    cms: HttpsUrl
    ca: Annotated[ConfigFile, Field(description="The partner's own CA, and nobody else's.")]
    client_name: Annotated[str, Field(description="Name in the certificate of the partner's CMS when it calls us.")]
    migration_management_servers: tuple[MmsIdentifier, ...] = ()
    realms: Annotated[tuple[DomainText, ...], Field(description="Home domains of the partner's SIP identities.")]
    outbound_users: Annotated[Users, Field(description="Our users who may migrate there.")] = ()
    inbound_users: Annotated[Users, Field(description="Their users who may migrate here.")] = ()
    valid_from: Time | None = None
    valid_until: Time | None = None
    static: Annotated[bool, Field(description="Configuration data was exchanged off-line (NOTE 2): send none.")] = False
    initial_ue_configuration: InitialUeConfiguration | None = None
    service_area: ServiceArea = ServiceArea()
    priority: Annotated[int, Field(description="Of partners that serve a place, the smallest number wins.")] = 0
    timeout_s: Seconds = 5.0

    @model_validator(mode="after")
    def _configuration_is_of_this_partner(self) -> "Partner":
        data = self.initial_ue_configuration
        if data is not None and data.mc_system != self.name:
            raise ValueError(f"initial_ue_configuration.mc_system: {data.mc_system} is not {self.name}")
        return self


class LimitsTable(Table):
    """``[limits]``: what one caller may ask for."""

    body_octets_max: Annotated[int, Field(ge=1024)] = 65_536
    requests_per_s: Annotated[float, Field(gt=0)] = 20.0
    burst: Annotated[int, Field(ge=1)] = 60
    partner_requests_per_s: Annotated[float, Field(gt=0)] = 500.0
    partner_burst: Annotated[int, Field(ge=1)] = 1000
    callers_max: Annotated[int, Field(ge=1)] = 100_000


class CmsConfig(Table):
    """The whole file."""

    system: SystemTable
    http: HttpTable
    tls: TlsTable
    mms: MmsTable
    idms: IdmsTable
    users: tuple[User, ...] = ()
    partners: tuple[Partner, ...] = ()
    initial_ue_configuration: InitialUeConfiguration
    limits: LimitsTable = LimitsTable()

    @model_validator(mode="after")
    def _consistent(self) -> "CmsConfig":
        _distinct("users", [user.mc_service_id for user in self.users])
        _distinct("partners", [partner.name for partner in self.partners])
        _distinct("partners.client_name", [partner.client_name.lower() for partner in self.partners])
        if self.system.name in [partner.name for partner in self.partners]:
            raise ValueError(f"partners: {self.system.name} is this system")
        if self.initial_ue_configuration.mc_system != self.system.name:
            raise ValueError(f"initial_ue_configuration.mc_system: wanted {self.system.name}")
        return self

    def partner(self, name: str) -> Partner | None:
        """Return the partner of that name."""
        return next((partner for partner in self.partners if partner.name == name), None)


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
