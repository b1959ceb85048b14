"""``mms.toml`` as a frozen value.

What the constraints cannot say alone is checked here too; ``pools`` checks the configured sets.
"""

import re
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, Field, model_validator

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
from mmserver.messages import (
    ALL_MC_SERVICES,
    DomainText,
    IdentitySet,
    ImpiText,
    ImpuText,
    McService,
    McServiceId,
    MmsIdentifier,
    SystemName,
)

Prefix = Annotated[str, Field(min_length=1, max_length=32, pattern=r"^[a-z0-9\-]+$")]
HostName = DomainText
_NOT_IN_XML: Final = re.compile("[\x00-\x1f\x7f\ud800-\udfff\ufffe\uffff]")


def _xml_text(text: str) -> str:
    if _NOT_IN_XML.search(text):
        raise ValueError("has a character that a document in XML cannot hold")
    return text


XmlText = Annotated[str, Field(max_length=255), AfterValidator(_xml_text)]
ServerName = Annotated[str, Field(pattern=r"^sips?:\S+$", max_length=255), AfterValidator(_xml_text)]


NUMBER: Final = re.compile(r"\{number(:0[1-9])?\}")


def _numbered(text: str) -> str:
    """Hold a pattern to one kind of place, so that it can only be filled with a number."""
    rest = NUMBER.sub("", text)
    if rest == text or "{" in rest or "}" in rest:
        raise ValueError("wanted {number} or {number:05} in it, and no other braces")
    return text


NumberedText = Annotated[str, Field(min_length=3, max_length=255), AfterValidator(_numbered)]


class SystemTable(Table):
    """``[system]``: the MC system whose MMS this is."""

    name: SystemName
    identifier: Annotated[MmsIdentifier, Field(description="Logical name of this MMS, as partners get it in step 7.")]
    home_domain: Annotated[DomainText, Field(description="Home domain of the SIP core; lent identities lie in it.")]


class ClientsTable(Table):
    """``[http.clients]``: certificate names that may call a group of operations; nobody else may."""

    csc_x: Annotated[tuple[HostName, ...], Field(min_length=1, description="Own CMS and administrators.")]
    administrators: Annotated[
        tuple[HostName, ...],
        Field(description="Who alone withdraws, restores, imports, exports, enters, reads the audit; empty: csc_x."),
    ] = ()
    feed: Annotated[tuple[HostName, ...], Field(description="Own Diameter proxies.")] = ()

    @property
    def of_csc_x(self) -> tuple[str, ...]:
        """All who may call CSC-X, administrators among them."""
        return (*self.csc_x, *self.administrators)


class HttpTable(Table):
    """``[http]``: CSC-X and the feed, HTTPS with mutual TLS."""

    address: str
    port: Port = 443
    clients: ClientsTable
    client_ca: Annotated[ConfigFile, Field(description="CA that issued the clients' certificates, PEM.")]
    in_progress_max: Annotated[int, Field(ge=1, le=10_000, description="Allocations at one time; more: 503.")] = 128
    requests_per_s: Annotated[
        float, Field(gt=0, description="For each client, on CSC-X and on the feed; more: 429.")
    ] = 1000.0
    burst: Annotated[int, Field(ge=1, description="So many of them at once.")] = 2000


class DiameterTable(Table):
    """``[diameter]``: the Cx server for lent identities; the proxies connect to it."""

    origin_host: HostName
    origin_realm: DomainText
    address: str
    port: Port = 3868
    peers: Annotated[tuple[HostName, ...], Field(min_length=1, description="Own Diameter proxies.")]
    scscf: Annotated[tuple[ServerName, ...], Field(min_length=1, description="Server-Names to choose from.")]
    rtr_deadline_s: Seconds = 2.0
    rtr_tries: Annotated[int, Field(ge=1, le=10)] = 3
    rtr_rate_per_s: Annotated[float, Field(ge=1, le=10_000)] = 50.0


