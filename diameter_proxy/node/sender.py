"""Writes the base protocol's messages to connections, and nothing else (RFC 6733 §5.3 to §5.5)."""

from dataclasses import dataclass

from diameter_proxy.diameter.capabilities import Capabilities
from diameter_proxy.diameter.errors import AnswerableError, PermanentFailure
from diameter_proxy.diameter.message import Message
from diameter_proxy.diameter.result_codes import ResultCode
from diameter_proxy.diameter.transactions import EndToEnd
from diameter_proxy.diameter.values import DisconnectCause
from diameter_proxy.node.base_protocol import BaseProtocol
from diameter_proxy.node.connection import Connection


@dataclass(frozen=True, slots=True)
class Candidate:
    """A connection on which an acceptable CER came, and what it said."""

    connection: Connection
    cer: Message
    capabilities: Capabilities


class Sender:
    """Sends in one node's name, with identifiers of its own."""

    def __init__(self, base: BaseProtocol, end_to_end: EndToEnd) -> None:
        self.base = base
        self._end_to_end = end_to_end

    def cer(self, connection: Connection) -> None:
        """Send a CER."""
        hop_by_hop = connection.hop_by_hop.next()
        connection.write(self.base.cer(connection.local_address, hop_by_hop, self._end_to_end.next()))

    def cea(self, candidate: Candidate) -> None:
        """Accept a CER."""
        candidate.connection.write(self.base.cea(candidate.cer, candidate.connection.local_address))

    def refuse(self, candidate: Candidate, reason: str) -> None:
        """Answer a CER with 5012 and close (R-Reject, RFC 6733 §5.6.3)."""
        self._refuse(candidate, PermanentFailure(ResultCode.UNABLE_TO_COMPLY, reason))
        candidate.connection.close()

    def lose_election(self, candidate: Candidate) -> None:
        """Answer a CER with 4003: its sender has won, and has our connection (RFC 6733 §5.6.4, §7.1.4)."""
        self._refuse(candidate, AnswerableError(ResultCode.ELECTION_LOST, "the other connection stays"))

    def dwr(self, connection: Connection) -> None:
        """Send a DWR."""
        connection.write(self.base.dwr(connection.hop_by_hop.next(), self._end_to_end.next()))

    def dpr(self, connection: Connection, cause: DisconnectCause) -> None:
        """Send a DPR."""
        connection.write(self.base.dpr(cause, connection.hop_by_hop.next(), self._end_to_end.next()))

    def _refuse(self, candidate: Candidate, error: AnswerableError) -> None:
        connection = candidate.connection
        connection.write(self.base.cea_refusal(candidate.cer, error, connection.local_address))
