"""What the registration steps compare: authentication items of MAAs, nonces, and the digest of the UE.

The digest is computed here anew with hashlib, not by the UE's own code (RFC 3310 §3, RFC 2617 §3.2.2).
"""

import base64
import hashlib
from collections.abc import Iterator

from lab.evidence.checks.finding import differs, lacks
from lab.evidence.messages import Avp, DiameterMessage, SipMessage, walk
from lab.evidence.texts import digest_parameters

AUTH_DATA_ITEM = 612
SIP_AUTHENTICATE = 609
SIP_AUTHORIZATION = 610
AUTHENTICATION_SCHEME = 608
NUMBER_AUTH_ITEMS = 607
AKA_SCHEME = "Digest-AKAv1-MD5"


def item_of(answer: DiameterMessage | None) -> str:
    """Return the whole SIP-Auth-Data-Item of an MAA in hexadecimal, or an empty text."""
    items = answer.all(AUTH_DATA_ITEM) if answer else ()
    return items[0].octets if items else ""


def member(answer: DiameterMessage | None, code: int) -> bytes:
    """Return the octets of the value of an AVP inside the item; empty when it is not there."""
    for avp in walk(answer.all(AUTH_DATA_ITEM) if answer else ()):
        if avp.code == code:
            return _value_octets(avp)
    return b""


def one_aka_item(answer: DiameterMessage) -> Iterator[str]:
    """Yield what is wrong with the authentication items of an MAA (TS 29.228 §6.3, TS 33.203 §6.1)."""
    items = answer.all(AUTH_DATA_ITEM)
    yield from differs("number of SIP-Auth-Data-Items", len(items), 1)
    yield from differs("SIP-Number-Auth-Items", answer.value(NUMBER_AUTH_ITEMS), "1")
    yield from differs("octets of SIP-Authenticate (RAND, AUTN)", len(member(answer, SIP_AUTHENTICATE)), 32)
    length = len(member(answer, SIP_AUTHORIZATION))
    yield from lacks(4 <= length <= 16, f"SIP-Authorization (XRES) of {length} octets, wanted 4 to 16")
    scheme = answer.value(AUTHENTICATION_SCHEME) or ""
    yield from lacks(scheme.lower() == AKA_SCHEME.lower(), f"scheme {scheme!r} is not {AKA_SCHEME}")


def nonce_of(answer: DiameterMessage | None) -> str:
    """Return the nonce that an MAA must become: base64 of SIP-Authenticate (RFC 3310 §3.2)."""
    octets = member(answer, SIP_AUTHENTICATE)
    return base64.b64encode(octets).decode() if octets else ""


def key_faults(response: SipMessage) -> Iterator[str]:
    """Yield a sentence when a challenge holds ck or ik (TS 24.229 §5.2.2: the P-CSCF removes them)."""
    for header in response.headers.get("www-authenticate", ()):
        yield from lacks(not {"ck", "ik"} & set(digest_parameters(header)), "ck or ik reached the UE")


def digest_faults(request: SipMessage, answer: DiameterMessage | None) -> Iterator[str]:
    """Yield what is wrong with the response of a REGISTER against the XRES of the MAA."""
    given = digest_parameters(request.header("authorization"))
    wanted = digest_response(given, request.method, member(answer, SIP_AUTHORIZATION))
    yield from lacks(given.get("response") == wanted, "the response is not the digest made with XRES of the MAA")


def digest_response(given: dict[str, str], method: str, password: bytes) -> str:
    """Return the digest response for these parameters (RFC 2617 §3.2.2, RES as the password)."""
    a1 = f"{given.get('username', '')}:{given.get('realm', '')}:".encode() + password
    ha1 = _md5(a1)
    ha2 = _md5(f"{method}:{given.get('uri', '')}".encode())
    nonce, qop = given.get("nonce", ""), given.get("qop", "")
    if qop:
        return _md5(f"{ha1}:{nonce}:{given.get('nc', '')}:{given.get('cnonce', '')}:{qop}:{ha2}".encode())
    return _md5(f"{ha1}:{nonce}:{ha2}".encode())


def _value_octets(avp: Avp) -> bytes:
    octets = bytes.fromhex(avp.octets)
    length = int.from_bytes(octets[5:8], "big")
    return octets[12 if octets[4] & 0x80 else 8 : length]


def _md5(octets: bytes) -> str:
    return hashlib.md5(octets, usedforsecurity=False).hexdigest()
