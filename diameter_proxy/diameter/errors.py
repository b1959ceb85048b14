"""What can be wrong with Diameter octets or with their order, and whose fault it is.

    DiameterError
    ├── FramingLost         the stream's: drop the transport (RFC 6733 §2.1)
    ├── AnswerableError     the peer's: answer ``code``, go on
    │   ├── ProtocolFailure    3xxx, the answer has the E bit (RFC 6733 §7.1.3)
    │   └── PermanentFailure   4xxx and 5xxx (RFC 6733 §7.1.4, §7.1.5)
    └── UnexpectedEvent     no row in the state machine: the event is ignored, the state unchanged

``ValueError`` from an encoder is ours: a value that the wire cannot carry.
"""

from diameter_proxy.diameter.result_codes import ResultCode


class DiameterError(Exception):
    """Anything that this leaf raises because of what somebody else sent."""


class FramingLost(DiameterError):
    """Where the next message begins cannot be known any more; drop the transport.

    Attributes:
        messages: those that were complete before, in order; still to be handled.
        header: the 20 octets that are no usable header.
        code: Result-Code to answer before the close, or None to close without a word.
    """

    def __init__(
        self, reason: str, *, messages: tuple[bytes, ...] = (), header: bytes = b"", code: ResultCode | None = None
    ) -> None:
        super().__init__(reason)
        self.messages = messages
        self.header = header
        self.code = code


class AnswerableError(DiameterError):
    """The message is at fault; answer it with ``code`` and the offending AVP.

    Attributes:
        code: Result-Code to put in the answer.
        failed_avp: octets of the AVP for Failed-AVP, or empty when none applies (RFC 6733 §7.5).
    """

    def __init__(self, code: int, reason: str, failed_avp: bytes = b"") -> None:
        super().__init__(reason)
        self.code = code
        self.failed_avp = failed_avp


class ProtocolFailure(AnswerableError):
    """A hop cannot treat the message: 3xxx, to be answered with the E bit (RFC 6733 §7.1.3)."""


class PermanentFailure(AnswerableError):
    """The request failed and should not be tried again as it is (RFC 6733 §7.1.5)."""


class UnexpectedEvent(DiameterError):
    """The state machine has no row for this event in this state."""
