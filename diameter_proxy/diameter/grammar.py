"""Hold a message against its command's row: what is missing, unknown or there too often (RFC 6733 §3.2, §4.1).

For a node that processes the message itself; an agent forwards what it does not know (RFC 6733 §4.1, M bit).
"""

from collections import Counter

from diameter_proxy.diameter.commands import Avps, CommandType
from diameter_proxy.diameter.dictionary import BY_KEY
from diameter_proxy.diameter.errors import PermanentFailure
from diameter_proxy.diameter.message import Message
from diameter_proxy.diameter.result_codes import ResultCode
from diameter_proxy.diameter.wire import AVP_MANDATORY


def check_command(message: Message, command: CommandType, *, may_lack: Avps = ()) -> None:
    """Return when the message satisfies the grammar of its command.

    Args:
        message: what was received.
        command: its row.
        may_lack: required AVPs that this peer is known to forget.

    Raises:
        PermanentFailure: AVP_UNSUPPORTED (5001), MISSING_AVP (5005), AVP_OCCURS_TOO_MANY_TIMES (5009).
    """
    _refuse_unknown(message)
    _refuse_repeated(message, command.required + command.once)
    for avp in command.required:
        if avp not in may_lack and message.get(avp) is None:
            raise PermanentFailure(ResultCode.MISSING_AVP, f"{avp.name} is missing", avp.example())


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
