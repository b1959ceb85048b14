"""Messages of the base protocol on an open connection: DWR, DPR and their answers (RFC 6733 §5.4, §5.5).

What cannot be taken is answered here; what moves the peer goes to its link.
"""

from typing import Final, Protocol

from diameter_proxy.diameter import dictionary as d
from diameter_proxy.diameter.commands import CER, DPR, DWR
from diameter_proxy.diameter.errors import AnswerableError, PermanentFailure, ProtocolFailure
from diameter_proxy.diameter.grammar import check_command
from diameter_proxy.diameter.message import Message
from diameter_proxy.diameter.result_codes import ResultCode
from diameter_proxy.diameter.values import DisconnectCause
from diameter_proxy.diameter.wire import ERROR, REQUEST
from diameter_proxy.node.base_protocol import BaseProtocol
from diameter_proxy.node.connection import Connection
from diameter_proxy.node.limited_log import LimitedLog

BAD_REQUEST_BITS: Final = REQUEST | ERROR


class Moved(Protocol):
    """What a base message does to its peer."""

    def dpr_received(self, connection: Connection, dpr: Message, cause: DisconnectCause) -> None: ...
    def dpa_received(self, connection: Connection) -> None: ...
    def dwa_received(self) -> None: ...


class BaseMessages:
    """Takes the base messages of one open peer."""

    def __init__(self, base: BaseProtocol, moved: Moved, peer: str, log: LimitedLog) -> None:
        self._base = base
        self._moved = moved
        self._peer = peer
        self._log = log

    def receive(self, connection: Connection, octets: bytes) -> None:
        """Handle one message of application 0, or one whose length is no multiple of 4."""
        is_request = bool(octets[4] & REQUEST)
        try:
            check_bits(octets)
            message = Message.decode(octets)
            if is_request:
                self._request(connection, message)
            else:
                self._answer(connection, message)
        except AnswerableError as error:
            self._log.warning("message.refused", peer=self._peer, code=error.code, reason=str(error))
            if is_request:
                connection.write(self._base.failure(octets, error))

    def _request(self, connection: Connection, message: Message) -> None:
        match message.header.command_code:
            case DWR.code:
                check_command(message, DWR)
                connection.write(self._base.dwa(message))
            case DPR.code:
                check_command(message, DPR)
                self._moved.dpr_received(connection, message, message.require(d.DISCONNECT_CAUSE))
            case CER.code:
                raise PermanentFailure(ResultCode.UNABLE_TO_COMPLY, "the capabilities exchange is over")
            case code:
                raise ProtocolFailure(ResultCode.COMMAND_UNSUPPORTED, f"command {code} of the base protocol")

    def _answer(self, connection: Connection, message: Message) -> None:
        if message.header.command_code == DWR.code:
            self._moved.dwa_received()
        elif message.header.command_code == DPR.code:
            self._moved.dpa_received(connection)


def check_bits(octets: bytes) -> None:
    """Return when the R and E bits are not both set: no request is an error (RFC 6733 §3, §7.1.3).

    Nothing else in the flags is refused.  Reserved bits are to be ignored (§3), so that 5013 is never due (§7.1.5); a T
    is the sender's to know, and a P changes nothing where the message is never relayed (§5.3): freeDiameter and Erlang
    take both in a CER.

    Raises:
        ProtocolFailure: INVALID_HDR_BITS (3008).
    """
    if octets[4] & BAD_REQUEST_BITS == BAD_REQUEST_BITS:
        raise ProtocolFailure(ResultCode.INVALID_HDR_BITS, "R and E bits together")
