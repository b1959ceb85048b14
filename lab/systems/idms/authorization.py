"""The authorization endpoint: authentication request to code, PKCE S256 only (TS 33.180 B.4.2, RFC 7636).

A request that names no registered client and redirect URI is answered here, never by a redirect
(RFC 6749 §4.1.2.1); after that every outcome is one.
"""

import base64
import hashlib
import hmac
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

from lab.systems.idms.claims import granted_scope, user_subject
from lab.systems.idms.config import IdmsConfig
from lab.systems.idms.errors import InvalidGrant, InvalidRequest, OAuthError
from lab.systems.idms.memory import LapsingMemory
from lab.systems.idms.tokens import Grant
from lab.systems.idms.users import Registrations, redirect_uri_is_registered

_CHALLENGE: Final = re.compile(r"[A-Za-z0-9_\-]{43}")
_VERIFIER: Final = re.compile(r"[A-Za-z0-9_.~\-]{43,128}")
PARAMETERS: Final = (
    "response_type",
    "client_id",
    "redirect_uri",
    "scope",
    "state",
    "nonce",
    "code_challenge",
    "code_challenge_method",
)


class RefusedByRedirect(Exception):
    """The refusal goes back to the client.

    Attributes:
        location: where to.
        error: code of RFC 6749 §4.1.2.1.
    """

    def __init__(self, location: str, error: str) -> None:
        super().__init__(error)
        self.location = location
        self.error = error


class UnsupportedResponseType(OAuthError):
    """Only ``code`` is served."""

    error = "unsupported_response_type"


@dataclass(frozen=True, slots=True)
class AuthenticationRequest:
    """A checked authentication request."""

    client_id: str
    redirect_uri: str
    scope: str
    state: str | None
    nonce: str | None
    code_challenge: str


@dataclass(frozen=True, slots=True)
class IssuedCode:
    """What an authorization code stands for."""

    grant: Grant
    redirect_uri: str
    code_challenge: str


class AuthorizationEndpoint:
    """Turns a login into an authorization code."""

    def __init__(self, config: IdmsConfig, registrations: Registrations) -> None:
        self._issuer = config.system.issuer
        self._code_s = config.lifetimes.code_s
        self._registrations = registrations
        self._codes: LapsingMemory[IssuedCode] = LapsingMemory(config.limits.codes_max, forget_oldest=True)

    def check(self, parameters: Mapping[str, str]) -> AuthenticationRequest:
        """Return the request if it can be served.

        Raises:
            OAuthError: client or redirect URI is not registered; tell the person, do not redirect.
            RefusedByRedirect: anything else.
        """
        client = self._registrations.client(parameters.get("client_id", ""))
        redirect_uri = parameters.get("redirect_uri", "")
        if not redirect_uri_is_registered(client, redirect_uri):
            raise InvalidRequest("redirect_uri is not registered for that client")
        state = parameters.get("state")
        try:
            return AuthenticationRequest(
                client_id=client.client_id,
                redirect_uri=redirect_uri,
                scope=_checked_scope(parameters),
                state=state,
                nonce=parameters.get("nonce"),
                code_challenge=_checked_challenge(parameters),
            )
        except OAuthError as exc:
            answer = {"error": exc.error, "error_description": exc.description}
            raise RefusedByRedirect(self._location(redirect_uri, state, answer), exc.error) from exc

    def issue_code(self, request: AuthenticationRequest, username: str, password: str, now: float) -> str:
        """Return where to redirect to with a code for the user who logged in.

        Raises:
            InvalidGrant: user name or password is wrong.
        """
        user = self._registrations.authenticate(username, password)
        subject = user_subject(user.name, user.mc_service_ids)
        grant = Grant(subject, request.client_id, request.scope, request.nonce)
        code = secrets.token_urlsafe(32)
        issued = IssuedCode(grant, request.redirect_uri, request.code_challenge)
        self._codes.remember(code, issued, now + self._code_s, now)
        return self._location(request.redirect_uri, request.state, {"code": code})

    def take_code(self, code: str, *, client_id: str, redirect_uri: str, code_verifier: str, now: float) -> Grant:
        """Return the grant of a code; the code is used up, also by a wrong attempt.

        Raises:
            InvalidGrant: unknown, used or expired, of another client or redirect URI, or the verifier is wrong.
        """
        issued = self._codes.take(code, now)
        if issued is None:
            raise InvalidGrant("the authorization code is unknown, used or expired")
        if issued.grant.client_id != client_id or issued.redirect_uri != redirect_uri:
            raise InvalidGrant("the authorization code was issued to another client or redirect_uri")
        if not _VERIFIER.fullmatch(code_verifier) or not hmac.compare_digest(
            s256(code_verifier), issued.code_challenge
        ):
            raise InvalidGrant("code_verifier does not match the code_challenge")
        return issued.grant

    def _location(self, redirect_uri: str, state: str | None, answer: Mapping[str, str]) -> str:
        parameters = {**answer, **({"state": state} if state is not None else {}), "iss": self._issuer}  # RFC 9207
        return redirect_uri + ("&" if "?" in redirect_uri else "?") + urlencode(parameters)


def s256(code_verifier: str) -> str:
    """Return the code challenge of a verifier (RFC 7636 §4.2)."""
    digest = hashlib.sha256(code_verifier.encode("ascii")).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode("ascii")


def _checked_scope(parameters: Mapping[str, str]) -> str:
    if parameters.get("response_type") != "code":
        raise UnsupportedResponseType("response_type must be code")
    return granted_scope(parameters.get("scope"))


def _checked_challenge(parameters: Mapping[str, str]) -> str:
    # Without the method RFC 7636 means "plain", which is not served.
    if parameters.get("code_challenge_method") != "S256":
        raise InvalidRequest("code_challenge_method must be S256")
    challenge = parameters.get("code_challenge", "")
    if not _CHALLENGE.fullmatch(challenge):
        raise InvalidRequest("code_challenge must be 43 characters of base64url")
    return challenge
