"""Diameter octets: the header, where each AVP lies, and messages cut from a stream (RFC 6733 §3, §4).

Pure functions between octets and values; nothing here knows what an AVP or a command means.
"""

from collections.abc import Collection, Iterable, Iterator
from struct import Struct, pack
from typing import Final, NamedTuple

from diameter_proxy.diameter.errors import FramingLost, PermanentFailure
from diameter_proxy.diameter.result_codes import ResultCode

VERSION: Final = 1
HEADER_OCTETS: Final = 20
LENGTH_OCTETS_MAX: Final = 0xFFFFFF

# Command flags (RFC 6733 §3); the low four bits are reserved: sent as zero, ignored.
REQUEST: Final = 0x80
PROXIABLE: Final = 0x40
ERROR: Final = 0x20
RETRANSMITTED: Final = 0x10

# AVP flags (RFC 6733 §4.1)
AVP_VENDOR: Final = 0x80
AVP_MANDATORY: Final = 0x40
AVP_PROTECTED: Final = 0x20

MANY_OCTETS: Final = 4096
"""In as much it is worth a look whether all messages are equally long."""

_HEADER: Final = Struct(">5I")
_VERSION_1: Final = VERSION << 24
_VENDOR_OF_32: Final = AVP_VENDOR << 24
_AVP_HEADER: Final = Struct(">2I")
_PADDING: Final = (b"", b"\0\0\0", b"\0\0", b"\0")


class Header(NamedTuple):
    """The twenty octets before the AVPs (RFC 6733 §3)."""

    length: int
    flags: int
    command_code: int
    application_id: int
    hop_by_hop: int
    end_to_end: int

    @property
    def is_request(self) -> bool:
        """The R bit."""
        return bool(self.flags & REQUEST)

    @property
    def is_proxiable(self) -> bool:
        """The P bit."""
        return bool(self.flags & PROXIABLE)

    @property
    def is_error(self) -> bool:
        """The E bit."""
        return bool(self.flags & ERROR)

    @property
    def is_retransmitted(self) -> bool:
        """The T bit."""
        return bool(self.flags & RETRANSMITTED)


class AvpSpan(NamedTuple):
    """Where one AVP lies in a message: header ``start:value``, data ``value:end``, padding ``end:next``."""

    code: int
    vendor_id: int
    flags: int
    start: int
    value: int
    end: int
    next: int


def decode_header(data: bytes) -> Header:
    """Decode the header; the AVPs are not looked at.

    Raises:
        FramingLost: fewer than 20 octets.
        PermanentFailure: UNSUPPORTED_VERSION (5011).
    """
    if len(data) < HEADER_OCTETS:
        raise FramingLost(f"{len(data)} octets, a header has {HEADER_OCTETS}")
    version_length, flags_code, application_id, hop_by_hop, end_to_end = _HEADER.unpack_from(data)
    if version_length >> 24 != VERSION:
        raise PermanentFailure(ResultCode.UNSUPPORTED_VERSION, f"version {version_length >> 24}, wanted {VERSION}")
    return Header(
        version_length & 0xFFFFFF, flags_code >> 24, flags_code & 0xFFFFFF, application_id, hop_by_hop, end_to_end
    )


def walk_avps(data: bytes, start: int = HEADER_OCTETS, end: int | None = None) -> Iterator[AvpSpan]:
    """Yield the AVPs in ``data[start:end]``, one level deep.

    Raises:
        PermanentFailure: INVALID_AVP_LENGTH (5014) when an AVP overruns the region or is shorter than its header.
    """
    limit = len(data) if end is None else end
    while start < limit:
        if limit - start < 8:
            raise _invalid_length(data[start:limit], f"{limit - start} octets left, an AVP header has 8")
        code, flags_length = _AVP_HEADER.unpack_from(data, start)
        flags, length = flags_length >> 24, flags_length & 0xFFFFFF
        value = start + 12 if flags & AVP_VENDOR else start + 8
        stop = start + length
        following = stop + (-length & 3)
        if stop < value or following > limit:
            # neither code nor length: after a wrong length before, they may be octets of a key, and this text is logged
            found = f"AVP at octet {start} {'has less than its header' if stop < value else 'overruns'}"
            raise _invalid_length(data[start : min(value, limit)], f"{found}, {limit - start} octets are left")
        vendor_id = int.from_bytes(data[start + 8 : value], "big")
        yield AvpSpan(code, vendor_id, flags, start, value, stop, following)
        start = following


