"""The identity management client: tokens from the primary IdMS, and from a partner's (TS 33.180 Annex B).

At the primary: OpenID Connect, by password grant (RFC 6749 §4.3) or authorization code with PKCE (RFC 7636).
At a partner (10.6.2 step 1): RFC 8693 token exchange at the primary IdMS gives a security token (a JWT) for the
partner's IdMS, and the JWT-bearer grant of RFC 7523 there gives the partner's access token.
Tokens are opaque to the client, live in memory, and are kept out of ``repr``.
"""

import base64
import hashlib
import json
import secrets
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any, Final
from urllib.parse import parse_qs, urlencode, urljoin, urlsplit

from ue_agent.errors import HttpError, TokenRefused
from ue_agent.https import Answer, HttpsClient

TOKEN_EXCHANGE: Final = "urn:ietf:params:oauth:grant-type:token-exchange"  # noqa: S105 - a URN, no password
JWT_BEARER: Final = "urn:ietf:params:oauth:grant-type:jwt-bearer"
ACCESS_TOKEN_TYPE: Final = "urn:ietf:params:oauth:token-type:access_token"  # noqa: S105 - a URN, no password
JWT_TYPE: Final = "urn:ietf:params:oauth:token-type:jwt"
WELL_KNOWN: Final = "/.well-known/openid-configuration"
TOKEN_CHARACTERS_MAX: Final = 16384


@dataclass(frozen=True, slots=True)
class Tokens:
    """What a token endpoint gave."""

    access_token: str = field(repr=False)
    refresh_token: str | None = field(repr=False, default=None)
    id_token: str | None = field(repr=False, default=None)
    expires_in_s: int = 0


@dataclass(frozen=True, slots=True)
class Client:
    """The user and the client as the identity management servers know them."""

    client_id: str
    username: str
    password: str = field(repr=False)
    redirect_uri: str
    scope: str


