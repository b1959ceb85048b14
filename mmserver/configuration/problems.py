"""Which problems each part of the API may answer with, for its OpenAPI document: every refusal, with an example."""

from typing import Any, Final

from mmserver.configuration import errors
from mmserver.configuration.errors import STEP, Refusal
from mmserver.http.problems import (
    CLIENT_NOT_ALLOWED,
    OF_EVERY_OPERATION,
    TOO_MANY_REQUESTS,
    ProblemKind,
    problem_responses,
)
from mmserver.http.tokens import ScopeMissing, TokenExpired, TokenInvalid, TokenMissing

STEP_1: Final = STEP + "1"

# What our own and the partner's migration management server refuse with; it is passed on (CSC-X).
_FROM_MMS: Final = (
    ProblemKind(403, "no-primary-set-for-partner", "No primary set for that partner", step=STEP + "5"),
    ProblemKind(409, "no-free-primary-set", "No free primary set", step=STEP + "5"),
    ProblemKind(403, "migration-withdrawn", "Migration is withdrawn", step=STEP + "5"),
    ProblemKind(409, "quota-reached", "So many users of that agreement have migrated already", step=STEP + "5"),
    ProblemKind(409, "no-free-partner-set", "No free partner set", step=STEP + "10"),
    ProblemKind(422, "validity-over", "The validity asked for is over", step=STEP + "10"),
)
_TOKENS: Final = tuple(
    ProblemKind(kind.status, kind.name, kind.title, step=STEP_1)
    for kind in (TokenMissing, TokenInvalid, TokenExpired, ScopeMissing)
)


def _kinds(*refusals: type[Refusal]) -> tuple[ProblemKind, ...]:
    return tuple(ProblemKind(one.status, one.name, one.title, step=one.step) for one in refusals)


_PARTNER_SIDE: Final = _kinds(
    errors.PrimarySystemNotTrusted, errors.InboundUserRefused, errors.OwnMcServiceId, errors.BindingNotFound
)
_PROCEDURE: Final = _kinds(
    errors.TokenForAnotherUser,
    errors.ForeignIsim,
    errors.IdentityServerUnreachable,
    errors.NotAuthorisedForMigration,
    errors.NoSuitablePartner,
    errors.MmsUnreachable,
    errors.PartnerUnreachable,
    errors.AnswerNotUsable,
    errors.NoConfigurationData,
)
_ADMIN: Final = _kinds(
    errors.StoreUnavailable,
    errors.NoStore,
    errors.EntryInFile,
    errors.EntryNotFound,
    errors.EntryNotUsable,
    errors.ReloadRefused,
    errors.MmsUnreachable,
    errors.AnswerNotUsable,
)

PARTS: Final[dict[str, tuple[ProblemKind, ...]]] = {
    "csc-4": (*_TOKENS, *_PROCEDURE, *_PARTNER_SIDE, *_FROM_MMS),
    "csc-17": (
        *_PARTNER_SIDE,
        *_FROM_MMS,
        *_kinds(errors.MmsUnreachable, errors.AnswerNotUsable, errors.StillWithdrawn),
    ),
    "admin": (CLIENT_NOT_ALLOWED, *_ADMIN, *(ProblemKind(404, "unknown-withdrawal", "No such withdrawal"),)),
}


def responses_of(part: str) -> dict[int | str, dict[str, Any]]:
    """Return the ``responses`` of the operations of ``csc-4``, ``csc-17`` or ``admin``."""
    return problem_responses(*PARTS[part], *OF_EVERY_OPERATION, TOO_MANY_REQUESTS)
