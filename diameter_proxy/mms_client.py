"""HTTPS toward the instances of our MMS: one is followed, the others are there when it fails.

They share one database, and so one feed version: what one has told, the next goes on from.
"""

import importlib
import json
import ssl
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from diameter_proxy.feed_page import FeedError

if TYPE_CHECKING:
    import httpx2

PAGE_OCTETS_MAX: Final = 32 * 1024 * 1024
SEND_S: Final = 3.0


class MmsClient:
    """Requests to whichever instance is followed, or to each in turn."""

    def __init__(self, urls: Sequence[str], context: ssl.SSLContext, timeout_s: float) -> None:
        self.urls: Final = tuple(url.rstrip("/") for url in urls)
        self._context: Final = context
        self._timeout_s: Final = timeout_s
        self._followed = 0
        self._asked = 0
        self._client: httpx2.AsyncClient | None = None

    def open(self) -> None:
        """Load the library, which takes a while, and make ready; may be called in a thread."""
        httpx = importlib.import_module("httpx2")
        transport = importlib.import_module("diameter_proxy.https_transport").HttpsTransport(self._context)
        self._client = httpx.AsyncClient(trust_env=False, transport=transport, timeout=self._timeout_s)

    async def close(self) -> None:
        """Let go of all connections."""
        if self._client is not None:
            await self._client.aclose()

    @property
    def followed(self) -> str:
        """The instance that is followed."""
        return self.urls[self._followed]

    def follow_next(self) -> bool:
        """Follow the next instance; say whether all have had their turn."""
        self._followed = (self._followed + 1) % len(self.urls)
        return self._followed == 0

    async def get(self, path: str, parameters: dict[str, str]) -> bytes:
        """Return what the instance that is followed answers.

        Raises:
            FeedError: nothing of use came.
        """
        client = self._opened()
        try:
            async with client.stream("GET", self.followed + path, params=parameters) as answer:
                if answer.status_code != 200:
                    raise FeedError(f"{path}: status {answer.status_code}")
                octets = bytearray()
                async for part in answer.aiter_bytes():
                    octets += part
                    if len(octets) > PAGE_OCTETS_MAX:
                        raise FeedError(f"{path}: over {PAGE_OCTETS_MAX} octets")
        except self._failures() as exc:
            raise FeedError(f"{type(exc).__name__}: {exc}") from exc
        return bytes(octets)

    async def send(self, method: str, path: str, body: dict[str, Any]) -> None:
        """Tell the instance that is followed something.

        Raises:
            FeedError: it did not take it.
        """
        client = self._opened()
        headers = {"content-type": "application/json"}
        try:
            answer = await client.request(
                method, self.followed + path, content=json.dumps(body), headers=headers, timeout=SEND_S
            )
        except self._failures() as exc:
            raise FeedError(f"{type(exc).__name__}: {exc}") from exc
        if answer.status_code >= 300:
            raise FeedError(f"{path}: status {answer.status_code}")

    async def ask(self, path: str) -> tuple[int, bytes]:
        """Return status and body of the first instance that answers below 500, the last one that did first.

        A caller who stops waiting has found the first of them silent: the next question begins with another.

        Raises:
            FeedError: none did.
        """
        client = self._opened()
        reason = ""
        for _ in self.urls:
            url, asked = self.urls[self._asked], self._asked
            self._asked = (asked + 1) % len(self.urls)
            try:
                answer = await client.get(url + path)
            except self._failures() as exc:
                reason = f"{type(exc).__name__}: {exc}"
                continue
            if answer.status_code < 500:
                self._asked = asked
                return answer.status_code, answer.content
            reason = f"status {answer.status_code}"
        raise FeedError(reason)

    def _opened(self) -> "httpx2.AsyncClient":
        assert self._client is not None, "open() comes first"
        return self._client

    def _failures(self) -> tuple[type[Exception], ...]:
        """Return what a request may raise; httpx2 is loaded by the time it is asked."""
        httpx = importlib.import_module("httpx2")
        return (httpx.HTTPError, httpx.InvalidURL)
