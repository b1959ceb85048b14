"""Users, groups and migration agreements as data: tables of the configuration file, and bodies of the admin API.

The one difference: what comes over the API may not name a file of this host.  Nothing here reads one.
"""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Final, Literal
from urllib.parse import unquote, urlsplit

from pydantic import AfterValidator, Field, ValidationInfo, model_validator

from mmserver.http.settings import Seconds, Table
from mmserver.messages import (
    ALL_MC_SERVICES,
    DomainText,
    IdentitySet,
    InitialUeConfiguration,
    McService,
    McServiceId,
    MmsIdentifier,
    SystemName,
)

PEM: Final = "-----BEGIN CERTIFICATE-----"


def _https_url(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme != "https" or not parts.hostname or parts.query or parts.fragment:
        raise ValueError("wanted https://host[:port]")
    if "@" in parts.netloc:  # it would stand in every log line about that server
        raise ValueError("wanted https://host[:port], without a name or a password")
    return text.rstrip("/")


def _with_time_zone(time: datetime) -> datetime:
    if time.tzinfo is None:
        raise ValueError("wanted a time with its zone, such as 2027-01-01T00:00:00Z")
    try:
        return time.astimezone(UTC)
    except OverflowError as exc:
        raise ValueError("a time that no calendar holds") from exc


def _file_beside(text: str, info: ValidationInfo) -> str:
    """Return a path beside the configuration file; there is none for what came over the API."""
    folder = (info.context or {}).get("folder")
    if folder is None:
        raise ValueError("a file cannot be named here: send its content")
    path = Path(text) if Path(text).is_absolute() else Path(folder) / text
    if not path.is_file():
        raise ValueError(f"no such file: {path}")
    return str(path)


def _ca(text: str, info: ValidationInfo) -> str:
    return text if text.lstrip().startswith(PEM) else _file_beside(text, info)


def _geojson(value: str | dict[str, Any] | None, info: ValidationInfo) -> str | dict[str, Any] | None:
    return _file_beside(value, info) if isinstance(value, str) else value


HttpsUrl = Annotated[str, Field(max_length=255), AfterValidator(_https_url)]
Time = Annotated[datetime, AfterValidator(_with_time_zone)]
Users = Literal["*"] | tuple[McServiceId, ...]
Cell = Annotated[str, Field(pattern=r"^[0-9]{5,6}-[0-9a-fA-F]{7,9}$")]
TrackingArea = Annotated[str, Field(pattern=r"^[0-9]{5,6}-[0-9a-fA-F]{4,6}$")]
GroupName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.\-]{1,64}$", examples=["crew-7"])]
Point = tuple[Annotated[float, Field(ge=-180, le=180)], Annotated[float, Field(ge=-90, le=90)]]


class User(Table):
    """``[[users]]``: an MC service user of this system, and the ISIMs registered for them."""

    mc_service_id: McServiceId
    migration: bool = False
    partners: Annotated[Literal["*"] | tuple[SystemName, ...], Field(description="Where they may migrate to.")] = "*"
    isims: tuple[IdentitySet, ...] = ()


class Group(Table):
    """``[[groups]]``: MC service users, ours or a partner's, that an agreement names together."""

    name: GroupName
    members: tuple[McServiceId, ...]


class ServiceArea(Table):
    """Where a partner serves.  Coordinates are longitude, latitude as in GeoJSON (RFC 7946 §3.1.1)."""

    geojson: Annotated[
        str | dict[str, Any] | None,
        Field(description="Polygons (RFC 7946): in the configuration file also a file's name."),
        AfterValidator(_geojson),
    ] = None
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
    ca: Annotated[
        str,
        Field(description="The partner's own CA, and nobody else's: PEM, in the configuration file also its name."),
        AfterValidator(_ca),
    ]
    client_name: Annotated[
        str,
        Field(
            min_length=1,
            max_length=253,
            pattern=r"^[!-~]+$",
            description="Name in the certificate of the partner's CMS when it calls us.",
        ),
    ]
    migration_management_servers: tuple[MmsIdentifier, ...] = ()
    realms: Annotated[tuple[DomainText, ...], Field(description="Home domains of the partner's SIP identities.")]
    outbound_users: Annotated[Users, Field(description="Our users who may migrate there.")] = ()
    outbound_groups: tuple[GroupName, ...] = ()
    outbound_max: Annotated[int | None, Field(ge=0, description="So many of ours at once; none: any number.")] = None
    inbound_users: Annotated[Users, Field(description="Their users who may migrate here.")] = ()
    inbound_groups: tuple[GroupName, ...] = ()
    inbound_max: Annotated[int | None, Field(ge=0, description="So many of theirs at once; none: any number.")] = None
    services: Annotated[tuple[McService, ...], Field(min_length=1, description="What a migrated user gets.")] = (
        ALL_MC_SERVICES
    )
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


def canonical(mc_service_id: str) -> str:
    """Return what two ways to write one MC service ID have in common: no scheme, escapes, case or parameters."""
    rest = unquote(mc_service_id).lower().partition(":")[2].lstrip("/")
    return rest.partition(";")[0].partition("?")[0].rstrip(".")


def mc_domain_of(mc_service_id: str) -> str:
    """Return the domain of an MC service ID, or an empty text."""
    _, at, host = canonical(mc_service_id).rpartition("@")
    return host.partition(":")[0].rstrip(".") if at else ""
