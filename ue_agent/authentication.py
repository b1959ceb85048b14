"""MC service user authentication: 10.6.1 step 1 at the primary, 10.6.2 step 1 at a partner.

Puts the identity client to work with the contexts and endpoints of each system: our configuration names the
primary's, the initial UE configuration of step 13 names the partner's.
"""

from typing import Literal

from ue_agent.config import UeConfig
from ue_agent.errors import UsageError
from ue_agent.https import HttpsClient, context_of_anchors, context_of_file
from ue_agent.identity_client import Client, IdentityClient, Tokens, redeem_security_token
from ue_agent.store import SystemEntry


async def authenticate_at_primary(config: UeConfig, flow: Literal["password", "code"]) -> Tokens:
    """Return the user's tokens of the primary MC system.

    Raises:
        HttpError: the server refused, or could not be asked.
    """
    async with _primary(config) as https:
        identity = IdentityClient(https, config.primary.idms, client_of(config))
        return await (identity.by_code() if flow == "code" else identity.by_password())


async def authenticate_at_partner(config: UeConfig, entry: SystemEntry, access_token: str) -> Tokens:
    """Return the user's tokens of a partner: token exchange at the primary, then the JWT-bearer grant there.

    Raises:
        UsageError: the system's initial UE configuration is not known.
        HttpError: one of the two servers refused, or could not be asked.
    """
    configuration = entry.initial_ue_configuration
    if configuration is None:
        raise UsageError(f"no initial UE configuration of {entry.mc_system}: get connection details first")
    async with _primary(config) as https:
        identity = IdentityClient(https, config.primary.idms, client_of(config))
        security_token = await identity.exchange(access_token, configuration.idms_issuer)
    async with HttpsClient(
        context_of_anchors(configuration.trust_anchors),
        timeout_s=config.http.timeout_s,
        response_octets_max=config.http.response_octets_max,
    ) as https:
        return await redeem_security_token(https, configuration.idms_token_endpoint, security_token, client_of(config))


def client_of(config: UeConfig) -> Client:
    """Return the user and the client."""
    user = config.user
    return Client(user.client_id, user.username, user.password.get_secret_value(), user.redirect_uri, user.scope)


def _primary(config: UeConfig) -> HttpsClient:
    return HttpsClient(
        context_of_file(config.primary.ca),
        timeout_s=config.http.timeout_s,
        response_octets_max=config.http.response_octets_max,
    )