def select_avps(data: bytes, codes: Collection[int], avps_max: int) -> list[tuple[int, bytes]]:
    """Return which of these AVPs of no vendor (or of vendor 0) a message has, as (code, whole AVP), in its order.

    It looks at the first ``avps_max`` AVPs, and as far as they can be read: an answer is owed to anything.
    """
    chosen: list[tuple[int, bytes]] = []
    end = len(data)
    start = HEADER_OCTETS
    for _ in range(avps_max):
        if end - start < 8:
            break
        code, flags_length = _AVP_HEADER.unpack_from(data, start)
        length = flags_length & 0xFFFFFF
        following = start + (length + 3 & 0x1FFFFFC)
        if following > end or length < (12 if flags_length & _VENDOR_OF_32 else 8):
            break
        if code in codes and not (flags_length & _VENDOR_OF_32 and any(data[start + 8 : start + 12])):
            chosen.append((code, data[start:following]))
        start = following
    return chosen


def encode_avp(code: int, value: bytes, vendor_id: int = 0, flags: int = AVP_MANDATORY) -> bytes:
    """Return one AVP with its padding; the V bit follows from ``vendor_id`` (RFC 6733 §4.1).

    Raises:
        ValueError: the value does not fit 24 bits of length.
    """
    length = len(value) + (12 if vendor_id else 8)
    if length > LENGTH_OCTETS_MAX:
        raise ValueError(f"AVP {code} of {length} octets, the limit is {LENGTH_OCTETS_MAX}")
    if vendor_id:
        return pack(">3I", code, (flags | AVP_VENDOR) << 24 | length, vendor_id) + value + _PADDING[length & 3]
    return pack(">2I", code, (flags & ~AVP_VENDOR) << 24 | length) + value + _PADDING[length & 3]


def encode_message(
    flags: int, command_code: int, application_id: int, hop_by_hop: int, end_to_end: int, avps: Iterable[bytes]
) -> bytes:
    """Return a message of whole AVPs, in the order given.

    Raises:
        ValueError: the message does not fit 24 bits of length.
    """
    body = b"".join(avps)
    length = HEADER_OCTETS + len(body)
    if length > LENGTH_OCTETS_MAX:
        raise ValueError(f"message of {length} octets, the limit is {LENGTH_OCTETS_MAX}")
    version_length = VERSION << 24 | length
    return _HEADER.pack(version_length, flags << 24 | command_code, application_id, hop_by_hop, end_to_end) + body


def with_hop_by_hop(data: bytes, hop_by_hop: int) -> bytes:
    """Return the message with another Hop-by-Hop Identifier; all else is as it was."""
    return data[:12] + hop_by_hop.to_bytes(4, "big") + data[16:]


def with_flags(data: bytes, flags: int) -> bytes:
    """Return the message with other command flags; all else is as it was."""
    return data[:4] + flags.to_bytes(1, "big") + data[5:]


def messages_in(runs: list[bytes]) -> int:
    """Return how many messages there are in runs."""
    count = 0
    for run in runs:
        count += len(run) // int.from_bytes(run[1:4], "big")
    return count


def apart(runs: list[bytes]) -> list[bytes]:
    """Return the messages of runs, each by itself."""
    messages: list[bytes] = []
    for run in runs:
        length = int.from_bytes(run[1:4], "big")
        if length == len(run):
            messages.append(run)
        else:
            messages += [run[at : at + length] for at in range(0, len(run), length)]
    return messages


