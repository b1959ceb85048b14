"""What ``splice`` means, said plainly: take the message apart, exchange whole AVPs, put it together again.

Never used on the wire.  The property test of ``splice`` and the bench hold the fast functions against these.
"""

from collections.abc import Iterable

from diameter_proxy.diameter.errors import PermanentFailure
from diameter_proxy.diameter.wire import AvpSpan, decode_header, encode_message, walk_avps
from diameter_proxy.hot_path import BASE_SLOTS, SLOTS, TGPP, TGPP_SLOTS, Edit, Unreadable


def locate_plainly(data: bytes, avps_max: int = 512) -> list[int]:
    """Return what ``locate`` returns."""
    found = [0] * SLOTS
    further: list[int] = []
    at = 20
    walk = walk_avps(data)
    for number in range(avps_max + 1):
        try:
            span = next(walk, None)
        except PermanentFailure:
            raise Unreadable(at, False) from None
        if span is None:
            return found + further
        if number == avps_max:
            break
        slot = _slot_of(span)
        if slot and found[slot]:
            further += [slot, span.start]
        elif slot:
            found[slot] = span.start
        at = span.next
    raise Unreadable(at, True)


def splice_plainly(
    data: bytes, flags: int, hop_by_hop: int, edits: Iterable[Edit] = (), appended: bytes = b""
) -> bytes:
    """Return what ``splice`` returns."""
    header = decode_header(data)
    changed = dict(edits)
    avps = [changed.get(span.start, data[span.start : span.next]) for span in walk_avps(data)]
    return encode_message(
        flags, header.command_code, header.application_id, hop_by_hop, header.end_to_end, [*avps, appended]
    )


def _slot_of(span: AvpSpan) -> int:
    if span.flags & 0x80:
        return TGPP_SLOTS.get(span.code, 0) if span.vendor_id == TGPP else 0
    return BASE_SLOTS.get(span.code, 0)
