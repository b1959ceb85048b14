"""HTTP digest with AKAv1-MD5: the nonce, the response and the auts parameter (RFC 3310 §3, RFC 2617 §3.2.2).

The password is octets, not text: RES may hold NUL and any other octet. It parses no SIP header and
knows no qop ``auth-int`` (a REGISTER has no body) and no AKAv2.
"""

import base64
import binascii
import hashlib
from typing import Final, Literal, NamedTuple

from ue_agent.aka.aka import AUTN_OCTETS, AUTS_OCTETS
from ue_agent.aka.errors import InvalidChallenge
from ue_agent.aka.milenage import BLOCK_OCTETS

ALGORITHM: Final = "AKAv1-MD5"
EMPTY_PASSWORD: Final = b""
"""The password of a response that carries auts (RFC 3310 §3.4)."""
NONCE_CHARACTERS_MAX: Final = 4096


class Nonce(NamedTuple):
    """What an AKA nonce holds."""

    rand: bytes
    autn: bytes
    server_data: bytes


def decode_nonce(text: str) -> Nonce:
    """Return RAND (16 octets), AUTN (16) and the server's data, if any, of a nonce (RFC 3310 §3.2).

    Raises:
        InvalidChallenge: it is not base64, is shorter than 32 octets, or is over 4096 characters.
    """
    octets = _decoded("nonce", text)
    if len(octets) < BLOCK_OCTETS + AUTN_OCTETS:
        raise InvalidChallenge(f"the nonce has {len(octets)} octets, wanted at least 32")
    return Nonce(octets[:16], octets[16:32], octets[32:])


def encode_nonce(rand: bytes, autn: bytes, server_data: bytes = b"") -> str:
    """Return the nonce of a challenge (RFC 3310 §3.2)."""
    return base64.b64encode(rand + autn + server_data).decode()


def response(
    username: str,
    realm: str,
    password: bytes,
    method: str,
    uri: str,
    nonce: str,
    qop: Literal["auth"] | None = None,
    cnonce: str = "",
    nc: str = "",
) -> str:
    """Return the request-digest, 32 hexadecimal digits (RFC 2617 §3.2.2.1, RFC 3310 §3.3).

    Args:
        username: the private user identity.
        realm: as in the challenge.
        password: RES, or ``EMPTY_PASSWORD`` with auts.
        method: of the SIP request.
        uri: as in the Authorization header.
        nonce: the challenge's text, unchanged.
        qop: the quality of protection that the header says.
        cnonce: our nonce, with qop.
        nc: nonce count as it stands in the header: 8 hexadecimal digits such as ``00000001``, with qop.

    Raises:
        ValueError: qop without cnonce or nc (RFC 2617 §3.2.2: both MUST be there).
    """
    a1 = _md5(f"{username}:{realm}:".encode() + password)
    a2 = _md5(f"{method}:{uri}".encode())
    if qop is None:
        return _md5(f"{a1}:{nonce}:{a2}".encode())
    if not cnonce or not nc:
        raise ValueError("a response with qop needs cnonce and nc")
    return _md5(f"{a1}:{nonce}:{nc}:{cnonce}:{qop}:{a2}".encode())


def encode_auts_parameter(auts: bytes) -> str:
    """Return the value of the auts parameter: base64 text, to be quoted (RFC 3310 §3.4)."""
    return base64.b64encode(auts).decode()


def decode_auts_parameter(text: str) -> bytes:
    """Return AUTS, 14 octets, of an auts parameter (RFC 3310 §3.4).

    Raises:
        InvalidChallenge: it is not base64 of 14 octets.
    """
    octets = _decoded("auts", text)
    if len(octets) != AUTS_OCTETS:
        raise InvalidChallenge(f"auts has {len(octets)} octets, wanted {AUTS_OCTETS}")
    return octets


def _decoded(name: str, text: str) -> bytes:
    if len(text) > NONCE_CHARACTERS_MAX:
        raise InvalidChallenge(f"{name} has {len(text)} characters, wanted at most {NONCE_CHARACTERS_MAX}")
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as exc:
        raise InvalidChallenge(f"{name} is not base64") from exc


def _md5(octets: bytes) -> str:
    return hashlib.md5(octets, usedforsecurity=False).hexdigest()
