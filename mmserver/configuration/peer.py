"""One HTTP server that we ask: our migration management server, a partner's configuration management server, the IdMS.

Answers are bounded in octets and time.  What goes wrong is one of three things, and each client of this module says
which refusal of which step that is.
"""

import asyncio
import functools
import json
import math
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final, TypeVar

from pydantic import BaseModel, TypeAdapter, ValidationError

from mmserver.http.problems import MEDIA_TYPE
from mmserver.http.trace import HEADER, child_traceparent
from mmserver.messages import Problem

if TYPE_CHECKING:
    import httpx2

ANSWER_OCTETS_MAX: Final = 4 * 1024 * 1024
OLD_CONNECTIONS_S: Final = 60.0
"""Longer than any question takes, long polls included."""

T = TypeVar("T")


class PeerFailure(Exception):
    """The peer gave no usable answer."""


class PeerUnreachable(PeerFailure):
    """No connection, no TLS, or no answer in time."""


class PeerNonsense(PeerFailure):
    """An answer that is not what was asked for."""


class PeerRefused(PeerFailure):
    """The peer refused, with problem details."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(f"{problem.status} {problem.type}: {problem.detail}")
        self.problem = problem


class Peer:
    """An HTTPS server at ``base_url``; ``context`` says whom we trust and who we are."""

    def __init__(
        self,
        base_url: str,
        context: ssl.SSLContext,
        timeout_s: float,
        transport: "httpx2.AsyncBaseTransport | None" = None,
    ) -> None:
        self._base_url = base_url
        self._context = context
        self._timeout_s = timeout_s
        self._transport = transport
        self._http: httpx2.AsyncClient | None = None
        self._closing: dict[asyncio.Task[None], httpx2.AsyncClient] = {}

    async def close(self) -> None:
        """Close its connections."""
        closing, self._closing = self._closing, {}
        for task in closing:
            task.cancel()
        await asyncio.gather(*closing, return_exceptions=True)
        for http in (*closing.values(), self._http):
            if http is not None:
                await http.aclose()

    def exchange(self, context: ssl.SSLContext) -> None:
        """Connect with this context from now on; questions under way end over the old connections."""
        old, self._http, self._context = self._http, None, context
        if old is not None:
            task = asyncio.get_running_loop().create_task(_close_later(old, OLD_CONNECTIONS_S))
            self._closing[task] = old
            task.add_done_callback(lambda done: self._closing.pop(done, None))

    async def ask(
        self,
        method: str,
        path: str,
        answer: type[T],
        *,
        body: BaseModel | None = None,
        query: Mapping[str, str] | None = None,
        wait_s: float = 0.0,
    ) -> T:
        """Return the answer as ``answer``; ``wait_s`` more is granted to a long poll.

        Raises:
            PeerFailure: one of its three kinds.
        """
        octets = await self._ask(method, path, body, query, self._timeout_s + wait_s)
        kind: Any = answer
        try:
            validated: T = _adapter(kind).validate_json(octets)
            return validated
        except ValidationError as exc:
            raise PeerNonsense(f"{method} {path}: {exc.error_count()} faults in the answer") from exc

    async def tell(self, method: str, path: str, body: BaseModel | None = None) -> None:
        """Send a request whose answer says nothing but that it was done.

        Raises:
            PeerFailure: one of its three kinds.
        """
        await self._ask(method, path, body, None, self._timeout_s)

    async def get_json(self, url: str, within_s: float = math.inf) -> Any:
        """Return the JSON document at an absolute URL, waiting ``within_s`` at most, and no longer than for all else.

        Raises:
            PeerFailure: one of its three kinds.
        """
        async with self._asking(min(self._timeout_s, within_s)):
            status, _, octets = await self._exchange("GET", url, {}, None, None)
        if status != 200:
            raise PeerNonsense(f"{url}: status {status}")
        try:
            return json.loads(octets)
        except (ValueError, RecursionError) as exc:
            raise PeerNonsense(f"{url}: not JSON") from exc

    async def _ask(
        self, method: str, path: str, body: BaseModel | None, query: Mapping[str, str] | None, timeout_s: float
    ) -> bytes:
        headers = {"Content-Type": "application/json"} if body is not None else {}
        content = body.model_dump_json(exclude_none=True).encode() if body is not None else None
        async with self._asking(timeout_s):
            status, media_type, octets = await self._exchange(method, path, headers, content, query)
        if not 200 <= status < 300:
            raise _refusal(status, media_type, octets)
        return octets

    @asynccontextmanager
    async def _asking(self, timeout_s: float) -> AsyncIterator[None]:
        import httpx2

        try:
            async with asyncio.timeout(timeout_s):
                yield
        except TimeoutError as exc:
            raise PeerUnreachable(f"{self._base_url}: no answer in {timeout_s} s") from exc
        except (httpx2.HTTPError, httpx2.InvalidURL, ssl.SSLError) as exc:
            raise PeerUnreachable(f"{self._base_url}: {type(exc).__name__}: {exc}") from exc

    async def _exchange(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str],
        content: bytes | None,
        query: Mapping[str, str] | None,
    ) -> tuple[int, str, bytes]:
        traceparent = child_traceparent()
        all_headers = {**headers, **({HEADER: traceparent} if traceparent else {})}
        async with self._client().stream(method, path, headers=all_headers, content=content, params=query) as response:
            octets = bytearray()
            async for chunk in response.aiter_bytes():
                octets += chunk
                if len(octets) > ANSWER_OCTETS_MAX:
                    raise PeerNonsense(f"{method} {path}: answer over {ANSWER_OCTETS_MAX} octets")
            media_type = response.headers.get("content-type", "").partition(";")[0].strip()
            return response.status_code, media_type, bytes(octets)

    def _client(self) -> "httpx2.AsyncClient":
        # Loaded with the first question, so that the program is up sooner.
        import httpx2

        from diameter_proxy.https_transport import HttpsTransport

        if self._http is None:
            self._http = httpx2.AsyncClient(
                base_url=self._base_url,
                timeout=None,
                trust_env=False,
                follow_redirects=False,
                transport=self._transport or HttpsTransport(self._context),
            )
        return self._http


async def _close_later(http: "httpx2.AsyncClient", after_s: float) -> None:
    await asyncio.sleep(after_s)
    await http.aclose()


@functools.cache
def _adapter(answer: Any) -> "TypeAdapter[Any]":
    # Made once for each kind of answer: for a list it is a whole schema.
    return TypeAdapter(answer)


def _refusal(status: int, media_type: str, octets: bytes) -> PeerFailure:
    if media_type != MEDIA_TYPE:
        return PeerNonsense(f"status {status} without problem details")
    try:
        return PeerRefused(Problem.model_validate_json(octets))
    except ValidationError:
        return PeerNonsense(f"status {status} with malformed problem details")
