"""Who may log in, and from which client; passwords are compared in constant time."""

import hashlib
import hmac
import ipaddress
import secrets
from urllib.parse import urlsplit

from lab.systems.idms.config import Client, IdmsConfig, User
from lab.systems.idms.errors import InvalidClient, InvalidGrant


class Registrations:
    """Users and clients of one identity management server."""

    def __init__(self, config: IdmsConfig) -> None:
        self._users = {user.name: user for user in config.users}
        self._clients = {client.client_id: client for client in config.clients}
        self._salt = secrets.token_bytes(32)
        self._digests = {user.name: self._digest(user.password) for user in config.users}
        self._nobody = secrets.token_bytes(32)
        self.mc_service_ids = frozenset(one for user in config.users for one in user.mc_service_ids)

    def client(self, client_id: str) -> Client:
        """Return the client.

        Raises:
            InvalidClient: it is not registered.
        """
        client = self._clients.get(client_id)
        if client is None:
            raise InvalidClient("no such client")
        return client

    def user(self, name: str) -> User | None:
        """Return the user of that name."""
        return self._users.get(name)

    def authenticate(self, name: str, password: str) -> User:
        """Return the user whose name and password these are.

        Raises:
            InvalidGrant: they are not; the message does not say which of the two.
        """
        # An unknown name costs the same digest and comparison as a known one.
        matches = hmac.compare_digest(self._digest(password), self._digests.get(name, self._nobody))
        user = self._users.get(name)
        if user is None or not matches:
            raise InvalidGrant("user name or password is wrong")
        return user

    def _digest(self, password: str) -> bytes:
        return hashlib.blake2b(password.encode("utf-8", "surrogatepass"), key=self._salt).digest()


def redirect_uri_is_registered(client: Client, redirect_uri: str) -> bool:
    """Tell whether the client registered this redirect URI; the port of a loopback one is free (RFC 8252 §7.3)."""
    return redirect_uri in client.redirect_uris or _without_loopback_port(redirect_uri) in {
        _without_loopback_port(registered) for registered in client.redirect_uris
    } - {None}


def _without_loopback_port(uri: str) -> str | None:
    try:
        parts = urlsplit(uri)
        if parts.scheme != "http" or not ipaddress.ip_address(parts.hostname or "").is_loopback or parts.fragment:
            return None
        _ = parts.port
    except ValueError:
        return None
    return f"{parts.hostname}{parts.path}?{parts.query}"
