"""The feed over HTTP: what our own Diameter proxies ask and tell."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Path, Query, Request
from starlette.responses import Response

from mmserver.http.access import client_names
from mmserver.http.app import no_content
from mmserver.http.problems import ProblemFound
from mmserver.identity import Impi, InvalidIdentity, parse_impi, parse_impu
from mmserver.messages import FeedAcknowledgement, FeedEntry, FeedPage, FeedRows, ProxyEvent, UseReport
from mmserver.migration.api_examples import body_example
from mmserver.migration.feed import Feed
from mmserver.migration.problems import responses_of
from mmserver.migration.withdrawal import Withdrawal

ROWS: Final[dict[int | str, dict[str, Any]]] = {
    200: {"model": FeedRows, "description": "As get_feed_changes, a row for each entry."}
}


def feed_router(feed: Feed, withdrawal: Withdrawal) -> APIRouter:
    """Return the routes under ``/feed``."""
    router = APIRouter(prefix="/feed/v1", tags=["feed"])

    @router.get("/changes", operation_id="get_feed_changes", responses=responses_of("get_feed_changes"))
    async def changes(
        after: Annotated[int, Query(ge=0, description="The version of the last page; 0 for everything.")] = 0,
        began: Annotated[int, Query(ge=0, description="``began`` of the last page; 0 at the start.")] = 0,
        wait_s: Annotated[float, Query(ge=0, le=60, description="Wait this long while there is nothing.")] = 0,
        limit: Annotated[int, Query(ge=1, le=1000)] = 1000,
    ) -> FeedPage:
        """Return binding changes after a version, waiting while there are none (long poll)."""
        return await feed.page(after, limit, wait_s, began=began)

    @router.get(
        "/rows",
        operation_id="get_feed_rows",
        responses=ROWS | responses_of("get_feed_rows"),
        response_class=Response,
    )
    async def rows(
        after: Annotated[int, Query(ge=0, description="The version of the last page; 0 for everything.")] = 0,
        began: Annotated[int, Query(ge=0, description="``began`` of the last page; 0 at the start.")] = 0,
        limit: Annotated[int, Query(ge=1, le=10_000)] = 10_000,
    ) -> Response:
        """Return everything after a version, in large pages without waiting: for a proxy that starts."""
        octets = await feed.rows(after, limit, began=began)
        return Response(octets, media_type="application/json")

    @router.get(
        "/identities/{identity:path}", operation_id="look_up_identity", responses=responses_of("look_up_identity")
    )
    async def look_up(identity: Annotated[str, Path(min_length=3, max_length=255)]) -> FeedEntry:
        """Return the entry of the binding that lends this IMPI or IMPU."""
        try:
            wanted = parse_impu(identity) if identity.lower().startswith(("sip:", "tel:")) else parse_impi(identity)
        except InvalidIdentity as exc:
            raise ProblemFound(422, "invalid-request", "The request is not valid", str(exc)) from exc
        entry = await feed.look_up(wanted)
        if entry is None:
            raise ProblemFound(404, "unknown-identity", "No binding lends this identity")
        return entry

    @router.put(
        "/acknowledgement",
        operation_id="acknowledge_feed",
        responses=responses_of("acknowledge_feed"),
        openapi_extra=body_example("FeedAcknowledgement"),
        status_code=204,
    )
    async def acknowledge(body: FeedAcknowledgement, request: Request) -> Response:
        """Say that a proxy has applied all changes up to a version."""
        if body.proxy.lower() not in client_names(request):
            raise ProblemFound(403, "not-this-proxy", "A proxy acknowledges for itself only")
        await feed.acknowledge(body.model_copy(update={"proxy": body.proxy.lower()}))
        return no_content()

    @router.put(
        "/uses",
        operation_id="report_uses",
        responses=responses_of("report_uses"),
        openapi_extra=body_example("UseReport"),
        status_code=204,
    )
    async def uses(body: UseReport, request: Request) -> Response:
        """Report primary migration sets that were used for the first time, or that there were none."""
        if body.proxy.lower() not in client_names(request):
            raise ProblemFound(403, "not-this-proxy", "A proxy reports for itself only")
        await feed.report_uses(body.model_copy(update={"proxy": body.proxy.lower()}))
        return no_content()

    @router.post(
        "/events",
        operation_id="report_proxy_event",
        responses=responses_of("report_proxy_event"),
        openapi_extra=body_example("ProxyEvent"),
        status_code=204,
    )
    async def event(body: ProxyEvent, request: Request) -> Response:
        """Report what a proxy saw: the home network has de-registered a set that is lent."""
        await withdrawal.home_deregistration(Impi(body.private_user_identity), _proxy(request))
        return no_content()

    return router


def _proxy(request: Request) -> str:
    return ",".join(sorted(client_names(request)))
