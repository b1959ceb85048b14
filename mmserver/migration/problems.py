"""Which problems each operation may answer with: the refusals of ``errors``, their HTTP status, their step.

The OpenAPI document shows them with an example each; a test holds every answer of a running server to this table.
"""

from typing import Any, Final

from mmserver.http.problems import OF_EVERY_OPERATION, OVERLOADED, TOO_MANY_REQUESTS, ProblemKind, problem_responses
from mmserver.migration import errors
from mmserver.migration.allocation import PARTNER_STEP, PRIMARY_STEP
from mmserver.migration.errors import Kind, Refusal

STATUSES: Final = {
    Kind.FORBIDDEN: 403,
    Kind.UNKNOWN: 404,
    Kind.CONFLICT: 409,
    Kind.INVALID: 422,
    Kind.UNAVAILABLE: 503,
}
STORE_UNAVAILABLE: Final = ProblemKind(
    503, "store-unavailable", "The store cannot be used now", detail="nothing was changed; try again"
)

NO_SUCH_PATH: Final = ProblemKind(404, "not-found", "Not Found", detail="a name with a slash in it is another path")


def kinds(*refusals: type[Refusal], step: str | None = None) -> tuple[ProblemKind, ...]:
    """Return these refusals as they look over HTTP."""
    return tuple(ProblemKind(STATUSES[one.kind], one.code, one.title, step=step) for one in refusals)


_BOTH_STEPS: Final = (
    errors.UnknownPartner,
    errors.MigrationWithdrawn,
    errors.QuotaReached,
    errors.ValidityOver,
    errors.NoSipIdentity,
    errors.NotPreProvisioned,
    errors.SetsNotKnown,
    errors.SipDatabaseUnreachable,
    errors.IdentitiesAlreadyLent,
    errors.BindingNotLive,
)
_STEP_5: Final = kinds(*_BOTH_STEPS, errors.NoPrimarySetForPartner, errors.NoFreePrimarySet, step=PRIMARY_STEP)
_STEP_10: Final = kinds(
    *_BOTH_STEPS,
    errors.ForeignMigrationManagementServer,
    errors.IdentitiesOutsideRealm,
    errors.NoFreePartnerSet,
    errors.PartnerSetTooSmall,
    step=PARTNER_STEP,
)
_ENTERED: Final = kinds(
    errors.UnknownPartner,
    errors.ForeignMigrationManagementServer,
    errors.IdentitiesOutsideRealm,
    errors.BindingNotPaired,
    errors.BindingExists,
    errors.BindingNotLive,
    errors.IdentitiesAlreadyLent,
    errors.ValidityOver,
)

OF_THE_STORE: Final = (STORE_UNAVAILABLE, *kinds(errors.NotStorable))

# fmt: off
OPERATIONS: Final[dict[str, tuple[ProblemKind, ...]]] = {
    "get_primary_mc_system_sip_identities": (OVERLOADED, *_STEP_5),
    "get_partner_mc_system_sip_identities": (OVERLOADED, *_STEP_10),
    "try_primary_mc_system_sip_identities": (),
    "try_partner_mc_system_sip_identities": (),
    "list_bindings":       (),
    "enter_binding":       _ENTERED,
    "get_binding_changes": (),
    "get_binding":         (*kinds(errors.BindingUnknown), NO_SUCH_PATH),
    "confirm_binding":     (*kinds(errors.BindingUnknown, errors.BindingNotLive), NO_SUCH_PATH),
    "release_binding":     (*kinds(errors.BindingUnknown), NO_SUCH_PATH),
    "disable_binding":     (*kinds(errors.BindingUnknown, errors.BindingNotLive), NO_SUCH_PATH),
    "enable_binding":      (*kinds(errors.BindingUnknown, errors.BindingNotLive, errors.StillWithdrawn), NO_SUCH_PATH),
    "withdraw_migration":  kinds(errors.UnknownPartner),
    "list_withdrawals":    (),
    "get_withdrawal":      (*kinds(errors.WithdrawalUnknown), NO_SUCH_PATH),
    "restore_migration":   (*kinds(errors.WithdrawalUnknown), NO_SUCH_PATH),
    "list_agreements":     (),
    "reload":              kinds(errors.ReloadRefused),
    "import_bindings":     (ProblemKind(415, "unsupported-media-type", "Unsupported Media Type"),),
    "export_bindings":     (),
    "get_audit_trail":     (),
    "get_feed_changes":    (),
    "get_feed_rows":       (),
    "look_up_identity":    (ProblemKind(404, "unknown-identity", "No binding lends this identity"), NO_SUCH_PATH),
    "acknowledge_feed":    (ProblemKind(403, "not-this-proxy", "A proxy acknowledges for itself only"),),
    "report_proxy_event":  (),
    "report_uses":         (ProblemKind(403, "not-this-proxy", "A proxy reports for itself only"),),
}
# fmt: on


def responses_of(operation: str) -> dict[int | str, dict[str, Any]]:
    """Return the ``responses`` of an operation: its own problems, those of the store and of every operation."""
    return problem_responses(*OPERATIONS[operation], *OF_THE_STORE, *OF_EVERY_OPERATION, TOO_MANY_REQUESTS)
