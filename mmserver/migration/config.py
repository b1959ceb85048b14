"""``mms.toml`` as a frozen value.

What the constraints cannot say alone is checked here too: one lent range per core, pool sets inside it, names once.
"""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from mmserver.http.settings import ConfigFile, Port, Seconds, Table, TlsTable, load_toml
from mmserver.identity import domain_of
from mmserver.messages import DomainText, IdentitySet, ImpiText, ImpuText, McServiceId, MmsIdentifier, SystemName

Prefix = Annotated[str, Field(min_length=1, max_length=32, pattern=r"^[a-z0-9\-]+$")]
HostName = DomainText
ServerName = Annotated[str, Field(pattern=r"^sips?:\S+$", max_length=255)]


class SystemTable(Table):
    """``[system]``: the MC system whose MMS this is."""

    name: SystemName
    identifier: Annotated[MmsIdentifier, Field(description="Logical name of this MMS, as partners get it in step 7.")]
    home_domain: Annotated[DomainText, Field(description="Home domain of the SIP core; lent identities lie in it.")]


class ClientsTable(Table):
    """``[http.clients]``: certificate names that may call a group of operations; nobody else may."""

    csc_x: Annotated[tuple[HostName, ...], Field(min_length=1, description="Own CMS and administrators.")]
    feed: Annotated[tuple[HostName, ...], Field(description="Own Diameter proxies.")] = ()


class HttpTable(Table):
    """``[http]``: CSC-X and the feed, HTTPS with mutual TLS."""

    address: str
    port: Port = 443
    clients: ClientsTable
    client_ca: Annotated[ConfigFile, Field(description="CA that issued the clients' certificates, PEM.")]


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


class StoreTable(Table):
    """``[store]``."""

    url: Annotated[str, Field(pattern=r"^(sqlite\+aiosqlite|postgresql\+psycopg)://")]
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
    """A partner set of the pool for all inbound users."""

    private_user_identity: ImpiText
    public_user_identities: Annotated[tuple[ImpuText, ...], Field(min_length=1, max_length=16)]

    def identity_set(self) -> IdentitySet:
        """Return its identities."""
        return IdentitySet(
            private_user_identity=self.private_user_identity, public_user_identities=self.public_user_identities
        )


class PrimaryAllocation(Table):
    """``[allocation.primary]``: how step 5 chooses."""

    mode: Annotated[
        Literal["random", "pool", "default"],
        Field(description="random: opaque and mapped; pool: sets configured per user and partner; default: ISIM's own"),
    ] = "random"
    prefix: Prefix = "mig-"
    provisioned: Annotated[bool | None, Field(description="The HSS knows the lent sets (default: all but random).")] = (
        None
    )
    sets: tuple[PrimarySet, ...] = ()

    @property
    def is_provisioned(self) -> bool:
        """Whether the HSS knows what is lent; a random set is mapped to the default set toward it."""
        return self.mode != "random" if self.provisioned is None else self.provisioned


class PartnerAllocation(Table):
    """``[allocation.partner]``: how step 10 chooses."""

    mode: Literal["random", "pool"] = "random"
    prefix: Prefix = "mig-"
    sets: tuple[PartnerSet, ...] = ()


class AllocationTable(Table):
    """``[allocation]``."""

    primary: PrimaryAllocation = PrimaryAllocation()
    partner: PartnerAllocation = PartnerAllocation()

    @model_validator(mode="after")
    def _one_range(self) -> "AllocationTable":
        if self.primary.prefix != self.partner.prefix:
            raise ValueError(f"prefix {self.partner.prefix!r} is not allocation.primary's {self.primary.prefix!r}")
        for role, sets in (("primary", self.primary.sets), ("partner", self.partner.sets)):
            texts = [text for entry in sets for text in (entry.private_user_identity, *entry.public_user_identities)]
            twice = next((text for text in texts if texts.count(text) > 1), None) if len(texts) < 1000 else None
            if twice is not None or len(set(texts)) != len(texts):
                raise ValueError(f"{role}.sets: {twice or 'an identity'} stands twice")
        return self


class LifetimeTable(Table):
    """``[lifetime]``: seconds."""

    held_s: Annotated[Seconds, Field(description="From step 5 or 10 until the CMS confirms.")] = 30
    valid_s: Annotated[Seconds, Field(description="Longest validity of a binding.")] = 86400
    registration_s: Annotated[
        Seconds, Field(description="Longest Expires that the core grants; ages registrations.")
    ] = 3600
    quarantine_s: Annotated[float, Field(ge=0, le=366 * 86400, description="How long an ended set stays unused.")] = (
        3600
    )
    sweep_s: Seconds = 1.0


class FilterCriterion(Table):
    """One initial filter criterion of an agreement (TS 29.228 Annex B): all points must match."""

    priority: Annotated[int, Field(ge=0)] = 0
    application_server: ServerName
    default_handling: Literal["continued", "terminated"] = "continued"
    methods: Annotated[tuple[str, ...], Field(description="SIP methods; none: every request.")] = ()
    header: str | None = None
    header_content: str | None = None
    session_case: Annotated[int | None, Field(ge=0, le=3)] = None
    include_register_request: bool = False
    include_register_response: bool = False


class PartnerTable(Table):
    """``[[partners]]``: an MC system with which there is an agreement."""

    name: SystemName
    realms: Annotated[tuple[DomainText, ...], Field(min_length=1)]
    migration_management_servers: Annotated[tuple[MmsIdentifier, ...], Field(min_length=1)]
    initial_filter_criteria: tuple[FilterCriterion, ...] = ()


class MmsConfig(Table):
    """The whole file."""

    system: SystemTable
    http: HttpTable
    tls: TlsTable
    diameter: DiameterTable
    store: StoreTable
    allocation: AllocationTable = AllocationTable()
    lifetime: LifetimeTable = LifetimeTable()
    partners: tuple[PartnerTable, ...] = ()

    @model_validator(mode="after")
    def _consistent(self) -> "MmsConfig":
        names = [partner.name for partner in self.partners]
        if len(set(names)) != len(names):
            raise ValueError("partners: a name stands twice")
        domain, prefix = self.system.home_domain, self.allocation.partner.prefix
        for index, pool_set in enumerate(self.allocation.partner.sets):
            identities = pool_set.identity_set().to_identities()
            for identity in identities.mapped:
                user = identity.removeprefix("sip:")
                if not user.startswith(prefix) or domain_of(identity) != domain:
                    raise ValueError(f"allocation.partner.sets.{index}: {identity} is not {prefix}...@{domain}")
        for index, primary_set in enumerate(self.allocation.primary.sets):
            if domain_of(primary_set.identity_set().to_identities().private_user_identity) != domain:
                raise ValueError(f"allocation.primary.sets.{index}: not in the home domain {domain}")
            if primary_set.partner not in names:
                raise ValueError(f"allocation.primary.sets.{index}: no partner {primary_set.partner!r}")
        return self


def load_config(path: Path) -> MmsConfig:
    """Return the configuration file at ``path``.

    Raises:
        ConfigError: it cannot be used.
    """
    return load_toml(path, MmsConfig)
