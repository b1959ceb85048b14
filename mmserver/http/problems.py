"""Refusals over HTTP as problem details (RFC 9457) that name the step of the procedure.

Every answer of ours that is not a success has this shape, the ones that a library would have made included.
What the rules raise is turned into ``ProblemFound`` by each program's own api module.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from mmserver.messages import Problem

MEDIA_TYPE: Final = "application/problem+json"
TYPE_PREFIX: Final = "urn:mc-migration:problem:"
VIOLATIONS_MAX: Final = 16


@dataclass(frozen=True, slots=True)
class ProblemKind:
    """One problem that an operation may answer with, as the OpenAPI document shows it."""

    status: int
    name: str
    title: str
    step: str | None = None
    detail: str = ""

    def example(self) -> dict[str, Any]:
        """Return an answer of this kind."""
        kind = Problem(
            type=TYPE_PREFIX + self.name, title=self.title, status=self.status, detail=self.detail, step=self.step
        )
        return kind.model_dump(exclude_none=True)


# fmt: off
INVALID_REQUEST: Final = ProblemKind(422, "invalid-request", "The request is not valid", detail="body: Field required")
CLIENT_NOT_ALLOWED: Final = ProblemKind(403, "client-not-allowed", "This client may not call this operation")
TOO_MANY_REQUESTS: Final = ProblemKind(429, "too-many-requests", "Too many requests", detail="try again later")
OVERLOADED: Final = ProblemKind(503, "overloaded", "Too many requests are in progress", detail="try again later")
OF_EVERY_OPERATION: Final = (
    ProblemKind(400, "bad-request", "Bad Request", detail="There was an error parsing the body"),
    CLIENT_NOT_ALLOWED,
    ProblemKind(413, "body-too-large", "The body is too large", detail="at most 65536 octets"),
    INVALID_REQUEST,
)
# fmt: on


class ProblemFound(Exception):
    """A request is refused; carries the problem details to answer with."""

    def __init__(
        self,
        status: int,
        name: str,
        title: str,
        detail: str = "",
        *,
        step: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(f"{name}: {detail or title}")
        self.problem = Problem(type=TYPE_PREFIX + name, title=title, status=status, detail=detail, step=step)
        self.headers = dict(headers or {})


def problem_response(problem: Problem, headers: Mapping[str, str] | None = None) -> Response:
    """Return ``problem`` as an HTTP response."""
    content = problem.model_dump_json(exclude_none=True)
    return Response(content, problem.status, headers=dict(headers or {}), media_type=MEDIA_TYPE)


def problem_documentation(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the ``responses`` of an OpenAPI operation that may answer with these problem statuses."""
    return {
        status: {
            "description": HTTPStatus(status).phrase,
            "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
        for status in statuses
    }


def problem_responses(*kinds: ProblemKind) -> dict[int | str, dict[str, Any]]:
    """Return the ``responses`` of an OpenAPI operation that may answer with these problems, an example of each."""
    documented = problem_documentation(*sorted({kind.status for kind in kinds}))
    for kind in sorted(kinds, key=lambda kind: (kind.status, kind.step or "", kind.name)):
        examples = documented[kind.status]["content"][MEDIA_TYPE].setdefault("examples", {})
        example = {"summary": kind.title, "value": kind.example()}
        # Which of two steps refuses is told apart by the step alone.
        known = examples.get(kind.name, example)["value"].get("step")
        examples[kind.name if known == kind.step else f"{kind.name}-{kind.step}"] = example
    return documented


def install_problem_handlers(app: FastAPI) -> None:
    """Make ``app`` answer its own refusals, unreadable bodies and unknown routes with problem details."""
    app.add_exception_handler(ProblemFound, _on_problem)
    app.add_exception_handler(RequestValidationError, _on_invalid_request)
    app.add_exception_handler(HTTPException, _on_http_exception)


def install_translation(app: FastAPI, kind: type[Exception], to_problem: Callable[[Exception], Problem]) -> None:
    """Make ``app`` answer exceptions of a program's own ``kind`` with the problem made of them."""

    async def translate(_request: Request, exc: Exception) -> Response:
        problem = to_problem(exc)
        return problem_response(
            problem, {"Retry-After": "1"} if problem.status == HTTPStatus.SERVICE_UNAVAILABLE else {}
        )

    app.add_exception_handler(kind, translate)


async def _on_problem(_request: Request, exc: Exception) -> Response:
    assert isinstance(exc, ProblemFound)
    return problem_response(exc.problem, exc.headers)


async def _on_invalid_request(_request: Request, exc: Exception) -> Response:
    """Say where the request breaks which constraint; never repeat whole values."""
    assert isinstance(exc, RequestValidationError)
    found = [f"{'.'.join(map(str, error['loc']))}: {error['msg']}" for error in exc.errors()[:VIOLATIONS_MAX]]
    problem = Problem(
        type=TYPE_PREFIX + "invalid-request", title="The request is not valid", status=422, detail="; ".join(found)
    )
    return problem_response(problem)


async def _on_http_exception(_request: Request, exc: Exception) -> Response:
    assert isinstance(exc, HTTPException)
    phrase = HTTPStatus(exc.status_code).phrase
    problem = Problem(
        type=TYPE_PREFIX + phrase.lower().replace(" ", "-"), title=phrase, status=exc.status_code, detail=exc.detail
    )
    return problem_response(problem, exc.headers)