class SipDatabaseTable(Table):
    """``[sip_database]``: the HSS, or an agent before it, that is asked over Cx whether it knows a set."""

    host: Annotated[HostName, Field(description="Origin-Host of the peer that we connect to.")]
    realm: Annotated[DomainText | None, Field(description="Destination-Realm; diameter.origin_realm when absent.")] = (
        None
    )
    address: str
    port: Port = 3868
    ca: Annotated[ConfigFile | None, Field(description="Mutual TLS with [tls]; the peer's CA.  Absent: TCP.")] = None
    deadline_s: Seconds = 1.0
    sets_max: Annotated[int, Field(ge=1, le=100, description="Sets asked for in one step.")] = 8


class StoreTable(Table):
    """``[store]``."""

    url: Annotated[
        str, Field(pattern=r"^(sqlite\+aiosqlite|postgresql\+psycopg)://"), AfterValidator(readable_store_url)
    ]
    busy_timeout_s: Annotated[float, Field(ge=0.1, le=60)] = 5.0


class PrimarySet(Table):
    """A primary migration set of one MC user for one partner (7.4.2.2.X, NOTE 1)."""

    mc_service_id: McServiceId
    partner: SystemName
    private_user_identity: ImpiText
    public_user_identities: Annotated[tuple[ImpuText, ...], Field(min_length=1, max_length=16)]

    def identity_set(self) -> IdentitySet:
        """Return its identities."""
        return IdentitySet(
            private_user_identity=self.private_user_identity, public_user_identities=self.public_user_identities
        )


class PartnerSet(Table):
    """A partner set of the pool for inbound users: of one MC system, or of all."""

    partner: Annotated[SystemName | None, Field(description="For inbound users of this system alone.")] = None
    private_user_identity: ImpiText
    public_user_identities: Annotated[tuple[ImpuText, ...], Field(min_length=1, max_length=16)]

    def identity_set(self) -> IdentitySet:
        """Return its identities."""
        return IdentitySet(
            private_user_identity=self.private_user_identity, public_user_identities=self.public_user_identities
        )


class PartnerRange(Table):
    """The whole inbound range of a system: numbered sets, ``{number}`` or ``{number:05}`` in each identity."""

    partner: Annotated[SystemName | None, Field(description="For inbound users of this system alone.")] = None
    first: Annotated[int, Field(ge=0)] = 0
    count: Annotated[int, Field(ge=1, le=1_000_000)]
    private_user_identity: NumberedText
    public_user_identities: Annotated[tuple[NumberedText, ...], Field(min_length=1, max_length=16)]


class PrimaryAllocation(Table):
    """``[allocation.primary]``: how step 5 chooses."""

    mode: Annotated[
        Literal["random", "pool", "sip-database", "default", "pre-provisioned"],
        Field(
            description="random: opaque and mapped; pool: sets configured per user and partner; sip-database: those of "
            "them that the HSS knows; default: ISIM's own; pre-provisioned: bindings that were imported"
        ),
    ] = "random"
    prefix: Prefix = "mig-"
    provisioned: Annotated[bool | None, Field(description="The HSS knows the lent sets (default: all but random).")] = (
        None
    )
    sets: tuple[PrimarySet, ...] = ()
    file: Annotated[ConfigFile | None, Field(description="More sets, JSON lines with the members of sets.")] = None

    @property
    def is_provisioned(self) -> bool:
        """Whether the HSS knows what is lent; a random set is mapped to the default set toward it."""
        return self.mode != "random" if self.provisioned is None else self.provisioned


class PartnerAllocation(Table):
    """``[allocation.partner]``: how step 10 chooses."""

    mode: Literal["random", "pool", "sip-database", "pre-provisioned"] = "random"
    prefix: Prefix = "mig-"
    sets: tuple[PartnerSet, ...] = ()
    file: Annotated[ConfigFile | None, Field(description="More sets, JSON lines with the members of sets.")] = None
    ranges: tuple[PartnerRange, ...] = ()


