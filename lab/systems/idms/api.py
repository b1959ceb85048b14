"""HTTP of the identity management server: discovery, JWKS, /authorize, /token (TS 33.180 Annex B).

Plain Starlette: the bodies are forms and the errors are OAuth's, so nothing here gains by FastAPI, which
would double the time to start.
"""

import html
import time
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import parse_qsl

import structlog
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from lab.systems.idms.assertions import AssertionChecker
from lab.systems.idms.authorization import PARAMETERS, AuthenticationRequest, AuthorizationEndpoint, RefusedByRedirect
from lab.systems.idms.claims import SCOPES
from lab.systems.idms.config import MC_SERVICE_CLAIMS, IdmsConfig
from lab.systems.idms.errors import InvalidRequest, OAuthError
from lab.systems.idms.grants import GRANT_TYPES, TokenEndpoint
from lab.systems.idms.keys import ALGORITHMS, SigningKey, VerifyingKeys
from lab.systems.idms.tokens import TokenIssuer
from lab.systems.idms.users import Registrations

_FORM: Final = "application/x-www-form-urlencoded"
_FIELDS_MAX: Final = 32
_NO_STORE: Final = {"Cache-Control": "no-store", "Pragma": "no-cache"}  # RFC 6749 §5.1
_PAGE_HEADERS: Final = {
    **_NO_STORE,
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; base-uri 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}

Clock = Callable[[], float]


class BodyTooLarge(OAuthError):
    """The request body is over the limit."""

    status = 413


class IdentityManagementServer:
    """The endpoints, around the rules."""

    def __init__(
        self, config: IdmsConfig, key: SigningKey, partner_keys: dict[str, VerifyingKeys], clock: Clock = time.time
    ) -> None:
        self._config = config
        self._key = key
        self._clock = clock
        self._log = structlog.get_logger().bind(issuer=config.system.issuer)
        registrations = Registrations(config)
        self._authorization = AuthorizationEndpoint(config, registrations)
        assertions = AssertionChecker(config, partner_keys, registrations.mc_service_ids)
        issuer = TokenIssuer(config, key)
        self._tokens = TokenEndpoint(config, registrations, self._authorization, issuer, assertions)

    def application(self) -> Starlette:
        """Return the ASGI application."""
        return Starlette(
            routes=[
                Route("/.well-known/openid-configuration", self.discovery),
                Route("/jwks", self.jwks),
                Route("/authorize", self.authorize, methods=["GET", "POST"]),
                Route("/token", self.token, methods=["POST"]),
            ]
        )

    async def discovery(self, _request: Request) -> Response:
        """OpenID Connect Discovery 1.0 §3."""
        issuer = self._config.system.issuer
        return JSONResponse(
            {
                "issuer": issuer,
                "authorization_endpoint": f"{issuer}/authorize",
                "token_endpoint": f"{issuer}/token",
                "jwks_uri": f"{issuer}/jwks",
                "scopes_supported": SCOPES,
                "response_types_supported": ["code"],
                "grant_types_supported": GRANT_TYPES,
                "subject_types_supported": ["public"],
                "id_token_signing_alg_values_supported": ALGORITHMS,
                "token_endpoint_auth_methods_supported": ["none"],
                "code_challenge_methods_supported": ["S256"],
                "claims_supported": ["iss", "sub", "aud", "exp", "iat", "client_id", "scope", *MC_SERVICE_CLAIMS],
                "authorization_response_iss_parameter_supported": True,
            }
        )

    async def jwks(self, _request: Request) -> Response:
        """Return the public keys (RFC 7517 §5)."""
        return JSONResponse(self._key.jwks(), headers={"Cache-Control": "max-age=300"})

    async def token(self, request: Request) -> Response:
        """Return a token response, or an error response (RFC 6749 §5)."""
        grant_type = client_id = ""
        try:
            parameters = await self._form(request)
            grant_type, client_id = parameters.get("grant_type", ""), parameters.get("client_id", "")
            response = self._tokens.grant(parameters, self._clock())
        except OAuthError as exc:
            self._log.info(
                "token.refused", grant_type=grant_type[:80], client=client_id[:80], error=exc.error, why=exc.description
            )
            return _error_response(exc)
        self._log.info(
            "token.issued", grant_type=grant_type, client=client_id, kid=self._key.kid, scope=response.get("scope")
        )
        return JSONResponse(response, headers=_NO_STORE)

    async def authorize(self, request: Request) -> Response:
        """Show the login form, or take it and redirect with a code (RFC 6749 §4.1)."""
        try:
            posted = request.method == "POST"
            parameters = await self._form(request) if posted else _parameters(request.url.query)
            checked = self._authorization.check(parameters)
        except RefusedByRedirect as exc:
            self._log.info("authorization.refused", error=exc.error)
            return RedirectResponse(exc.location, status_code=303, headers=_NO_STORE)
        except OAuthError as exc:
            self._log.info("authorization.refused", error=exc.error, why=exc.description)
            return _page(f"<p>Refused: {html.escape(exc.description)}</p>", 400)
        if not posted or "username" not in parameters:
            return _page(_login_form(parameters, ""), 200)
        return self._log_in(checked, parameters)

    def _log_in(self, checked: AuthenticationRequest, parameters: dict[str, str]) -> Response:
        try:
            location = self._authorization.issue_code(
                checked, parameters["username"], parameters.get("password", ""), self._clock()
            )
        except OAuthError as exc:
            self._log.info("authorization.refused", error=exc.error, why=exc.description)
            return _page(_login_form(parameters, exc.description), 401)
        self._log.info("code.issued", client=checked.client_id)
        return RedirectResponse(location, status_code=303, headers=_NO_STORE)

    async def _form(self, request: Request) -> dict[str, str]:
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() != _FORM:
            raise InvalidRequest(f"content type must be {_FORM}")
        body = bytearray()
        async for chunk in request.stream():
            body += chunk
            if len(body) > self._config.limits.body_octets_max:
                raise BodyTooLarge(f"body over {self._config.limits.body_octets_max} octets")
        try:
            text = body.decode("ascii")
        except UnicodeDecodeError as exc:
            raise InvalidRequest("body is not percent-encoded") from exc
        return _parameters(text)


