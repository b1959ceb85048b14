"""A message as values: read AVPs by their type, make requests and the answers to them (RFC 6733 §3, §6.2).

Not for the hot path: that one works on octets and spans (``wire``).  Nothing here knows who the peer is.
"""

from collections.abc import Iterable, Iterator
from typing import Any, Final, TypeVar

from diameter_proxy.diameter import dictionary as d
from diameter_proxy.diameter.commands import BASE, CommandType
from diameter_proxy.diameter.dictionary import TGPP, AvpType
from diameter_proxy.diameter.errors import AnswerableError, PermanentFailure
from diameter_proxy.diameter.result_codes import ResultCode, is_protocol_error
from diameter_proxy.diameter.wire import (
    ERROR,
    HEADER_OCTETS,
    PROXIABLE,
    RETRANSMITTED,
    AvpSpan,
    Header,
    decode_header,
    encode_message,
    select_avps,
    walk_avps,
)

T = TypeVar("T")

AVPS_MAX: Final = 512
"""AVPs on one level of a message; more are refused, so that reading stays cheap."""

_COPIED: Final = frozenset(
    avp.code for avp in (d.SESSION_ID, d.VENDOR_SPECIFIC_APPLICATION_ID, d.AUTH_SESSION_STATE, d.PROXY_INFO)
)


class Group:
    """The AVPs of a message or of a Grouped AVP, one level deep, in order."""

    __slots__ = ("octets", "spans")

    def __init__(self, octets: bytes, start: int, end: int) -> None:
        """Read the AVPs in ``octets[start:end]``.

        Raises:
            PermanentFailure: INVALID_AVP_LENGTH (5014), or UNABLE_TO_COMPLY (5012) when there are over 512.
        """
        self.octets: Final = octets
        spans: list[AvpSpan] = []
        for span in walk_avps(octets, start, end):
            if len(spans) == AVPS_MAX:
                raise PermanentFailure(ResultCode.UNABLE_TO_COMPLY, f"more than {AVPS_MAX} AVPs")
            spans.append(span)
        self.spans: Final = tuple(spans)

    def get(self, avp: AvpType[T]) -> T | None:
        """Return the value of the first such AVP, or None.

        Raises:
            PermanentFailure: its data is not of its format (5004, 5014).
        """
        for span in self._of(avp):
            return avp.decode(self.octets[span.value : span.end])
        return None

    def require(self, avp: AvpType[T]) -> T:
        """Return the value of the first such AVP.

        Raises:
            PermanentFailure: MISSING_AVP (5005), or its data is not of its format (5004, 5014).
        """
        value = self.get(avp)
        if value is None:
            raise PermanentFailure(ResultCode.MISSING_AVP, f"{avp.name} is missing", avp.example())
        return value

    def all(self, avp: AvpType[T]) -> list[T]:
        """Return the values of all such AVPs, in order.

        Raises:
            PermanentFailure: the data of one is not of its format (5004, 5014).
        """
        return [avp.decode(self.octets[span.value : span.end]) for span in self._of(avp)]

    def group(self, avp: AvpType[bytes]) -> "Group | None":
        """Return what is inside the first such Grouped AVP, or None.

        Raises:
            PermanentFailure: INVALID_AVP_LENGTH (5014) inside it.
        """
        for span in self._of(avp):
            return Group(self.octets, span.value, span.end)
        return None

    def groups(self, avp: AvpType[bytes]) -> list["Group"]:
        """Return what is inside each such Grouped AVP, in order.

        Raises:
            PermanentFailure: INVALID_AVP_LENGTH (5014) inside one.
        """
        return [Group(self.octets, span.value, span.end) for span in self._of(avp)]

    def _of(self, avp: AvpType[T]) -> Iterator[AvpSpan]:
        return (span for span in self.spans if span.code == avp.code and span.vendor_id == avp.vendor_id)


