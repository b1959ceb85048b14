"""Why the migration management server refuses.

MigrationError
  Refusal                         the request's fault; has a stable ``code``, the ``step`` and an HTTP-free ``kind``
    UnknownPartner                -5, -10
    NoPrimarySetForPartner        -5     the user has none configured for that partner
    NoFreePrimarySet              -5     all are lent or quarantined
    NotPreProvisioned             -5, -10    mode pre-provisioned, and no binding was imported
    SetsNotKnown                  -5, -10    mode sip-database: the HSS knows none of the free sets
    SipDatabaseUnreachable        -5, -10    mode sip-database: no answer before the deadline
    NoSipIdentity                 -5, -10
    NoFreePartnerSet              -10
    PartnerSetTooSmall            -10    a pool set has fewer IMPUs than the primary set
    ForeignMigrationManagementServer  -10
    IdentitiesOutsideRealm        -10    (or of a binding entered by hand)
    IdentitiesAlreadyLent         -5, -10
    QuotaReached                  -5, -10    of the agreement; the CMS says how many
    MigrationWithdrawn            -5, -10    the binding is disabled
    ValidityOver                  -5, -10
    BindingUnknown, BindingNotLive, BindingExists, BindingNotPaired
    WithdrawalUnknown, StillWithdrawn
    ReloadRefused                 the new configuration file cannot be put in force: the old one stays
    NotStorable                   a value that no column holds (NUL in a text)
  IdentityTaken                   a constraint of the store said no: the rules choose again
  StoreUnavailable                ours: disk full, locked, gone; nothing was changed
  SchemaOutdated                  ours: ``mmserver migration upgrade`` has not run
"""

from enum import Enum
from typing import ClassVar


class Kind(Enum):
    """What a refusal is about, for whoever answers."""

    FORBIDDEN = "forbidden"
    UNKNOWN = "unknown"
    CONFLICT = "conflict"
    INVALID = "invalid"
    UNAVAILABLE = "unavailable"


class MigrationError(Exception):
    """Anything that the migration management server raises."""


class Refusal(MigrationError):
    """A request is refused; the text says what was found and what was wanted."""

    code: ClassVar[str] = "refused"
    title: ClassVar[str] = "The request is refused"
    kind: ClassVar[Kind] = Kind.FORBIDDEN

    def __init__(self, detail: str, *, step: str | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.step = step


class UnknownPartner(Refusal):
    """No agreement with that MC system is configured here."""

    code = "unknown-mc-system"
    title = "No agreement with that MC system"


class NoPrimarySetForPartner(Refusal):
    """No primary migration set is configured for this MC user and partner (7.4.2.2.X)."""

    code = "no-primary-set-for-partner"
    title = "The MC service user has no primary MC system SIP identities for that partner"


class NoFreePrimarySet(Refusal):
    """All primary migration sets of this MC user for that partner are lent or quarantined."""

    code = "no-free-primary-set"
    title = "No free set of primary MC system SIP identities"
    kind = Kind.CONFLICT


class NotPreProvisioned(Refusal):
    """Only bindings that were imported are honoured here, and this one was not."""

    code = "not-pre-provisioned"
    title = "No binding was provisioned beforehand"


class SetsNotKnown(Refusal):
    """The SIP database knows none of the free sets, so none of them could be registered."""

    code = "sets-not-known-to-sip-database"
    title = "The SIP database knows none of the free sets"
    kind = Kind.CONFLICT


class SipDatabaseUnreachable(Refusal):
    """The SIP database did not say whether it knows the set; nothing is lent on a guess."""

    code = "sip-database-unreachable"
    title = "The SIP database does not answer"
    kind = Kind.UNAVAILABLE


class NoSipIdentity(Refusal):
    """The set received holds no ``sip:`` identity; only those are mapped."""

    code = "no-sip-identity"
    title = "The set holds no SIP URI"
    kind = Kind.INVALID


class NoFreePartnerSet(Refusal):
    """All partner sets of the pool are lent or quarantined."""

    code = "no-free-partner-set"
    title = "No free set of partner MC system SIP identities"
    kind = Kind.CONFLICT


class PartnerSetTooSmall(Refusal):
    """No free partner set has as many public user identities as the primary set received."""

    code = "partner-set-too-small"
    title = "No free partner set has enough public user identities"
    kind = Kind.CONFLICT


class ForeignMigrationManagementServer(Refusal):
    """The primary MMS identifier is not one of that partner."""

    code = "foreign-migration-management-server"
    title = "The migration management server is not of that primary MC system"


class IdentitiesOutsideRealm(Refusal):
    """Identities lie outside the realms agreed with their system."""

    code = "identities-outside-realm"
    title = "The SIP identities lie outside the realms of their MC system"


class IdentitiesAlreadyLent(Refusal):
    """The set is lent in another live binding."""

    code = "identities-already-lent"
    title = "The SIP identities are lent in another binding"
    kind = Kind.CONFLICT


class QuotaReached(Refusal):
    """The agreement lets so many users migrate at once, and so many have a binding."""

    code = "quota-reached"
    title = "As many users of that agreement have migrated as may at once"
    kind = Kind.CONFLICT


class MigrationWithdrawn(Refusal):
    """The binding is disabled: migration to that partner has been withdrawn (7.4.2.2.X, EXAMPLE)."""

    code = "migration-withdrawn"
    title = "Migration has been withdrawn"


class ValidityOver(Refusal):
    """The validity asked for lies in the past."""

    code = "validity-over"
    title = "The validity asked for is over"
    kind = Kind.INVALID


class BindingUnknown(Refusal):
    """There is no binding of that name."""

    code = "unknown-binding"
    title = "No such binding"
    kind = Kind.UNKNOWN


class BindingNotLive(Refusal):
    """The binding is released, expired or on its way there."""

    code = "binding-not-live"
    title = "The binding is not live any more"
    kind = Kind.CONFLICT


class BindingExists(Refusal):
    """A live binding of the same key or name has other identities."""

    code = "binding-exists"
    title = "A live binding with other identities exists"
    kind = Kind.CONFLICT


class BindingNotPaired(Refusal):
    """The two sets have different numbers of SIP URIs: they could not be paired by position."""

    code = "identities-not-paired"
    title = "The two identity sets cannot be paired"
    kind = Kind.INVALID


class WithdrawalUnknown(Refusal):
    """Migration is not withdrawn for that user and system, nor for that agreement."""

    code = "unknown-withdrawal"
    title = "No such withdrawal"
    kind = Kind.UNKNOWN


class StillWithdrawn(Refusal):
    """A single binding cannot be enabled while migration is withdrawn for its user or its agreement."""

    code = "still-withdrawn"
    title = "A withdrawal stands over the binding"
    kind = Kind.CONFLICT


class ReloadRefused(Refusal):
    """The new configuration file cannot be put in force: the old one stays."""

    code = "reload-refused"
    title = "The configuration file cannot be put in force"
    kind = Kind.CONFLICT


class NotStorable(Refusal):
    """A value of the request cannot be stored, nor be found: PostgreSQL's texts hold no NUL."""

    code = "value-not-storable"
    title = "A value of the request cannot be stored"
    kind = Kind.INVALID


class IdentityTaken(MigrationError):
    """A uniqueness constraint of the store refused a row; the transaction is undone."""


class StoreUnavailable(MigrationError):
    """The store cannot be read or written now; nothing was changed."""


class SchemaOutdated(MigrationError):
    """The store's schema is not the one that this program was written for."""
