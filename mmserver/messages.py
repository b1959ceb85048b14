"""HTTP bodies of CSC-4, CSC-X, CSC-17 and the feed, as values with their constraints.

Names are those of TS 23.280 (CR) 10.1.X.1; a class names the step that it is.  Labels of reference points
live in ``mmserver.references``.  Parsing is all that happens here: nothing knows HTTP or SQL.
"""

from collections.abc import Callable
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Final, Literal, TypeAlias

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from mmserver.identity import Impi, Impu, SipIdentities, parse_domain, parse_impi, parse_impu


class Body(BaseModel):
    """A frozen HTTP body; an unknown member is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def _parsed(parse: Callable[[str], Any]) -> AfterValidator:
    # InvalidIdentity is a ValueError, so pydantic reports it at the member's place.
    return AfterValidator(parse)


# The patterns are for readers of the OpenAPI document; the leaf's parsers decide.
_USER = r"[A-Za-z0-9_.!~*'()&=+$,;?/%-]+"
_HOST = r"[A-Za-z0-9]+([.-][A-Za-z0-9]+)*"
YEAR_MAX = 8999


def _moment(value: datetime) -> datetime:
    # Beyond this year a change of the time zone leaves what a datetime can say.
    if value.tzinfo is None:
        raise ValueError("a moment names its time zone, for example 2030-01-01T00:00:00Z")
    if value.year > YEAR_MAX:
        raise ValueError(f"year {value.year} is after {YEAR_MAX}")
    return value


Moment = Annotated[datetime, AfterValidator(_moment)]
ImpiText = Annotated[
    str,
    Field(
        min_length=3,
        max_length=255,
        examples=["u@ims.mc1.lab"],
        json_schema_extra={"pattern": rf"^{_USER}@{_HOST}$"},
    ),
    _parsed(parse_impi),
]
ImpuText = Annotated[
    str,
    Field(
        min_length=5,
        max_length=255,
        examples=["sip:u@ims.mc1.lab"],
        json_schema_extra={"pattern": rf"^(sip:{_USER}@{_HOST}|tel:[+]?[0-9.()-]{{1,32}})$"},
    ),
    _parsed(parse_impu),
]
DomainText = Annotated[str, Field(min_length=1, max_length=253), _parsed(parse_domain)]
SystemName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9.\-]{0,62}$", examples=["mc2"])]
McServiceId = Annotated[
    str,
    Field(
        min_length=3,
        max_length=255,
        pattern=r"^[A-Za-z][A-Za-z0-9+.\-]*:[!-~]+$",
        examples=["sip:alice@mc1.lab"],
    ),
]
McServiceIds = Annotated[tuple[McServiceId, ...], Field(min_length=1, max_length=16)]
MmsIdentifier = Annotated[str, Field(min_length=1, max_length=253, pattern=r"^[!-~]+$", examples=["mms.mc1.lab"])]
Reason = Annotated[
    str,
    Field(
        max_length=200,
        pattern=r"^[^\x00-\x1f\x7f]*$",
        description="Why; goes to the audit trail.",
        examples=["UE reported lost"],
    ),
]


class IdentitySet(Body):
    """A set of SIP identities: one IMPI, one or more IMPUs in order."""

    private_user_identity: ImpiText
    public_user_identities: Annotated[tuple[ImpuText, ...], Field(min_length=1, max_length=16)]

    @model_validator(mode="after")
    def _distinct(self) -> "IdentitySet":
        self.to_identities()
        return self

    def to_identities(self) -> SipIdentities:
        """Return the set as a value of the identity leaf."""
        return SipIdentities(
            Impi(self.private_user_identity), tuple(Impu(impu) for impu in self.public_user_identities)
        )

    @classmethod
    def from_identities(cls, identities: SipIdentities) -> "IdentitySet":
        """Return the body of ``identities``."""
        return cls(
            private_user_identity=identities.private_user_identity,
            public_user_identities=identities.public_user_identities,
        )


# --- CSC-4, steps 1 and 13 ----------------------------------------------------------------------------------


class Coordinates(Body):
    """A point in WGS 84."""

    latitude: Annotated[float, Field(ge=-90, le=90)]
    longitude: Annotated[float, Field(ge=-180, le=180)]


class LocationInformation(Body):
    """Where the MC service UE is: coordinates, a cell (ECGI or NCGI) or a tracking area; at least one."""

    coordinates: Coordinates | None = None
    ecgi: Annotated[str, Field(pattern=r"^[0-9]{5,6}-[0-9a-fA-F]{7}$", examples=["00101-0abcdef"])] | None = None
    ncgi: Annotated[str, Field(pattern=r"^[0-9]{5,6}-[0-9a-fA-F]{9}$")] | None = None
    tracking_area: Annotated[str, Field(pattern=r"^[0-9]{5,6}-[0-9a-fA-F]{4,6}$", examples=["00101-0001"])] | None = (
        None
    )

    @model_validator(mode="after")
    def _one_at_least(self) -> "LocationInformation":
        if not (self.coordinates or self.ecgi or self.ncgi or self.tracking_area):
            raise ValueError("location information names neither coordinates, a cell nor a tracking area")
        return self


class ConnectionDetailsRequest(Body):
    """Get partner MC system connection details request (10.1.X.1 step 1)."""

    location_information: LocationInformation
    mc_service_ids: McServiceIds
    default_identities: Annotated[
        IdentitySet, Field(description="Default SIP private and public user identity of the UE's ISIM.")
    ]
    partner_mc_system: Annotated[SystemName | None, Field(description="Identifier of a particular partner.")] = None


McService = Literal["mcptt", "mcvideo", "mcdata"]
ALL_MC_SERVICES: Final[tuple[McService, ...]] = ("mcptt", "mcvideo", "mcdata")


class PdnAccess(Body):
    """How to reach one PDN of the partner (Annex A.6): APN or DNN, and PAP or CHAP credentials where needed."""

    apn: Annotated[str, Field(min_length=1, max_length=100)]
    service: Literal["mc-services", "mc-common-core", "mc-identity-management"]
    authentication: Literal["none", "pap", "chap"] = "none"
    username: str | None = None
    password: str | None = None


class UeTimers(Body):
    """Timers of the MC service UE, seconds (TS 24.484 §7.2)."""

    t100: Annotated[int, Field(ge=0, le=255)] = 5
    t101: Annotated[int, Field(ge=0, le=255)] = 5
    t103: Annotated[int, Field(ge=0, le=255)] = 5
    t104: Annotated[int, Field(ge=0, le=255)] = 5
    t132: Annotated[int, Field(ge=0, le=255)] = 5


class InitialUeConfiguration(Body):
    """Initial MC service UE configuration data of an MC system (TS 23.280 Annex A.6, TS 24.484 §7.2)."""

    mc_system: SystemName
    home_domain: Annotated[DomainText, Field(description="Request-URI and digest realm of REGISTER.")]
    p_cscf: Annotated[tuple[str, ...], Field(min_length=1, description="SIP URIs, in order of preference.")]
    plmn: Annotated[str, Field(pattern=r"^[0-9]{5,6}$")]
    pdn_access: tuple[PdnAccess, ...] = ()
    idms_issuer: str
    idms_auth_endpoint: str
    idms_token_endpoint: str
    cms: str
    gms: str
    kms: str
    http_proxy: str = ""
    services: Annotated[tuple[McService, ...], Field(min_length=1, description="What the user gets there.")] = (
        ALL_MC_SERVICES
    )
    timers: UeTimers = UeTimers()
    trust_anchors: Annotated[tuple[str, ...], Field(description="CA certificates of the system, PEM.")] = ()


class ConnectionDetailsResponse(Body):
    """Get partner MC system connection details response (10.1.X.1 step 13)."""

    partner_mc_system: Annotated[SystemName, Field(description="The chosen partner; it may not be the asked one.")]
    partner_mc_system_sip_identities: IdentitySet
    initial_ue_configuration: InitialUeConfiguration
    valid_until: Moment


AtMost = Annotated[
    int | None, Field(ge=0, description="Refuse when so many users of that agreement have a binding already.")
]

# --- CSC-X, steps 4, 6, 9, 11 -------------------------------------------------------------------------------


class PrimarySipIdentitiesRequest(Body):
    """Get primary MC system SIP identities request (step 4).

    The target partner is carried too: without it sets per partner (7.4.2.2.X NOTE 1) could not be chosen.
    """

    mc_service_ids: McServiceIds
    default_identities: IdentitySet
    partner_mc_system: SystemName
    valid_until: Moment | None = None
    at_most: AtMost = None


class PrimarySipIdentitiesResponse(Body):
    """Get primary MC system SIP identities response (step 6)."""

    binding: Annotated[str, Field(description="Handle for confirm, release and status.")]
    primary_mc_system_sip_identities: IdentitySet
    migration_management_server: MmsIdentifier
    state: "BindingState"
    valid_until: Moment


class PartnerSipIdentitiesRequest(Body):
    """Get partner MC system SIP identities request (step 9)."""

    primary_mc_system: Annotated[SystemName, Field(description="The authenticated system that asked in step 7.")]
    migration_management_server: MmsIdentifier
    primary_mc_system_sip_identities: IdentitySet
    mc_service_ids: McServiceIds
    valid_until: Moment | None = None
    at_most: AtMost = None


class PartnerSipIdentitiesResponse(Body):
    """Get partner MC system SIP identities response (step 11)."""

    binding: str
    partner_mc_system_sip_identities: IdentitySet
    state: "BindingState"
    valid_until: Moment


class BindingState(StrEnum):
    """Life of a binding: ``held`` until the CMS confirms after step 12, ``quarantined`` before it is free."""

    HELD = "held"
    ALLOCATED = "allocated"
    REGISTERED = "registered"
    QUARANTINED = "quarantined"


class Role(StrEnum):
    """Whose binding it is: the MMS is the primary's (step 5) or the partner's (step 10)."""

    PRIMARY = "primary"
    PARTNER = "partner"


class Deregistration(StrEnum):
    """What became of the RTR that takes a registered set out of the S-CSCF; ``unconfirmed``: no RTA came."""

    NONE = "none"
    PENDING = "pending"
    CONFIRMED = "confirmed"
    UNCONFIRMED = "unconfirmed"


class Binding(Body):
    """One binding as the MMS shows it (status and admin)."""

    binding: str
    role: Role
    state: BindingState
    enabled: bool
    mc_service_ids: McServiceIds
    other_mc_system: Annotated[SystemName, Field(description="Partner (role primary) or primary (role partner).")]
    migration_management_server: Annotated[MmsIdentifier, Field(description="The primary MMS.")]
    identities: Annotated[IdentitySet, Field(description="The set that this MMS lends.")]
    counterpart: Annotated[
        IdentitySet,
        Field(description="Role primary: the default ISIM set. Role partner: the primary migration set."),
    ]
    provisioned: Annotated[bool, Field(description="The HSS knows the lent set itself (role primary).")] = False
    valid_until: Moment
    version: int
    registered_until: Annotated[datetime | None, Field(description="When the SIP registration is aged out.")] = None
    deregistration: Deregistration = Deregistration.NONE
    proxies_behind: Annotated[
        tuple[str, ...], Field(description="Diameter proxies that have not acknowledged this version yet.")
    ] = ()


class BindingEntry(Body):
    """A binding entered by hand or provisioned beforehand, without steps 4 to 11; ``version`` is not looked at."""

    binding: Annotated[str | None, Field(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9_.\-]+$")] = None
    role: Role
    state: Literal["allocated"] = "allocated"
    enabled: bool = True
    mc_service_ids: McServiceIds
    other_mc_system: SystemName
    migration_management_server: MmsIdentifier
    identities: IdentitySet
    counterpart: IdentitySet
    provisioned: bool = False
    valid_until: Moment
    version: int | None = None


class BindingPage(Body):
    """Bindings that changed after a version, for the CMS: what the MMS withdrew by itself it withdraws over CSC-17."""

    version: Annotated[int, Field(description="Ask for what comes after this one next.")]
    reset: Annotated[bool, Field(description="The page starts anew: the version asked for is not of this store.")]
    complete: bool
    began: Annotated[int, Field(description="Ask with it too: a reading of everything goes on at any instance.")] = 0
    bindings: tuple[Binding, ...]


class BindingReason(Body):
    """Why a binding is confirmed, released, disabled or enabled; goes to the audit trail."""

    reason: Reason = ""


class StandingWithdrawal(BaseModel):
    """A withdrawal that stands at our migration management server, and how far it is."""

    model_config = ConfigDict(frozen=True, extra="allow")

    withdrawal: str
    role: Role
    other_mc_system: SystemName
    mc_service_id: str | None = None
    at: datetime
    by: str = ""
    reason: str = ""


class Restored(BaseModel):
    """A withdrawal has been lifted."""

    model_config = ConfigDict(frozen=True, extra="allow")

    withdrawal: str
    enabled: int


class AgreementAtMms(Body):
    """An agreement as our migration management server has it; the CMS holds its own against it."""

    name: SystemName
    realms: tuple[DomainText, ...]
    migration_management_servers: tuple[MmsIdentifier, ...]
    services: tuple[McService, ...]


# --- CSC-17, steps 7 and 12 ---------------------------------------------------------------------------------


class PartnerAccessRequest(Body):
    """Partner MC system access request (step 7)."""

    mc_service_ids: McServiceIds
    migration_management_server: MmsIdentifier
    primary_mc_system_sip_identities: IdentitySet
    valid_until: Moment | None = None


class PartnerAccessResponse(Body):
    """Partner MC system access response (step 12); no configuration data where it was exchanged off-line (NOTE 2)."""

    partner_mc_system_sip_identities: IdentitySet
    initial_ue_configuration: InitialUeConfiguration | None = None
    valid_until: Moment


class PartnerAccessDryRun(Body):
    """Could this user have partner MC system access?  As step 7, without a set: nothing is lent either way."""

    mc_service_ids: McServiceIds
    public_user_identities: Annotated[int, Field(ge=1, le=16, description="``sip:`` identities of the set.")] = 1
    valid_until: Moment | None = None


class PartnerAccessPossible(Body):
    """The user could have partner MC system access now; a refusal is what step 8 to 12 would refuse with."""

    initial_ue_configuration: InitialUeConfiguration | None = None


class DryRunAnswer(BaseModel):
    """What the migration management server says of a dry run of step 5 or 10."""

    model_config = ConfigDict(frozen=True, extra="allow")

    possible: bool
    step: str
    type: str | None = None
    title: str | None = None
    detail: str | None = None


class PartnerAccessRelease(Body):
    """Give back what step 12 lent, or withdraw it: the primary migration set names it."""

    migration_management_server: MmsIdentifier
    primary_mc_system_sip_identities: IdentitySet
    reason: Reason = ""


# --- feed: MMS -> Diameter proxies --------------------------------------------------------------------------


class LentRange(Body):
    """Where lent identities of this core lie: in its home domain, under one user-part prefix."""

    domain: DomainText
    prefix: Annotated[str, Field(min_length=1, max_length=32, pattern=r"^[a-z0-9\-]+$")]


class FeedEntry(Body):
    """One binding as the proxy needs it; ``deleted`` takes it out of the identity map."""

    binding: str
    version: int
    deleted: bool = False
    role: Role
    other_mc_system: SystemName
    enabled: bool
    not_after: datetime
    identities: IdentitySet
    counterpart: IdentitySet
    provisioned: bool = False


class FeedPage(Body):
    """Changes after a version.  ``complete`` says that nothing later was there when it was read."""

    lent_range: LentRange
    version: Annotated[int, Field(description="Ask for what comes after this one next.")]
    reset: Annotated[bool, Field(description="Forget all entries first: the version asked for is not of this feed.")]
    complete: bool
    began: Annotated[int, Field(description="Ask with it too: a reading of everything goes on at any instance.")] = 0
    entries: tuple[FeedEntry, ...]


FeedRow: TypeAlias = tuple[
    str,
    int,
    bool,
    Role,
    SystemName,
    bool,
    float,
    bool,
    tuple[ImpiText | ImpuText, ...],
    tuple[ImpiText | ImpuText, ...],
]
"""A ``FeedEntry`` without its names: binding, version, deleted, role, other_mc_system, enabled, not_after as POSIX
seconds, provisioned, then both sets, the IMPI first."""


class FeedRows(Body):
    """Changes after a version for a proxy that reads everything: as ``FeedPage``, a row for each entry."""

    lent_range: LentRange
    version: int
    reset: bool
    complete: bool
    began: int = 0
    rows: tuple[FeedRow, ...]


class FeedAcknowledgement(Body):
    """A proxy has applied all changes up to ``version``."""

    proxy: Annotated[str, Field(min_length=1, max_length=253)]
    version: Annotated[int, Field(ge=0, lt=1 << 63)]


class ProxyEvent(Body):
    """What a proxy tells the MMS: an RTR of our HSS names a set with a live lent binding."""

    event: Literal["home-deregistration"]
    private_user_identity: ImpiText
    public_user_identities: tuple[ImpuText, ...] = ()


class UseReport(Body):
    """What a proxy saw of primary migration sets: which were used for the first time, and since when it watches."""

    proxy: Annotated[str, Field(min_length=1, max_length=253)]
    bindings: Annotated[
        tuple[Annotated[str, Field(min_length=1, max_length=64)], ...],
        Field(max_length=1000, description="Bindings for which a vector went to the partner, each told once."),
    ] = ()
    complete_for_s: Annotated[
        float | None,
        Field(ge=0, lt=1e10, description="With this, every use of the last so many seconds is told; null: more comes."),
    ] = None


# --- errors -------------------------------------------------------------------------------------------------


class Problem(BaseModel):
    """Problem details (RFC 9457) that name the step of the procedure and why it refused."""

    model_config = ConfigDict(frozen=True, extra="allow")

    type: Annotated[str, Field(examples=["urn:mc-migration:problem:not-authorised-for-migration"])]
    title: str
    status: int
    detail: str = ""
    step: Annotated[str | None, Field(examples=["10.1.X.1-2"])] = None


PrimarySipIdentitiesResponse.model_rebuild()
PartnerSipIdentitiesResponse.model_rebuild()