class AllocationTable(Table):
    """``[allocation]``."""

    primary: PrimaryAllocation = PrimaryAllocation()
    partner: PartnerAllocation = PartnerAllocation()

    @model_validator(mode="after")
    def _one_range(self) -> "AllocationTable":
        if self.primary.prefix != self.partner.prefix:
            raise ValueError(f"prefix {self.partner.prefix!r} is not allocation.primary's {self.primary.prefix!r}")
        return self


class LifetimeTable(Table):
    """``[lifetime]``: seconds."""

    held_s: Annotated[Seconds, Field(description="From step 5 or 10 until the CMS confirms.")] = 30
    valid_s: Annotated[Seconds, Field(description="Longest validity of a binding.")] = 86400
    registration_s: Annotated[
        Seconds, Field(description="Longest Expires that the core grants; ages registrations.")
    ] = 3600
    quarantine_s: Annotated[
        float,
        Field(ge=0, le=366 * 86400, description="How long an ended set stays unused; by default registration_s."),
    ] = 3600
    unused_s: Annotated[
        float,
        Field(ge=0, le=366 * 86400, description="A binding that nobody used for so long is given back; 0: never."),
    ] = 0
    sweep_s: Seconds = 1.0

    @model_validator(mode="before")
    @classmethod
    def _quarantine_outlasts_a_registration(cls, data: Any) -> Any:
        """Nobody gets a set while its last holder may think that he is registered: the longest Expires granted."""
        if isinstance(data, dict) and "registration_s" in data:
            return {"quarantine_s": data["registration_s"], **data}
        return data


class FilterCriterion(Table):
    """One initial filter criterion of an agreement (TS 29.228 Annex B): all points must match."""

    priority: Annotated[int, Field(ge=0)] = 0
    application_server: ServerName
    default_handling: Literal["continued", "terminated"] = "continued"
    methods: Annotated[tuple[XmlText, ...], Field(description="SIP methods; none: every request.")] = ()
    header: XmlText | None = None
    header_content: XmlText | None = None
    session_case: Annotated[int | None, Field(ge=0, le=3)] = None
    include_register_request: bool = False
    include_register_response: bool = False
    service: Annotated[McService | None, Field(description="Only while the agreement has this service.")] = None


class PartnerTable(Table):
    """``[[partners]]``: an MC system with which there is an agreement."""

    name: SystemName
    realms: Annotated[tuple[DomainText, ...], Field(min_length=1)]
    migration_management_servers: Annotated[tuple[MmsIdentifier, ...], Field(min_length=1)]
    services: Annotated[tuple[McService, ...], Field(min_length=1, description="What a migrated user gets.")] = (
        ALL_MC_SERVICES
    )
    initial_filter_criteria: tuple[FilterCriterion, ...] = ()

    @property
    def criteria_in_force(self) -> tuple[FilterCriterion, ...]:
        """The criteria of the services that the agreement has, and those of no service."""
        return tuple(one for one in self.initial_filter_criteria if one.service in (None, *self.services))


class MmsConfig(Table):
    """The whole file."""

    system: SystemTable
    http: HttpTable
    tls: TlsTable
    diameter: DiameterTable
    store: StoreTable
    sip_database: SipDatabaseTable | None = None
    allocation: AllocationTable = AllocationTable()
    lifetime: LifetimeTable = LifetimeTable()
    metrics: MetricsTable = MetricsTable()
    partners: tuple[PartnerTable, ...] = ()

    @model_validator(mode="after")
    def _consistent(self) -> "MmsConfig":
        names = [partner.name for partner in self.partners]
        if len(set(names)) != len(names):
            raise ValueError("partners: a name stands twice")
        modes = (self.allocation.primary.mode, self.allocation.partner.mode)
        if "sip-database" in modes and self.sip_database is None:
            raise ValueError("sip_database: is missing, and an allocation of mode sip-database asks it")
        return self


def load_config(path: Path) -> MmsConfig:
    """Return the configuration file at ``path``.

    Raises:
        ConfigError: it cannot be used.
    """
    return load_toml(path, MmsConfig)
