"""Answers of our own (RFC 6733 §6.2, §7.2): refusals with the code and the text that an outsider may know.

A MAA always carries User-Name and Public-Identity as asked: without them Kamailio hides the reason behind its own
"Private identity not found".  The reason for the refusal goes to our log only.
"""

from typing import Final

from diameter_proxy.diameter import dictionary as d
from diameter_proxy.diameter.message import encode_answer
from diameter_proxy.diameter.result_codes import ResultCode
from diameter_proxy.diameter.wire import ERROR, PROXIABLE
from diameter_proxy.hot_path import PUBLIC_IDENTITY, SLOTS, USER_NAME, Unreadable, avp_at, locate
from diameter_proxy.routing import MAR, Refusal

# fmt: off
_TEXTS: Final[dict[tuple[int | None, int | None], str]] = {
    (ResultCode.COMMAND_UNSUPPORTED, None):     "command not supported here",
    (ResultCode.UNABLE_TO_DELIVER, None):       "no peer can serve the request now",
    (ResultCode.REALM_NOT_SERVED, None):        "realm not served",
    (ResultCode.TOO_BUSY, None):                "too busy",
    (ResultCode.LOOP_DETECTED, None):           "loop detected",
    (ResultCode.APPLICATION_UNSUPPORTED, None): "application not supported",
    (ResultCode.INVALID_HDR_BITS, None):        "request with E bit",
    (ResultCode.UNABLE_TO_COMPLY, None):        "unable to comply",
    (None, 5001):                               "user unknown",
    (None, 5002):                               "identities do not match",
    (None, 5004):                               "roaming not allowed",
    (None, 5006):                               "authentication scheme not supported",
}
# fmt: on


class Answers:
    """Makes answers in our name."""

    def __init__(self, origin_host: str, origin_realm: str) -> None:
        self._origin_host: Final = origin_host
        self._origin_realm: Final = origin_realm

    def refuse(self, request: bytes, refusal: Refusal) -> bytes:
        """Return the answer that refuses a request, even one that cannot be read to its end."""
        text = _TEXTS.get((refusal.result_code, refusal.experimental), "")
        avps = [d.ERROR_MESSAGE.encode(text)] if text else []
        if int.from_bytes(request[5:8], "big") == MAR:
            avps += _identities_as_asked(request)
        answer = encode_answer(
            request,
            origin_host=self._origin_host,
            origin_realm=self._origin_realm,
            result_code=refusal.result_code,
            experimental=refusal.experimental,
            avps=avps,
            failed_avp=refusal.failed_avp,
        )
        if refusal.result_code == ResultCode.INVALID_HDR_BITS:
            return answer[:4] + bytes([ERROR | request[4] & PROXIABLE]) + answer[5:]
        return answer

    def succeed(self, request: bytes) -> bytes:
        """Return the answer DIAMETER_SUCCESS."""
        return encode_answer(
            request, origin_host=self._origin_host, origin_realm=self._origin_realm, result_code=ResultCode.SUCCESS
        )


def _identities_as_asked(request: bytes) -> list[bytes]:
    try:
        found = locate(request)
    except Unreadable:
        found = [0] * SLOTS
    return [avp_at(request, found[slot]) for slot in (USER_NAME, PUBLIC_IDENTITY) if found[slot]]