def _parameters(text: str) -> dict[str, str]:
    """Return the parameters; each may stand once (RFC 6749 §3.1, §3.2)."""
    try:
        pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=_FIELDS_MAX, errors="strict")
    except (ValueError, UnicodeDecodeError) as exc:
        raise InvalidRequest("parameters cannot be decoded, or are too many") from exc
    parameters = dict(pairs)
    if len(parameters) != len(pairs):
        raise InvalidRequest("a parameter stands twice")
    return parameters


def _error_response(exc: OAuthError) -> Response:
    body: dict[str, Any] = {"error": exc.error, "error_description": exc.description}
    return JSONResponse(body, status_code=exc.status, headers=_NO_STORE)


def _page(content: str, status: int) -> Response:
    text = f"<!doctype html><html lang=en><meta charset=utf-8><title>MC user authentication</title>{content}</html>"
    return HTMLResponse(text, status_code=status, headers=_PAGE_HEADERS)


def _login_form(parameters: dict[str, str], message: str) -> str:
    hidden = "".join(
        f'<input type="hidden" name="{name}" value="{html.escape(parameters[name])}">'
        for name in PARAMETERS
        if name in parameters
    )
    return (
        f"<h1>MC user authentication</h1><p>{html.escape(message)}</p>"
        f'<form method="post" action="authorize">{hidden}'
        '<label>User <input name="username" autocomplete="username"></label>'
        '<label>Password <input name="password" type="password" autocomplete="current-password"></label>'
        "<button>Log in</button></form>"
    )