class Message(Group):
    """A whole message: its header, its octets and its AVPs."""

    __slots__ = ("header",)

    def __init__(self, octets: bytes, header: Header) -> None:
        super().__init__(octets, HEADER_OCTETS, len(octets))
        self.header: Final = header

    @classmethod
    def decode(cls, octets: bytes) -> "Message":
        """Decode one message as cut from the stream.

        Raises:
            FramingLost: fewer than 20 octets.
            PermanentFailure: UNSUPPORTED_VERSION (5011), INVALID_MESSAGE_LENGTH (5015), INVALID_AVP_LENGTH (5014),
                or UNABLE_TO_COMPLY (5012) when there are over 512 AVPs.
        """
        header = decode_header(octets)
        if header.length != len(octets) or header.length & 3:
            found = f"length field {header.length}, message has {len(octets)} octets"
            raise PermanentFailure(ResultCode.INVALID_MESSAGE_LENGTH, found)
        return cls(octets, header)

    def result(self) -> tuple[int, int] | None:
        """Return (vendor, code) of Experimental-Result, (0, code) of Result-Code, or None when neither is there.

        Raises:
            PermanentFailure: they are not of their format, or Experimental-Result lacks one of its two (5005).
        """
        result_code = self.get(d.RESULT_CODE)
        if result_code is not None:
            return 0, result_code
        experimental = self.group(d.EXPERIMENTAL_RESULT)
        if experimental is None:
            return None
        return experimental.require(d.VENDOR_ID), experimental.require(d.EXPERIMENTAL_RESULT_CODE)


def encode_request(
    command: CommandType, *, hop_by_hop: int = 0, end_to_end: int, avps: Iterable[bytes], retransmitted: bool = False
) -> bytes:
    """Return a request of whole AVPs, in the order given (Session-Id first: RFC 6733 §8.8)."""
    flags = command.flags | (RETRANSMITTED if retransmitted else 0)
    return encode_message(flags, command.code, command.application_id, hop_by_hop, end_to_end, avps)


def encode_answer(
    request: Message | bytes,
    *,
    origin_host: str,
    origin_realm: str,
    result_code: int | None = None,
    experimental: int | None = None,
    avps: Iterable[bytes] = (),
    failed_avp: bytes = b"",
) -> bytes:
    """Return the answer to a request, even to one whose AVPs cannot be read to the end.

    Copied are Hop-by-Hop, End-to-End, the P bit, Session-Id, Auth-Session-State, Vendor-Specific-Application-Id and
    Proxy-Info in order (RFC 6733 §6.2, TS 29.229 §6.1); a Result-Code 3xxx sets the E bit (RFC 6733 §7.2).  In a CEA
    Vendor-Specific-Application-Id says what we support (RFC 6733 §5.3.2), so that the CER's is not copied.

    Raises:
        FramingLost: ``request`` has no header.
        PermanentFailure: UNSUPPORTED_VERSION, in ``request``.
    """
    octets = request if isinstance(request, bytes) else request.octets
    header = request.header if isinstance(request, Message) else decode_header(octets)
    flags = header.flags & PROXIABLE
    if result_code is not None and is_protocol_error(result_code):
        flags |= ERROR
    asked = select_avps(octets, _COPIED, AVPS_MAX)
    parts = _copied(asked, d.SESSION_ID)
    if header.application_id != BASE:
        parts += _copied(asked, d.VENDOR_SPECIFIC_APPLICATION_ID)
    if result_code is not None:
        parts.append(d.RESULT_CODE.encode(result_code))
    if experimental is not None:
        code = d.EXPERIMENTAL_RESULT_CODE.encode(experimental)
        parts.append(d.EXPERIMENTAL_RESULT.encode(d.VENDOR_ID.encode(TGPP) + code))
    parts += _copied(asked, d.AUTH_SESSION_STATE)
    parts.append(d.ORIGIN_HOST.encode(origin_host))
    parts.append(d.ORIGIN_REALM.encode(origin_realm))
    parts += avps
    if failed_avp:
        parts.append(d.FAILED_AVP.encode(failed_avp))
    parts += _copied(asked, d.PROXY_INFO)
    return encode_message(
        flags, header.command_code, header.application_id, header.hop_by_hop, header.end_to_end, parts
    )


def encode_failure(request: Message | bytes, error: AnswerableError, *, origin_host: str, origin_realm: str) -> bytes:
    """Return the answer that says what was wrong with the request, in a word for people too (RFC 6733 §7)."""
    return encode_answer(
        request,
        origin_host=origin_host,
        origin_realm=origin_realm,
        result_code=error.code,
        avps=(d.ERROR_MESSAGE.encode(str(error)),),
        failed_avp=error.failed_avp,
    )


def _copied(asked: list[tuple[int, bytes]], avp: AvpType[Any]) -> list[bytes]:
    return [octets for code, octets in asked if code == avp.code]
