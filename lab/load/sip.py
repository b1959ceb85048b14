"""REGISTER and its responses as a UE of a storm needs them, no more (RFC 3261 §10.2, TS 24.229 §5.1.1.2).

It reads no body, no other method, and only the headers named in ``Response``.
"""

import re
from dataclasses import dataclass
from typing import Final, NamedTuple

from ue_agent.aka.digest import ALGORITHM

OCTETS_MAX: Final = 65535
_STATUS_LINE: Final = re.compile(r"SIP/2\.0 ([1-6][0-9]{2}) ")
_BRANCH: Final = re.compile(r";\s*branch=([^;,\s]+)")
_PARAMETER: Final = re.compile(r'([A-Za-z][\w-]*)\s*=\s*("(?:[^"\\]|\\.)*"|[^,\s]+)')
_LONG: Final = {"v": "via"}


class Contact(NamedTuple):
    """Where the UE is reached."""

    address: str
    port: int


@dataclass(frozen=True, slots=True)
class Dialogue:
    """What stays the same in all REGISTERs of one UE (RFC 3261 §10.2)."""

    home_domain: str
    private_user_identity: str
    public_user_identity: str
    contact: Contact
    call_id: str
    tag: str

    @property
    def uri(self) -> str:
        """The Request-URI, which the digest covers too."""
        return f"sip:{self.home_domain}"


@dataclass(frozen=True, slots=True)
class Response:
    """A response to a REGISTER."""

    status: int
    branch: str
    cseq: int
    challenge: dict[str, str]
    retry_after_s: int | None


def encode_register(dialogue: Dialogue, branch: str, cseq: int, expires: int, authorization: str) -> bytes:
    """Return a REGISTER over UDP."""
    address, port = dialogue.contact
    user = dialogue.public_user_identity.removeprefix("sip:").partition("@")[0]
    lines = (
        f"REGISTER {dialogue.uri} SIP/2.0",
        f"Via: SIP/2.0/UDP {address}:{port};rport;branch={branch}",
        "Max-Forwards: 70",
        f"From: <{dialogue.public_user_identity}>;tag={dialogue.tag}",
        f"To: <{dialogue.public_user_identity}>",
        f"Call-ID: {dialogue.call_id}",
        f"CSeq: {cseq} REGISTER",
        f"Contact: <sip:{user}@{address}:{port}>",
        f"Expires: {expires}",
        "Supported: path",
        "User-Agent: mclab storm",
        f"Authorization: {authorization}",
        "Content-Length: 0",
    )
    return "".join(f"{line}\r\n" for line in (*lines, "")).encode()


def first_authorization(dialogue: Dialogue) -> str:
    """Return the Authorization of the first REGISTER: nonce and response are empty (TS 24.229 §5.1.1.2.2)."""
    return _authorization(dialogue, {"nonce": "", "response": ""})


def answer_authorization(
    dialogue: Dialogue, nonce: str, response: str, cnonce: str, nc: str, opaque: str = "", auts: str = ""
) -> str:
    """Return the Authorization that answers a challenge (RFC 3310 §3.3, §3.4); without ``cnonce`` there is no qop."""
    values = {"nonce": nonce, "response": response, "cnonce": cnonce, "opaque": opaque, "auts": auts}
    text = _authorization(dialogue, {name: value for name, value in values.items() if value or name == "nonce"})
    return f"{text}, qop=auth, nc={nc}" if cnonce else text


def _authorization(dialogue: Dialogue, values: dict[str, str]) -> str:
    quoted = {
        "username": dialogue.private_user_identity,
        "realm": dialogue.home_domain,
        "uri": dialogue.uri,
        **values,
    }
    return "Digest " + ", ".join(f'{name}="{value}"' for name, value in quoted.items()) + f", algorithm={ALGORITHM}"


def decode_response(octets: bytes) -> Response | None:
    """Return a response to a REGISTER; None for anything else (a request, rubbish, another method's)."""
    head = octets[:OCTETS_MAX].partition(b"\r\n\r\n")[0].decode("utf-8", "replace")
    lines = head.replace("\r\n ", " ").replace("\r\n\t", " ").split("\r\n")
    status = _STATUS_LINE.match(lines[0])
    headers = _headers(lines[1:])
    number, _, method = headers.get("cseq", "").partition(" ")
    branch = _BRANCH.search(headers.get("via", ""))
    if status is None or branch is None or method.strip() != "REGISTER" or not _is_number(number):
        return None
    wait = headers.get("retry-after", "").partition(" ")[0].partition(";")[0]
    return Response(
        status=int(status[1]),
        branch=branch[1],
        cseq=int(number),
        challenge=_parameters(headers.get("www-authenticate", "")),
        retry_after_s=int(wait) if _is_number(wait) else None,
    )


def _headers(lines: list[str]) -> dict[str, str]:
    """Return the first value of each header by its long name in lower case."""
    headers: dict[str, str] = {}
    for line in lines:
        name, _, value = line.partition(":")
        key = name.strip().lower()
        headers.setdefault(_LONG.get(key, key), value.strip())
    return headers


def _parameters(header: str) -> dict[str, str]:
    return {name.lower(): value.strip('"') for name, value in _PARAMETER.findall(header)}


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 10
