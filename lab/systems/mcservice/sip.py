"""SIP requests as an application server meets them, and its answers (RFC 3261 §7, §8.2.6); strict and bounded."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from lab.systems.mcservice.errors import Malformed, Refusal

REQUEST_OCTETS_MAX: Final = 65535
HEADERS_MAX: Final = 128
EXPIRES_MAX: Final = 4294967295
_LINE: Final = re.compile(r"([A-Z]{1,32}) (sips?:[^\s]{1,512}) SIP/2\.0")
_NAME: Final = re.compile(r"[A-Za-z0-9\-.!%*_+`'~]{1,64}")
_URI: Final = re.compile(r"<?\s*(sips?:[^<>\s;?\"]{1,255})")
_COMPACT: Final = {"v": "via", "f": "from", "t": "to", "i": "call-id", "c": "content-type", "l": "content-length"}
_WANTED: Final = ("via", "from", "to", "call-id", "cseq")


@dataclass(frozen=True, slots=True)
class Request:
    """A request; header names in lower case, values in order."""

    method: str
    uri: str
    headers: Mapping[str, tuple[str, ...]]
    body: bytes

    def header(self, name: str) -> str:
        """Return a header's first value, or an empty text."""
        return self.headers.get(name, ("",))[0]

    @property
    def public_user_identity(self) -> str:
        """The URI of To.

        Raises:
            Malformed: there is none.
        """
        found = _URI.search(self.header("to"))
        if found is None:
            raise Malformed("To has no SIP URI")
        return found[1]

    @property
    def expires_s(self) -> int:
        """Expires, in seconds; 0 is a de-registration.

        Raises:
            Malformed: it is missing or no number.
        """
        text = self.header("expires")
        if not re.fullmatch(r"[0-9]{1,10}", text) or int(text) > EXPIRES_MAX:
            raise Malformed("Expires is no number of seconds")
        return int(text)


def parse_request(octets: bytes) -> Request:
    """Return the request in a datagram, or in a body of the type message/sip.

    Raises:
        Malformed: it is none.
    """
    if len(octets) > REQUEST_OCTETS_MAX:
        raise Malformed(f"over {REQUEST_OCTETS_MAX} octets")
    head, separator, body = octets.partition(b"\r\n\r\n")
    try:
        line, *lines = re.sub(r"\r\n[ \t]+", " ", head.decode()).split("\r\n")
    except UnicodeDecodeError as exc:
        raise Malformed("the headers are no UTF-8") from exc
    found = _LINE.fullmatch(line)
    if not separator or found is None:
        raise Malformed("no request line, or no end of headers")
    headers = parse_headers(lines)
    missing = [name for name in _WANTED if name not in headers]
    if missing:
        raise Malformed(f"no {missing[0]}")
    return Request(found[1], found[2], headers, _bounded(body, headers))


def parse_headers(lines: list[str]) -> dict[str, tuple[str, ...]]:
    """Return headers by name in lower case.

    Raises:
        Malformed: a line is no header, or there are too many.
    """
    if len(lines) > HEADERS_MAX:
        raise Malformed(f"over {HEADERS_MAX} headers")
    headers: dict[str, tuple[str, ...]] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or not _NAME.fullmatch(name.strip()):
            raise Malformed("a line is no header")
        key = name.strip().lower()
        key = _COMPACT.get(key, key)
        headers[key] = (*headers.get(key, ()), value.strip())
    return headers


def answer(request: Request, status: int, phrase: str, *headers: str) -> bytes:
    """Return a response with what a response copies."""
    copied = [f"Via: {value}" for value in request.headers["via"]]
    to = request.header("to")
    to = to if "tag=" in to else f"{to};tag=mcs"
    others = (f"{title}: {request.header(title.lower())}" for title in ("From", "Call-ID", "CSeq"))
    lines = [f"SIP/2.0 {status} {phrase}", *copied, *others, f"To: {to}", *headers, "Content-Length: 0"]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def refusal(request: Request, refused: Refusal, host: str) -> bytes:
    """Return the response that says a refusal, with its warning (RFC 3261 §20.43)."""
    warning = (f'Warning: 399 {host} "{refused.warning}"',) if refused.warning else ()
    return answer(request, refused.status, refused.phrase, *warning)


def _bounded(body: bytes, headers: Mapping[str, tuple[str, ...]]) -> bytes:
    text = headers.get("content-length", (str(len(body)),))[0]
    if not re.fullmatch(r"[0-9]{1,6}", text) or int(text) > len(body):
        raise Malformed("Content-Length is not that of the body")
    return body[: int(text)]
