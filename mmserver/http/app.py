"""The FastAPI application that both servers build on: problem details, access by client name, health, metrics.

A program adds its routers, its own readiness check and what it counts.  Routes outside every group answer 404, and
``/metrics`` is for the clients that the configuration names: nobody, unless told.
"""

from collections.abc import Iterable
from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from starlette.responses import Response

from mmserver.http import metrics as prometheus
from mmserver.http.access import BODY_OCTETS_MAX, AccessControl, RouteGroup
from mmserver.http.metrics import Metrics
from mmserver.http.observation import Observation
from mmserver.http.overload import Overload
from mmserver.http.problems import (
    OF_EVERY_OPERATION,
    ProblemFound,
    install_problem_handlers,
    problem_responses,
)
from mmserver.http.readiness import KINDS, ReadinessCheck
from mmserver.http.trace import TraceContext
from mmserver.messages import Problem

IN_PROGRESS_MAX: Final = 64


class _Application(FastAPI):
    """Its OpenAPI document also has the schema of problem details, which no operation returns by itself.

    A path with one / too many is no path of ours: a redirect would name the host that the client says we are.
    """

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings, redirect_slashes=False)

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
    metrics: Metrics | None = None,
    metrics_clients: Iterable[str] = (),
    beginnings: Iterable[str] = (),
    in_progress_max: int = IN_PROGRESS_MAX,
) -> FastAPI:
    """Return an application with ``/health``, ``/ready``, ``/openapi.json``, ``/metrics`` and nothing else yet.

    ``groups`` says who may call the routes that the caller adds; the first three ask for no client name.
    Of POSTs to the paths ``beginnings`` there are ``in_progress_max`` at one time.
    """
    metrics = metrics or Metrics()
    app = _Application(
        title=title,
        description=description,
        version=version,
        docs_url=None,
        redoc_url=None,
        responses=problem_responses(*OF_EVERY_OPERATION),
    )
    install_problem_handlers(app)
    everybody = tuple(RouteGroup.for_anybody(path) for path in ("/health", "/ready", "/openapi.json"))
    scrapers = RouteGroup.for_clients("/metrics", metrics_clients)
    app.add_middleware(Overload, beginnings=frozenset(beginnings), in_progress_max=in_progress_max, metrics=metrics)
    app.add_middleware(AccessControl, groups=(*groups, *everybody, scrapers), body_octets_max=body_octets_max)
    app.add_middleware(Observation, metrics=metrics)
    app.add_middleware(TraceContext)
    _add_operation_routes(app, readiness, metrics)
    return app


def create_metrics_app(metrics: Metrics, readiness: ReadinessCheck) -> FastAPI:
    """Return what a listener of its own serves: ``/metrics``, ``/health`` and ``/ready`` to anybody who reaches it."""
    app = _Application(title="Metrics", version="1", openapi_url=None, docs_url=None, redoc_url=None)
    install_problem_handlers(app)
    open_to_all = tuple(RouteGroup.for_anybody(path) for path in ("/health", "/ready", "/metrics"))
    app.add_middleware(AccessControl, groups=open_to_all)
    _add_operation_routes(app, readiness, metrics)
    return app


def _add_operation_routes(app: FastAPI, readiness: ReadinessCheck, metrics: Metrics) -> None:
    @app.get("/health", operation_id="health", tags=["operation"])
    async def health() -> dict[str, str]:
        """Say that the process runs its loop."""
        return {"status": "up"}

    @app.get("/ready", operation_id="ready", tags=["operation"], responses=problem_responses(*KINDS))
    async def ready() -> dict[str, Any]:
        """Say whether the program can serve now; 503 names what is missing."""
        missing = await readiness()
        if missing is not None:
            kind = missing.kind
            raise ProblemFound(kind.status, kind.name, kind.title, missing.detail, headers={"Retry-After": "1"})
        return {"status": "ready"}

    text: dict[int | str, dict[str, Any]] = {200: {"content": {"text/plain": {"schema": {"type": "string"}}}}}

    @app.get("/metrics", operation_id="metrics", tags=["operation"], response_class=Response, responses=text)
    async def read_metrics() -> Response:
        """Return what is counted, in the Prometheus text format."""
        return Response(await metrics.expose(), media_type=prometheus.MEDIA_TYPE)


def no_content() -> Response:
    """Return an empty 204."""
    return Response(status_code=204)
