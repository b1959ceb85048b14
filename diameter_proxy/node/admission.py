"""Accepted connections until their CER has said who they are (RFC 6733 §5.3): who comes in, what the rest hear."""

from collections.abc import Callable, Mapping
from typing import Protocol

import structlog

from diameter_proxy.diameter.capabilities import check_common, decode_capabilities
from diameter_proxy.diameter.commands import CER
from diameter_proxy.diameter.errors import (
    AnswerableError,
    DiameterError,
    FramingLost,
    PermanentFailure,
    ProtocolFailure,
)
from diameter_proxy.diameter.message import Message
from diameter_proxy.diameter.result_codes import ResultCode
from diameter_proxy.diameter.wire import REQUEST, apart
from diameter_proxy.node.base_messages import check_bits
from diameter_proxy.node.base_protocol import BaseProtocol
from diameter_proxy.node.config import PeerConfig
from diameter_proxy.node.connection import Connection
from diameter_proxy.node.limited_log import LimitedLog
from diameter_proxy.node.link import Link
from diameter_proxy.node.sender import Candidate


class Authenticator(Protocol):
    """Says whose certificate a TLS connection showed."""

    def authenticated(self, tls: object) -> frozenset[str]: ...
    def is_new_enough(self, tls: object, peer: PeerConfig) -> bool: ...


class Admission:
    """The owner of connections whose peer is not known yet."""

    def __init__(
        self,
        links: Mapping[str, Link],
        base: BaseProtocol,
        authenticator: Authenticator | None,
        limited_log: LimitedLog,
        *,
        connections_max: int,
        capabilities_s: float,
        now: Callable[[], float],
    ) -> None:
        """Take the links by host in lower case."""
        self._links = links
        self._base = base
        self._authenticator = authenticator
        self._connections_max = connections_max
        self._capabilities_s = capabilities_s
        self._now = now
        self._waiting: dict[Connection, float] = {}
        self._log = structlog.get_logger()
        self._limited_log = limited_log
        self.accepted: set[Connection] = set()

    def use(self, authenticator: Authenticator | None, connections_max: int) -> None:
        """Judge connections from now on by another authenticator and limit."""
        self._authenticator = authenticator
        self._connections_max = connections_max

    def connection_made(self, connection: Connection) -> None:
        """Refuse a connection beyond the limit, or whose certificate is nobody's."""
        self.accepted = {known for known in self.accepted if not known.is_closed}
        if len(self.accepted) >= self._connections_max:
            self._refuse(connection, f"there are {len(self.accepted)} connections")
            return
        if connection.is_secured and self._authenticator is not None:
            connection.authenticated = self._authenticator.authenticated(connection.tls)
            if not connection.authenticated:
                self._refuse(connection, "the certificate is of no configured peer and its own authority")
                return
        self.accepted.add(connection)
        self._waiting[connection] = self._now() + self._capabilities_s

    def tick(self, now: float) -> None:
        """Close connections on which no CER came in time."""
        for connection, due in list(self._waiting.items()):
            if now >= due:
                self._refuse(connection, "no CER in time")

    def receive(self, connection: Connection, runs: list[bytes]) -> None:
        """Take the first message, which must be a CER, and hand the connection to its peer's link."""
        messages = apart(runs)
        try:
            check_bits(messages[0])
            cer = Message.decode(messages[0])
            if cer.header.command_code != CER.code or not cer.header.is_request:
                self._refuse(connection, f"command {cer.header.command_code} before a CER")
                return
        except (DiameterError, ValueError) as exc:
            self._refuse(connection, str(exc), messages[0], exc)
            return
        try:
            link, candidate = self._check(connection, cer)
        except AnswerableError as error:
            connection.write(self._base.cea_refusal(cer, error, connection.local_address))
            self._refuse(connection, str(error))
            return
        self._waiting.pop(connection, None)
        link.offer(candidate)
        if messages[1:] and not connection.is_closed:
            connection.owner.receive(connection, messages[1:])

    def framing_lost(self, connection: Connection, loss: FramingLost) -> None:
        """Answer 5011 where it is owed, and close."""
        answer = self._base.loss(loss)
        if answer is not None:
            connection.write(answer)
        self._refuse(connection, str(loss))

    def connection_lost(self, connection: Connection, reason: str) -> None:
        """Forget a connection that went away by itself."""
        self._waiting.pop(connection, None)
        self._log.info("connection.lost", reason=f"before CER: {reason}", remote=connection.remote_address)

    def close(self) -> None:
        """Close all that wait."""
        for connection in list(self._waiting):
            self._waiting.pop(connection)
            connection.close()

    def _check(self, connection: Connection, cer: Message) -> tuple[Link, Candidate]:
        remote = decode_capabilities(cer)
        link = self._links.get(remote.origin_host.lower())
        if link is None:
            raise ProtocolFailure(ResultCode.UNKNOWN_PEER, f"{remote.origin_host} is no peer of ours")
        if remote.origin_realm.lower() != link.peer.realm.lower():
            who = f"{remote.origin_host} of realm {remote.origin_realm}"
            raise ProtocolFailure(ResultCode.UNKNOWN_PEER, f"{who} is no peer of ours")
        if not link.peer.may_come_from(connection.remote_address):
            who = f"{remote.origin_host} at {connection.remote_address}"
            raise ProtocolFailure(ResultCode.UNKNOWN_PEER, f"{who} is no peer of ours")
        if link.peer.tls and not connection.is_secured:
            raise PermanentFailure(ResultCode.NO_COMMON_SECURITY, f"{remote.origin_host} has to come over TLS")
        if connection.is_secured and link.peer.host.lower() not in connection.authenticated:
            raise ProtocolFailure(ResultCode.UNKNOWN_PEER, f"{remote.origin_host} is not the name in the certificate")
        judge = self._authenticator if connection.is_secured else None
        if judge is not None and not judge.is_new_enough(connection.tls, link.peer):
            raise PermanentFailure(ResultCode.NO_COMMON_SECURITY, f"{remote.origin_host} has to use TLS 1.3")
        check_common(self._base.local, remote, is_secured=connection.is_secured)
        return link, Candidate(connection, cer, remote)

    def _refuse(
        self, connection: Connection, reason: str, request: bytes = b"", error: Exception | None = None
    ) -> None:
        self._waiting.pop(connection, None)
        self._limited_log.warning(
            "connection.refused",
            peer=connection.remote_address,
            reason=reason,
            remote=connection.remote_address,
            authenticated=sorted(connection.authenticated),
        )
        if isinstance(error, AnswerableError) and request[4] & REQUEST:
            connection.write(self._base.failure(request, error))
        connection.close()
