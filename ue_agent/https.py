"""HTTPS of the UE: one TLS context for each MC system, and bounded JSON answers.

TLS 1.3 at least, trusting that system's CA alone: the primary's from our configuration, a partner's from the trust
anchors of its initial UE configuration (10.1.X.1 step 13).  It knows no operation.
"""

import json
import ssl
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

import httpx2

from ue_agent.errors import HttpError


class Answer(NamedTuple):
    """Status, headers and whole body of a response."""

    status: int
    headers: httpx2.Headers
    body: bytes

    def json_object(self) -> dict[str, Any]:
        """Return the body.

        Raises:
            HttpError: it is not a JSON object.
        """
        try:
            value = json.loads(self.body)
        except (ValueError, RecursionError) as exc:
            raise HttpError(f"the answer ({self.status}) is not JSON") from exc
        if not isinstance(value, dict):
            raise HttpError(f"the answer ({self.status}) is not a JSON object")
        return value


def context_of_file(ca: Path) -> ssl.SSLContext:
    """Return a context that trusts the CA certificates in a file.

    Raises:
        HttpError: there is none in it.
    """
    try:
        return _strict(ssl.create_default_context(cafile=str(ca)))
    except (OSError, ssl.SSLError) as exc:
        raise HttpError(f"{ca.name}: no CA certificate can be read from it") from exc


def context_of_anchors(trust_anchors: tuple[str, ...]) -> ssl.SSLContext:
    """Return a context that trusts these PEM certificates and nothing else.

    Raises:
        HttpError: there is none, or one is not a certificate.
    """
    if not trust_anchors:
        raise HttpError("the initial UE configuration holds no trust anchor")
    try:
        return _strict(ssl.create_default_context(cadata="\n".join(trust_anchors)))
    except (ssl.SSLError, ValueError) as exc:
        raise HttpError("a trust anchor of the initial UE configuration is not a certificate") from exc


def _strict(context: ssl.SSLContext) -> ssl.SSLContext:
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.hostname_checks_common_name = False
    return context


class HttpsClient:
    """Requests to the servers of one MC system; an async context manager."""

    def __init__(self, context: ssl.SSLContext, *, timeout_s: float, response_octets_max: int) -> None:
        """Use ``context``; no proxy of the environment, no redirect is followed, cookies live as long as this."""
        self._client = httpx2.AsyncClient(verify=context, timeout=timeout_s, trust_env=False, follow_redirects=False)
        self._octets_max = response_octets_max

    async def __aenter__(self) -> "HttpsClient":
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._client.aclose()

    async def get(self, url: str, params: dict[str, str] | None = None) -> Answer:
        """GET.

        Raises:
            HttpError: no connection, no trust, no answer, or too large a one.
        """
        return await self._send("GET", url, params=params)

    async def post_form(self, url: str, form: dict[str, str]) -> Answer:
        """POST ``application/x-www-form-urlencoded``; raises as ``get``."""
        return await self._send("POST", url, data=form)

    async def post_json(self, url: str, text: str, bearer: str | None) -> Answer:
        """POST ``application/json``, with a bearer token where there is one (RFC 6750 §2.1); raises as ``get``."""
        headers = {"Content-Type": "application/json", "Accept": "application/json, application/problem+json"}
        if bearer is not None:
            headers["Authorization"] = f"Bearer {bearer}"
        return await self._send("POST", url, content=text.encode(), headers=headers)

    async def _send(self, method: str, url: str, **request: Any) -> Answer:
        if not url.startswith("https://"):
            raise HttpError(f"{url[:80]}: not an https URL")
        try:
            async with self._client.stream(method, url, **request) as response:
                body = bytearray()
                async for chunk in response.aiter_bytes():
                    body += chunk
                    if len(body) > self._octets_max:
                        raise HttpError(f"the answer is over {self._octets_max} octets")
                return Answer(response.status_code, response.headers, bytes(body))
        except (httpx2.HTTPError, httpx2.InvalidURL) as exc:
            host = url.removeprefix("https://").partition("/")[0]
            raise HttpError(f"{host}: {type(exc).__name__}: {_short(exc)}") from exc


def _short(exc: BaseException) -> str:
    """Return what is known of a failure: the first text on the way to its cause, in one line."""
    while not str(exc).strip() and (exc.__cause__ or exc.__context__):
        exc = exc.__cause__ or exc.__context__ or exc
    return (str(exc).strip().splitlines() or ["no more is known"])[0][:200]
