"""Hold a message against its command's row: what is missing, unknown, flagged otherwise or there too often.

RFC 6733 §3.2, §4.1.  For a node that processes the message itself; an agent forwards what it does not know, and what is
flagged in ways of its own (RFC 6733 §4.1, M bit).
"""

from collections import Counter

from diameter_proxy.diameter.commands import Avps, CommandType
from diameter_proxy.diameter.dictionary import BY_KEY
from diameter_proxy.diameter.errors import PermanentFailure, ProtocolFailure
from diameter_proxy.diameter.message import Group, Message
from diameter_proxy.diameter.result_codes import ResultCode
from diameter_proxy.diameter.wire import AVP_MANDATORY, AVP_VENDOR


def check_command(message: Message, command: CommandType, *, may_lack: Avps = ()) -> None:
    """Return when the message satisfies the grammar of its command.

    Args:
        message: what was received.
        command: its row.
        may_lack: required AVPs that this peer is known to forget.

    Raises:
        ProtocolFailure: INVALID_AVP_BITS (3009).
        PermanentFailure: AVP_UNSUPPORTED (5001), MISSING_AVP (5005), AVP_OCCURS_TOO_MANY_TIMES (5009).
    """
    check_avp_flags(message)
    _refuse_unknown(message)
    _refuse_repeated(message, command.required + command.once)
    for avp in command.required:
        if avp not in may_lack and message.get(avp) is None:
            raise PermanentFailure(ResultCode.MISSING_AVP, f"{avp.name} is missing", avp.example())


def check_avp_flags(group: Group) -> None:
    """Return when no AVP that we know has a V bit where its definition wants none (RFC 6733 §4.1, §4.5, §7.1.3).

    That is an AVP of the IETF with a Vendor-ID of 0, which §4.1 forbids; any other vendor makes another AVP of it.  The
    other bits are no reason to refuse: reserved ones and P are to be ignored, and M asks to understand what we do
    understand, so that it may be set or clear.  3009 says what 5016 would (§7.1.5), and says it hop by hop.

    Raises:
        ProtocolFailure: INVALID_AVP_BITS (3009).
    """
    for span in group.spans:
        if span.flags & AVP_VENDOR and span.vendor_id == 0 and (span.code, 0) in BY_KEY:
            found = f"{BY_KEY[span.code, 0].name} has the V bit, with vendor 0"
            raise ProtocolFailure(ResultCode.INVALID_AVP_BITS, found, group.octets[span.start : span.next])


def _refuse_unknown(message: Message) -> None:
    for span in message.spans:
        if span.flags & AVP_MANDATORY and (span.code, span.vendor_id) not in BY_KEY:
            found = f"AVP {span.code} of vendor {span.vendor_id} is mandatory and unknown"
            raise PermanentFailure(ResultCode.AVP_UNSUPPORTED, found, message.octets[span.start : span.next])


def _refuse_repeated(message: Message, at_most_once: Avps) -> None:
    single = {(avp.code, avp.vendor_id): avp for avp in at_most_once}
    seen: Counter[tuple[int, int]] = Counter()
    for span in message.spans:
        key = (span.code, span.vendor_id)
        seen[key] += 1
        if key in single and seen[key] > 1:
            found = f"{single[key].name} is there more than once"
            # Failed-AVP holds the first that is too many (RFC 6733 §7.1.5, 5009).
            raise PermanentFailure(ResultCode.AVP_OCCURS_TOO_MANY_TIMES, found, message.octets[span.start : span.next])
