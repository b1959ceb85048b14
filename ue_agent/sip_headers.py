"""The little of SIP headers that pjsua2 leaves to its user: P-Associated-URI, and plain text in a header.

RFC 7315 §4.1 and RFC 3261 §7.3.  All of it comes from the network, so all of it is bounded.
"""

import re
from typing import Final

MESSAGE_CHARACTERS_MAX: Final = 65536
ASSOCIATED_URIS_MAX: Final = 32
_URI = re.compile(r"<\s*((?:sips?|tel):[^<>\s]{1,255}?)\s*>", re.IGNORECASE)
_FOLDED = re.compile(r"\r?\n[ \t]+")
_NAME: Final = "p-associated-uri"


def associated_uris(message: str) -> tuple[str, ...]:
    """Return the URIs of P-Associated-URI of a SIP message, in order; the first is the default IMPU (RFC 7315 §4.1)."""
    found: list[str] = []
    head = _FOLDED.sub(" ", message[:MESSAGE_CHARACTERS_MAX]).replace("\r\n", "\n").partition("\n\n")[0]
    for line in head.split("\n")[1:]:
        name, _, value = line.partition(":")
        if name.strip().lower() == _NAME:
            found.extend(_URI.findall(value))
    return tuple(dict.fromkeys(found))[:ASSOCIATED_URIS_MAX]


def address_of(header: str) -> str:
    """Return the URI of a From or To value such as ``"Alice" <sip:alice@x>;tag=1``."""
    bracketed = _URI.search(header)
    return bracketed[1] if bracketed else header.partition(";")[0].strip()[:255]
