"""Authentication and key agreement over Milenage: vectors, AUTN and AUTS, both sides (TS 33.102 §6.3).

It keeps no state: sequence numbers are in ``sequence``, the card that joins both is ``isim``.
"""

from dataclasses import dataclass, field
from typing import Final

from cryptography.hazmat.primitives.constant_time import bytes_eq

from ue_agent.aka.errors import InvalidChallenge, MacFailure, SqnOutOfRange
from ue_agent.aka.milenage import SQN_OCTETS, Milenage
from ue_agent.aka.sequence import SQN_MAX, SequenceNumbers

__all__ = [
    "AMF_STAR",
    "AUTN_OCTETS",
    "AUTS_OCTETS",
    "AuthenticationVector",
    "Challenge",
    "SequenceNumbers",
    "SqnOutOfRange",
    "encode_auts",
    "generate_vector",
    "verify_autn",
    "verify_auts",
]

AUTN_OCTETS: Final = 16
AUTS_OCTETS: Final = 14
AMF_STAR: Final = b"\x00\x00"
"""AMF of MAC-S: a dummy of zeros, so that it need not be sent (TS 33.102 §6.3.3)."""


@dataclass(frozen=True, slots=True)
class AuthenticationVector:
    """One quintet (TS 33.102 §6.3.2). Its secrets stay out of ``repr``."""

    rand: bytes
    autn: bytes
    xres: bytes = field(repr=False)
    ck: bytes = field(repr=False)
    ik: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Challenge:
    """A genuine challenge, seen from the ISIM; whether its SQN is fresh is not decided yet."""

    sqn: int
    amf: bytes
    res: bytes = field(repr=False)
    ck: bytes = field(repr=False)
    ik: bytes = field(repr=False)


def generate_vector(milenage: Milenage, rand: bytes, sqn: int | bytes, amf: bytes) -> AuthenticationVector:
    """Return the vector for ``rand`` and ``sqn``: AUTN = SQN xor AK || AMF || MAC-A (TS 33.102 §6.3.2).

    Raises:
        ValueError: an argument has not its length (RAND 16, SQN 6, AMF 2 octets).
    """
    sqn_octets = _sqn_octets(sqn)
    res, ck, ik, ak = milenage.f2345(rand)
    autn = _concealed(sqn_octets, ak) + amf + milenage.f1(rand, sqn_octets, amf)
    return AuthenticationVector(rand, autn, res, ck, ik)


def verify_autn(milenage: Milenage, rand: bytes, autn: bytes) -> Challenge:
    """Return what a genuine ``autn`` says (TS 33.102 §6.3.3).

    Raises:
        InvalidChallenge: RAND or AUTN is not 16 octets.
        MacFailure: MAC-A is not XMAC: the HSS holds another K, or the octets were changed.
    """
    if len(rand) != 16 or len(autn) != AUTN_OCTETS:
        raise InvalidChallenge(f"RAND and AUTN have {len(rand)} and {len(autn)} octets, wanted 16 and 16")
    res, ck, ik, ak = milenage.f2345(rand)
    sqn_octets, amf = _concealed(autn[:6], ak), autn[6:8]
    if not bytes_eq(milenage.f1(rand, sqn_octets, amf), autn[8:]):
        raise MacFailure("MAC-A of AUTN is not the expected one")
    return Challenge(int.from_bytes(sqn_octets, "big"), amf, res, ck, ik)


def encode_auts(milenage: Milenage, rand: bytes, sqn_ms: int | bytes) -> bytes:
    """Return AUTS = SQN_MS xor AK* || MAC-S, 14 octets (TS 33.102 §6.3.3).

    Raises:
        ValueError: an argument has not its length.
    """
    sqn_octets = _sqn_octets(sqn_ms)
    return _concealed(sqn_octets, milenage.f5_star(rand)) + milenage.f1_star(rand, sqn_octets, AMF_STAR)


def verify_auts(milenage: Milenage, rand: bytes, auts: bytes) -> int:
    """Return the SQN_MS of a genuine ``auts`` (TS 33.102 §6.3.5).

    Raises:
        InvalidChallenge: RAND is not 16 or AUTS not 14 octets.
        MacFailure: MAC-S is not the expected one; SQN_HE must stay as it is.
    """
    if len(rand) != 16 or len(auts) != AUTS_OCTETS:
        raise InvalidChallenge(f"RAND and AUTS have {len(rand)} and {len(auts)} octets, wanted 16 and 14")
    sqn_octets = _concealed(auts[:6], milenage.f5_star(rand))
    if not bytes_eq(milenage.f1_star(rand, sqn_octets, AMF_STAR), auts[6:]):
        raise MacFailure("MAC-S of AUTS is not the expected one")
    return int.from_bytes(sqn_octets, "big")


def _sqn_octets(sqn: int | bytes) -> bytes:
    if isinstance(sqn, bytes):
        return sqn
    if not 0 <= sqn <= SQN_MAX:
        raise ValueError(f"SQN is {sqn}, wanted 0..{SQN_MAX}")
    return sqn.to_bytes(SQN_OCTETS, "big")


def _concealed(sqn: bytes, ak: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(sqn, ak, strict=False))
