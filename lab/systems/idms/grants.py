"""The token endpoint: one function per grant type, no HTTP (RFC 6749 §4, RFC 8693, RFC 7523)."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from lab.systems.idms.assertions import AssertionChecker
from lab.systems.idms.authorization import AuthorizationEndpoint
from lab.systems.idms.claims import granted_scope, user_subject
from lab.systems.idms.config import IdmsConfig
from lab.systems.idms.errors import InvalidGrant, InvalidRequest, InvalidTarget, UnsupportedGrantType
from lab.systems.idms.tokens import TYPE_ACCESS, TYPE_JWT, Grant, TokenIssuer
from lab.systems.idms.users import Registrations

PASSWORD: Final = "password"  # noqa: S105 - the grant type's name
AUTHORIZATION_CODE: Final = "authorization_code"
REFRESH_TOKEN: Final = "refresh_token"  # noqa: S105 - the grant type's name
TOKEN_EXCHANGE: Final = "urn:ietf:params:oauth:grant-type:token-exchange"  # noqa: S105 - RFC 8693 §2.1
JWT_BEARER: Final = "urn:ietf:params:oauth:grant-type:jwt-bearer"
GRANT_TYPES: Final = (PASSWORD, AUTHORIZATION_CODE, REFRESH_TOKEN, TOKEN_EXCHANGE, JWT_BEARER)

Parameters = Mapping[str, str]
TokenResponse = dict[str, Any]


class TokenEndpoint:
    """Answers token requests."""

    def __init__(
        self,
        config: IdmsConfig,
        registrations: Registrations,
        authorization: AuthorizationEndpoint,
        issuer: TokenIssuer,
        assertions: AssertionChecker,
    ) -> None:
        self._partner_issuers = frozenset(partner.issuer for partner in config.partners)
        self._registrations = registrations
        self._authorization = authorization
        self._issuer = issuer
        self._assertions = assertions
        self._grants: dict[str, Callable[[Parameters, float], TokenResponse]] = {
            PASSWORD: self._password,
            AUTHORIZATION_CODE: self._authorization_code,
            REFRESH_TOKEN: self._refresh_token,
            TOKEN_EXCHANGE: self._token_exchange,
            JWT_BEARER: self._jwt_bearer,
        }

    def grant(self, parameters: Parameters, now: float) -> TokenResponse:
        """Return the token response.

        Raises:
            OAuthError: the request is refused.
        """
        grant_type = _required(parameters, "grant_type")
        serve = self._grants.get(grant_type)
        if serve is None:
            raise UnsupportedGrantType("no such grant_type here")
        return serve(parameters, now)

    def _password(self, parameters: Parameters, now: float) -> TokenResponse:
        """RFC 6749 §4.3."""
        client = self._registrations.client(_required(parameters, "client_id"))
        user = self._registrations.authenticate(_required(parameters, "username"), _required(parameters, "password"))
        scope = granted_scope(parameters.get("scope"))
        grant = Grant(user_subject(user.name, user.mc_service_ids), client.client_id, scope)
        return self._issuer.token_response(grant, now, refreshable=True)

    def _authorization_code(self, parameters: Parameters, now: float) -> TokenResponse:
        """RFC 6749 §4.1.3, RFC 7636 §4.5; TS 33.180 B.4.2.4."""
        client = self._registrations.client(_required(parameters, "client_id"))
        grant = self._authorization.take_code(
            _required(parameters, "code"),
            client_id=client.client_id,
            redirect_uri=_required(parameters, "redirect_uri"),
            code_verifier=_required(parameters, "code_verifier"),
            now=now,
        )
        return self._issuer.token_response(grant, now, refreshable=True)

    def _refresh_token(self, parameters: Parameters, now: float) -> TokenResponse:
        """RFC 6749 §6; TS 33.180 B.5."""
        client = self._registrations.client(_required(parameters, "client_id"))
        old = self._issuer.take_refresh_token(_required(parameters, "refresh_token"), client.client_id, now)
        if self._registrations.user(old.subject.sub) is None:
            raise InvalidGrant("the user is no longer registered")
        scope = granted_scope(parameters.get("scope"), old.scope.split())
        return self._issuer.token_response(Grant(old.subject, old.client_id, scope), now, refreshable=True)

    def _token_exchange(self, parameters: Parameters, now: float) -> TokenResponse:
        """RFC 8693 §2.1 at the primary: access token to security token (TS 33.180 B.7.2, B.7.3)."""
        if _required(parameters, "subject_token_type") != TYPE_ACCESS:
            raise InvalidRequest(f"subject_token_type must be {TYPE_ACCESS}")
        if parameters.get("requested_token_type", TYPE_JWT) != TYPE_JWT:
            raise InvalidRequest(f"requested_token_type must be {TYPE_JWT}")
        if "actor_token" in parameters:
            raise InvalidRequest("actor_token is not served")
        partner_issuer = self._target(parameters)
        token = self._issuer.own_access_token(_required(parameters, "subject_token"), now)
        if parameters.get("client_id", token.client_id) != token.client_id:
            raise InvalidGrant("the subject token was issued to another client")
        user = self._registrations.user(token.sub)
        if user is None:
            raise InvalidGrant("the subject token is not about a user of this system")
        return self._issuer.security_token_response(
            user_subject(user.name, user.mc_service_ids),
            client_id=token.client_id,
            partner_issuer=partner_issuer,
            now=now,
        )

    def _jwt_bearer(self, parameters: Parameters, now: float) -> TokenResponse:
        """RFC 7523 §2.1 at the partner: security token to access token (TS 33.180 B.7.4, B.7.5)."""
        client = self._registrations.client(_required(parameters, "client_id"))
        scope = granted_scope(parameters.get("scope"))
        subject = self._assertions.subject_of(_required(parameters, "assertion"), client.client_id, now)
        return self._issuer.token_response(Grant(subject, client.client_id, scope), now, refreshable=False)

    def _target(self, parameters: Parameters) -> str:
        # TS 33.180 B.7.2 names the target by `resource`, RFC 8693 §2.1 allows `audience` too: both are taken.
        named = {parameters[name] for name in ("audience", "resource") if parameters.get(name)}
        if not named:
            raise InvalidRequest("audience or resource is missing")
        if len(named) > 1 or not named <= self._partner_issuers:
            raise InvalidTarget("the audience is no partner of this server")
        return named.pop()


def _required(parameters: Parameters, name: str) -> str:
    value = parameters.get(name)
    if not value:
        raise InvalidRequest(f"{name} is missing")
    return value