class IdentityClient:
    """Talks to one identity management server."""

    def __init__(self, https: HttpsClient, issuer: str, client: Client) -> None:
        """Talk to ``issuer`` as ``client``."""
        self._https = https
        self._issuer = issuer
        self._client = client
        self._endpoints: dict[str, str] = {}

    async def by_password(self) -> Tokens:
        """Authenticate with user name and password (RFC 6749 §4.3).

        Raises:
            TokenRefused: the server refused.
            HttpError: it could not be asked, or its answer is none.
        """
        return await self._token(
            grant_type="password",
            username=self._client.username,
            password=self._client.password,
            client_id=self._client.client_id,
            scope=self._client.scope,
        )

    async def by_code(self) -> Tokens:
        """Authenticate through the login form with an authorization code and PKCE (RFC 6749 §4.1, RFC 7636).

        Raises:
            TokenRefused: the server refused.
            HttpError: it could not be asked, or its answer is none.
        """
        verifier, state, nonce = (secrets.token_urlsafe(48) for _ in range(3))
        code = await self._code(code_challenge_of(verifier), state, nonce)
        tokens = await self._token(
            grant_type="authorization_code",
            code=code,
            redirect_uri=self._client.redirect_uri,
            client_id=self._client.client_id,
            code_verifier=verifier,
        )
        if tokens.id_token is not None:
            check_id_token(tokens.id_token, issuer=self._issuer, client_id=self._client.client_id, nonce=nonce)
        return tokens

    async def exchange(self, access_token: str, audience: str) -> str:
        """Return the security token for the identity management server ``audience`` (RFC 8693 §2.1).

        Raises:
            TokenRefused: the server refused.
            HttpError: it could not be asked, or its answer is none.
        """
        tokens = await self._token(
            grant_type=TOKEN_EXCHANGE,
            subject_token=access_token,
            subject_token_type=ACCESS_TOKEN_TYPE,
            requested_token_type=JWT_TYPE,
            audience=audience,
            scope=self._client.scope,
            client_id=self._client.client_id,
        )
        return tokens.access_token

    async def _code(self, challenge: str, state: str, nonce: str) -> str:
        endpoint = await self._endpoint("authorization_endpoint")
        query = {
            "response_type": "code",
            "client_id": self._client.client_id,
            "redirect_uri": self._client.redirect_uri,
            "scope": self._client.scope,
            "state": state,
            "nonce": nonce,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        answer = await self._https.get(endpoint, query)
        if answer.status == 200:
            form = read_login_form(answer.body.decode(errors="replace"))
            action = urljoin(f"{endpoint}?{urlencode(query)}", form.action)
            fields = {**form.hidden, "username": self._client.username, "password": self._client.password}
            if urlsplit(action)[:2] != urlsplit(endpoint)[:2]:
                raise HttpError("the login form would send the password to another server")
            answer = await self._https.post_form(action, fields)
        if answer.status not in (302, 303):
            raise _refused(answer)
        return code_of_redirect(answer.headers.get("location", ""), self._client.redirect_uri, state)

    async def _endpoint(self, name: str) -> str:
        """Return an endpoint of the server's metadata (OpenID Connect Discovery §4)."""
        if not self._endpoints:
            answer = await self._https.get(self._issuer.rstrip("/") + WELL_KNOWN)
            if answer.status != 200:
                raise _refused(answer)
            metadata = answer.json_object()
            if metadata.get("issuer") != self._issuer:
                raise HttpError(f"the metadata is not of the issuer {self._issuer}")
            self._endpoints = {key: value for key, value in metadata.items() if isinstance(value, str)}
        if name not in self._endpoints:
            raise HttpError(f"the metadata has no {name}")
        return self._endpoints[name]

    async def _token(self, **form: str) -> Tokens:
        return await post_for_tokens(self._https, await self._endpoint("token_endpoint"), form)


async def redeem_security_token(https: HttpsClient, token_endpoint: str, security_token: str, client: Client) -> Tokens:
    """Return the partner's tokens for the primary's security token (RFC 7523 §2.1, TS 33.180 B.7.4).

    Raises:
        TokenRefused: the partner's server refused.
        HttpError: it could not be asked, or its answer is none.
    """
    form = {
        "grant_type": JWT_BEARER,
        "assertion": security_token,
        "client_id": client.client_id,
        "scope": client.scope,
    }
    return await post_for_tokens(https, token_endpoint, form)


async def post_for_tokens(https: HttpsClient, endpoint: str, form: dict[str, str]) -> Tokens:
    """POST to a token endpoint and read its answer (RFC 6749 §5).

    Raises:
        TokenRefused: the server refused.
        HttpError: it could not be asked, or its answer is none.
    """
    answer = await https.post_form(endpoint, form)
    if answer.status != 200:
        raise _refused(answer)
    return parse_tokens(answer.json_object())


def parse_tokens(body: dict[str, Any]) -> Tokens:
    """Return the tokens of a successful response (RFC 6749 §5.1).

    Raises:
        HttpError: there is no access token, or a member is not what it should be.
    """
    texts = {name: body.get(name) for name in ("access_token", "refresh_token", "id_token")}
    for name, text in texts.items():
        if text is not None and not (isinstance(text, str) and 0 < len(text) <= TOKEN_CHARACTERS_MAX):
            raise HttpError(f"the token response's {name} is not a token")
    access_token = texts["access_token"]
    if access_token is None or not access_token.isprintable():
        raise HttpError("the token response has no access_token")
    expires_in = body.get("expires_in", 0)
    if not isinstance(expires_in, int) or expires_in < 0:
        raise HttpError("the token response's expires_in is not a number of seconds")
    return Tokens(access_token, texts["refresh_token"], texts["id_token"], expires_in)


def code_challenge_of(verifier: str) -> str:
    """Return the S256 code challenge (RFC 7636 §4.2)."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


def code_of_redirect(location: str, redirect_uri: str, state: str) -> str:
    """Return the authorization code of a redirect (RFC 6749 §4.1.2).

    Raises:
        TokenRefused: the redirect carries an error.
        HttpError: it goes elsewhere, is for another request, or carries no code.
    """
    parts = urlsplit(location)
    if location.partition("?")[0] != redirect_uri:
        raise HttpError("the authorization response redirects elsewhere")
    query = {name: values[0] for name, values in parse_qs(parts.query).items()}
    if query.get("state") != state:
        raise HttpError("the authorization response is for another request (state)")
    if "error" in query:
        raise TokenRefused(302, query["error"][:100], query.get("error_description", "")[:500])
    if not query.get("code"):
        raise HttpError("the authorization response has no code")
    return query["code"]


def check_id_token(id_token: str, *, issuer: str, client_id: str, nonce: str) -> None:
    """Check the claims of an ID token that came from the token endpoint itself over TLS.

    The signature need not be checked then (OpenID Connect Core §3.1.3.7, 6).

    Raises:
        HttpError: it is for another client or request, or from another issuer.
    """
    claims = _claims_of(id_token)
    audience = claims.get("aud")
    if claims.get("iss") != issuer or client_id not in (audience if isinstance(audience, list) else [audience]):
        raise HttpError("the ID token is not from this issuer for this client")
    if claims.get("nonce") != nonce:
        raise HttpError("the ID token is for another request (nonce)")


def _claims_of(token: str) -> dict[str, Any]:
    part = [*token.split("."), ""][1]
    try:
        claims = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except ValueError as exc:
        raise HttpError("the ID token is not a JWT") from exc
    if not isinstance(claims, dict):
        raise HttpError("the ID token is not a JWT")
    return claims


@dataclass(frozen=True, slots=True)
class LoginForm:
    """The first form of a page: where it goes, and the fields that it carries along."""

    action: str
    hidden: dict[str, str]


def read_login_form(page: str) -> LoginForm:
    """Return the form of a login page.

    Raises:
        HttpError: there is none.
    """
    reader = _FormReader()
    reader.feed(page)
    if reader.action is None:
        raise HttpError("the authorization endpoint shows no login form")
    return LoginForm(reader.action, reader.hidden)


class _FormReader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.action: str | None = None
        self.hidden: dict[str, str] = {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag == "form" and self.action is None:
            self.action = values.get("action") or ""
        elif tag == "input" and values.get("type") == "hidden" and values.get("name"):
            self.hidden[str(values["name"])] = values.get("value") or ""


def _refused(answer: Answer) -> TokenRefused:
    """Return the error of a token endpoint (RFC 6749 §5.2), or the bare status where it says none."""
    try:
        body = answer.json_object()
    except HttpError:
        body = {}
    error, detail = body.get("error"), body.get("error_description") or body.get("detail") or ""
    return TokenRefused(answer.status, str(error)[:100] if error else f"HTTP status {answer.status}", str(detail)[:500])
