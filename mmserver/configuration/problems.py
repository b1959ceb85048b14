"""Which problems each part of the API may answer with, for its OpenAPI document: every refusal, with an example."""

from dataclasses import replace
from typing import Any, Final

from mmserver.configuration import errors
from mmserver.configuration.cross_check import UNKNOWN
from mmserver.configuration.errors import STEP, Refusal
from mmserver.http.problems import (
    CLIENT_NOT_ALLOWED,
    OF_EVERY_OPERATION,
    OVERLOADED,
    TOO_MANY_REQUESTS,
    ProblemKind,
    problem_responses,
)
from mmserver.http.tokens import ScopeMissing, TokenExpired, TokenInvalid, TokenMissing

STEP_1: Final = STEP + "1"

# What our own and the partner's migration management server refuse with; it is passed on (CSC-X).
# fmt: off
_FROM_MMS: Final = tuple(
    ProblemKind(status, name, title, step=STEP + step)
    for status, name, title, step in (
        (403, "unknown-mc-system",                   "No agreement with that MC system",                      "5"),
        (403, "no-primary-set-for-partner",          "The user has no primary set for that partner",          "5"),
        (409, "no-free-primary-set",                 "No free set of primary MC system SIP identities",       "5"),
        (403, "not-pre-provisioned",                 "No binding was provisioned beforehand",                 "5"),
        (409, "sets-not-known-to-sip-database",      "The SIP database knows none of the free sets",          "5"),
        (503, "sip-database-unreachable",            "The SIP database does not answer",                      "5"),
        (422, "no-sip-identity",                     "The set holds no SIP URI",                              "5"),
        (409, "identities-already-lent",             "The SIP identities are lent in another binding",        "5"),
        (403, "migration-withdrawn",                 "Migration has been withdrawn",                          "5"),
        (409, "quota-reached",                       "As many users of that agreement have migrated as may",  "5"),
        (422, "validity-over",                       "The validity asked for is over",                        "5"),
        (409, "binding-not-live",                    "The binding is not live any more",                      "5"),
        (409, "no-free-partner-set",                 "No free set of partner MC system SIP identities",       "10"),
        (409, "partner-set-too-small",               "No free partner set has enough identities",             "10"),
        (403, "foreign-migration-management-server", "The migration management server is not agreed",         "10"),
        (403, "identities-outside-realm",            "The SIP identities lie outside the realms agreed",      "10"),
        (422, "value-not-storable",                  "A value of the request cannot be stored",               "10"),
    )
)
# fmt: on
# Of no step: we have too much to do ourselves; 4, 7, 9: our migration management server, the partner, the partner's.
_OVERLOADED: Final = {step: replace(OVERLOADED, step=STEP + step) for step in ("4", "7", "9")}
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
    errors.ReloadRefused,
    errors.WithdrawalsForAdministrators,
    errors.MmsUnreachable,
    errors.AnswerNotUsable,
)

_NOT_USABLE: Final = ProblemKind(
    errors.EntryNotUsable.status,
    errors.EntryNotUsable.name,
    errors.EntryNotUsable.title,
    detail=UNKNOWN.format(name="mc9"),
)

PARTS: Final[dict[str, tuple[ProblemKind, ...]]] = {
    "csc-4": (OVERLOADED, *_OVERLOADED.values(), *_TOKENS, *_PROCEDURE, *_PARTNER_SIDE, *_FROM_MMS),
    "csc-17": (
        OVERLOADED,
        _OVERLOADED["9"],
        *_PARTNER_SIDE,
        *_FROM_MMS,
        *_kinds(errors.MmsUnreachable, errors.AnswerNotUsable, errors.StillWithdrawn),
    ),
    "admin": (
        CLIENT_NOT_ALLOWED,
        OVERLOADED,
        *_ADMIN,
        _NOT_USABLE,
        *(ProblemKind(404, "unknown-withdrawal", "No such withdrawal"),),
    ),
}


def responses_of(part: str) -> dict[int | str, dict[str, Any]]:
    """Return the ``responses`` of the operations of ``csc-4``, ``csc-17`` or ``admin``."""
    return problem_responses(*PARTS[part], *OF_EVERY_OPERATION, TOO_MANY_REQUESTS)
