"""The FastAPI application that both servers build on: problem details, access by client name, health.

A program adds its routers and its own readiness check.  Routes outside every group answer 404.
"""

from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from starlette.responses import Response

from mmserver.http.access import BODY_OCTETS_MAX, AccessControl, RouteGroup
from mmserver.http.problems import ProblemFound, install_problem_handlers, problem_documentation
from mmserver.http.trace import TraceContext
from mmserver.messages import Problem

ReadinessCheck = Callable[[], Awaitable[str | None]]
"""Returns what is missing, or None when the program can serve."""


class _Application(FastAPI):
    """Its OpenAPI document also has the schema of problem details, which no operation returns by itself."""

    def openapi(self) -> dict[str, Any]:
        """Return the document, made once."""
        if self.openapi_schema is None:
            document = get_openapi(
                title=self.title, version=self.version, description=self.description, routes=self.routes
            )
            schemas = document.setdefault("components", {}).setdefault("schemas", {})
            schemas["Problem"] = Problem.model_json_schema()
            self.openapi_schema = document
        return self.openapi_schema


def create_app(
    *,
    title: str,
    description: str,
    groups: tuple[RouteGroup, ...],
    readiness: ReadinessCheck,
    version: str = "1",
    body_octets_max: int = BODY_OCTETS_MAX,
) -> FastAPI:
    """Return an application with ``/health``, ``/ready``, ``/openapi.json`` and nothing else yet.

    ``groups`` says who may call the routes that the caller adds; the three above ask for no client name.
    """
    app = _Application(
        title=title,
        description=description,
        version=version,
        docs_url=None,
        redoc_url=None,
        responses=problem_documentation(400, 403, 413, 422),
    )
    install_problem_handlers(app)
    everybody = tuple(RouteGroup.for_anybody(path) for path in ("/health", "/ready", "/openapi.json"))
    app.add_middleware(AccessControl, groups=(*groups, *everybody), body_octets_max=body_octets_max)
    app.add_middleware(TraceContext)

    @app.get("/health", operation_id="health", tags=["operation"])
    async def health() -> dict[str, str]:
        """Say that the process runs its loop."""
        return {"status": "up"}

    @app.get("/ready", operation_id="ready", tags=["operation"], responses=problem_documentation(503))
    async def ready() -> dict[str, Any]:
        """Say whether the program can serve now; 503 names what is missing."""
        missing = await readiness()
        if missing is not None:
            raise ProblemFound(503, "not-ready", "Not ready", missing, headers={"Retry-After": "1"})
        return {"status": "ready"}

    return app


def no_content() -> Response:
    """Return an empty 204."""
    return Response(status_code=204)
