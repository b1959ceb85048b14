"""Makes our refusals of what a peer did: unreachable, nonsense, or a refusal of its own that is passed on.

A passed-on refusal keeps type, title, status and step; its detail goes to the log only, for it may name SIP
identities that must not reach the UE (DESIGN, where identities may be seen).
"""

import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final

import structlog

from mmserver.configuration.errors import AnswerNotUsable, PeerOverloaded, Refusal, RefusedElsewhere
from mmserver.configuration.peer import PeerFailure, PeerRefused, PeerUnreachable
from mmserver.http.problems import OVERLOADED, TOO_MANY_REQUESTS, TYPE_PREFIX
from mmserver.messages import Problem

_NAME: Final = re.compile(r"[a-z0-9\-]{1,64}")
_STEP: Final = re.compile(r"10\.1\.X\.1-(?:[1-9]|1[0-3])")
_TITLE_MAX: Final = 120
UNAVAILABLE: Final = 503
"""For now only, its disk is full for instance: to whom we answer that is as if it did not answer."""
_TOO_MUCH: Final = frozenset(TYPE_PREFIX + kind.name for kind in (OVERLOADED, TOO_MANY_REQUESTS))

log = structlog.get_logger()


@asynccontextmanager
async def refusing(unreachable: Callable[[], Refusal], *, answer_step: int | None, by: str) -> AsyncIterator[None]:
    """Turn a peer's failure into a refusal.

    Raises:
        Refusal: ``unreachable()``, also where the peer says 503 itself; PeerOverloaded at its step where the peer has
            too much to do, or from us; AnswerNotUsable at ``answer_step``; or what ``by`` refused.
    """
    try:
        yield
    except PeerUnreachable as exc:
        log.warning("peer.unreachable", peer=by, why=str(exc))
        raise unreachable() from exc
    except PeerRefused as exc:
        log.warning("peer.refused", peer=by, why=str(exc), step=exc.problem.step)
        if exc.problem.step is None and exc.problem.type in _TOO_MUCH:
            raise _overloaded(by, unreachable().step) from exc
        passed = passed_on(exc.problem, by, stepless=answer_step is None)
        if passed is None and exc.problem.status == UNAVAILABLE:
            raise unreachable() from exc
        raise passed or AnswerNotUsable(f"{by} refused", step=answer_step) from exc
    except PeerFailure as exc:
        log.warning("peer.answer-not-usable", peer=by, why=str(exc))
        raise AnswerNotUsable(f"the answer of {by} cannot be used", step=answer_step) from exc


def _overloaded(by: str, step: str | None) -> PeerOverloaded:
    refusal = PeerOverloaded(f"{by} has too much to do; try again later")
    refusal.step = step
    return refusal


def passed_on(problem: Problem, by: str, *, stepless: bool = False) -> RefusedElsewhere | None:
    """Return the refusal to pass on, if it is one of a step of the procedure (or, ``stepless``, of an operator)."""
    name = problem.type.removeprefix(TYPE_PREFIX)
    if not problem.type.startswith(TYPE_PREFIX) or not _NAME.fullmatch(name):
        return None
    if not 400 <= problem.status <= 599:
        return None
    if not (stepless if problem.step is None else _STEP.fullmatch(problem.step)):
        return None
    return RefusedElsewhere(name, problem.title[:_TITLE_MAX], problem.status, problem.step, by)