class FrameBuffer:
    """Cuts a stream of octets into messages, wherever the transport happened to cut it."""

    def __init__(self, limit_octets: int = 1 << 16) -> None:
        self._limit_octets = limit_octets
        self._pending = bytearray()
        self._wanted_octets = HEADER_OCTETS

    def receive_data(self, data: bytes | memoryview) -> list[bytes]:
        """Add octets from the transport; return the messages they complete, in order.

        Raises:
            FramingLost: as ``receive_runs``.
        """
        return apart(self.receive_runs(data))

    def receive_runs(self, data: bytes | memoryview) -> list[bytes]:
        """Add octets from the transport; return the messages they complete, in order, in runs.

        A run is one message or several of equal length, side by side.  A length that is no multiple of four still
        frames its message: whoever reads that one answers 5015.  After FramingLost the buffer is of no further use.

        Raises:
            FramingLost: the next header is not Diameter, or is over ``limit_octets``.
        """
        messages: list[bytes] = []
        if self._pending:
            data = self._completed(messages, data)
        elif len(data) < MANY_OCTETS:
            data = bytes(data)
            length = int.from_bytes(data[:4], "big") - _VERSION_1
            if length == len(data) and HEADER_OCTETS <= length <= self._limit_octets:  # one, and nothing else
                return [data]
        if len(data) >= MANY_OCTETS:
            run = self._run(data)
            if run:
                messages.append(run)
                data = data[len(run) :]
        self._cut(messages, bytes(data))
        return messages

    def _completed(self, messages: list[bytes], data: bytes | memoryview) -> bytes | memoryview:
        """Complete the message that has begun, if there is enough for it; return what comes after it."""
        missing = self._wanted_octets - len(self._pending)
        self._pending += data[:missing]
        if len(data) < missing:
            return b""
        data = data[missing:]
        if self._wanted_octets == HEADER_OCTETS:
            data = bytes(self._pending) + data
        else:
            messages.append(bytes(self._pending))
        self._pending.clear()
        self._wanted_octets = HEADER_OCTETS
        return data

    def _run(self, data: bytes | memoryview) -> bytes:
        """Return all messages, if they are equally long, but for one at the end that is not whole; else nothing."""
        head = bytes(data[:4])
        length = int.from_bytes(head, "big") & 0xFFFFFF
        if head[0] != VERSION or not HEADER_OCTETS <= length <= self._limit_octets:
            return b""
        count = len(data) // length
        run = bytes(data[: count * length])
        return run if all(run[at::length] == head[at : at + 1] * count for at in range(4)) else b""

    def _cut(self, messages: list[bytes], data: bytes) -> None:
        """Cut messages one by one; what is left waits for the rest of it."""
        start, size = 0, len(data)
        while size - start >= HEADER_OCTETS:
            first = int.from_bytes(data[start : start + 4], "big")
            length = first & 0xFFFFFF
            if first >> 24 != VERSION or not HEADER_OCTETS <= length <= self._limit_octets:
                raise self._lost(messages, data[start : start + HEADER_OCTETS])
            if length > size - start:
                self._wanted_octets = length
                break
            messages.append(data[start : start + length])
            start += length
        self._pending += data[start:]

    def _lost(self, messages: list[bytes], header: bytes) -> FramingLost:
        version, length, whole = header[0], int.from_bytes(header[1:4], "big"), tuple(apart(messages))
        if version != VERSION:
            reason = f"version {version}, wanted {VERSION}"
            return FramingLost(reason, messages=whole, header=header, code=ResultCode.UNSUPPORTED_VERSION)
        reason = f"length field {length}, wanted {HEADER_OCTETS} to {self._limit_octets}"
        return FramingLost(reason, messages=whole, header=header)


def _invalid_length(header: bytes, reason: str) -> PermanentFailure:
    """Make 5014 with the AVP's header, filled with zeros where it is cut, and no payload (RFC 6733 §7.1.5)."""
    whole = header.ljust(8, b"\0")
    octets = 12 if whole[4] & AVP_VENDOR else 8
    whole = whole.ljust(octets, b"\0")
    failed_avp = whole[:5] + octets.to_bytes(3, "big") + whole[8:octets]
    return PermanentFailure(ResultCode.INVALID_AVP_LENGTH, reason, failed_avp)
