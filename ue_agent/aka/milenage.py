"""Milenage: the functions f1, f1*, f2, f3, f4, f5 and f5* over AES-128 (TS 35.206 §4.1).

The letters are the specification's. It knows no sequence number's meaning and no AUTN: see ``aka``.
"""

from typing import Final, NamedTuple

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

BLOCK_OCTETS: Final = 16
SQN_OCTETS: Final = 6
AMF_OCTETS: Final = 2

# fmt: off
# (rotation in octets, constant) of OUT1..OUT5 (TS 35.206 §4.1)
_R1, _C1 = 8,  0x00
_R2, _C2 = 0,  0x01
_R3, _C3 = 4,  0x02
_R4, _C4 = 8,  0x04
_R5, _C5 = 12, 0x08
# fmt: on


class AuthVector(NamedTuple):
    """What f2 to f5 give for one RAND."""

    res: bytes
    ck: bytes
    ik: bytes
    ak: bytes

    def __repr__(self) -> str:
        """Name the type only: its octets are secrets."""
        return "AuthVector(...)"


def opc_of(k: bytes, op: bytes) -> bytes:
    """Return OPc, 16 octets: OP encrypted with K, exclusive or OP (TS 35.206 §4.1).

    Raises:
        ValueError: K or OP is not 16 octets.
    """
    return _xor(_Aes(_sized("K", k, BLOCK_OCTETS)).encrypt(_sized("OP", op, BLOCK_OCTETS)), op)


class Milenage:
    """The functions of one subscriber's K and OPc, 16 octets each."""

    __slots__ = ("_aes", "_opc")

    def __init__(self, k: bytes, opc: bytes) -> None:
        """Prepare the functions.

        Raises:
            ValueError: K or OPc is not 16 octets.
        """
        self._aes = _Aes(_sized("K", k, BLOCK_OCTETS))
        self._opc = _sized("OPc", opc, BLOCK_OCTETS)

    def f1(self, rand: bytes, sqn: bytes, amf: bytes) -> bytes:
        """Return MAC-A, 8 octets (TS 35.206 §4.1, f1)."""
        return self._out1(rand, sqn, amf)[:8]

    def f1_star(self, rand: bytes, sqn: bytes, amf: bytes) -> bytes:
        """Return MAC-S, 8 octets (TS 35.206 §4.1, f1*)."""
        return self._out1(rand, sqn, amf)[8:]

    def f2345(self, rand: bytes) -> AuthVector:
        """Return RES (8 octets), CK and IK (16) and AK (6) for ``rand`` (TS 35.206 §4.1, f2 to f5)."""
        temp = self._temp(rand)
        out2 = self._out(temp, _R2, _C2)
        return AuthVector(res=out2[8:], ck=self._out(temp, _R3, _C3), ik=self._out(temp, _R4, _C4), ak=out2[:6])

    def f5_star(self, rand: bytes) -> bytes:
        """Return the AK of resynchronisation, 6 octets (TS 35.206 §4.1, f5*)."""
        return self._out(self._temp(rand), _R5, _C5)[:6]

    def _temp(self, rand: bytes) -> bytes:
        return self._aes.encrypt(_xor(_sized("RAND", rand, BLOCK_OCTETS), self._opc))

    def _out1(self, rand: bytes, sqn: bytes, amf: bytes) -> bytes:
        in1 = (_sized("SQN", sqn, SQN_OCTETS) + _sized("AMF", amf, AMF_OCTETS)) * 2
        rotated = _rotated(_xor(in1, self._opc), _R1)
        return _xor(self._aes.encrypt(_with_constant(_xor(self._temp(rand), rotated), _C1)), self._opc)

    def _out(self, temp: bytes, rotation: int, constant: int) -> bytes:
        rotated = _rotated(_xor(temp, self._opc), rotation)
        return _xor(self._aes.encrypt(_with_constant(rotated, constant)), self._opc)


class _Aes:
    """One AES-128 key, a block at a time."""

    __slots__ = ("_encryptor",)

    def __init__(self, key: bytes) -> None:
        # Milenage is defined on the bare block cipher (TS 35.206 §5.1): no mode is at work on one block.
        self._encryptor = Cipher(algorithms.AES(key), modes.ECB()).encryptor()  # noqa: S305 - see above

    def encrypt(self, block: bytes) -> bytes:
        return self._encryptor.update(block)


def _sized(name: str, octets: bytes, length_octets: int) -> bytes:
    if len(octets) != length_octets:
        raise ValueError(f"{name} has {len(octets)} octets, wanted {length_octets}")
    return bytes(octets)


def _xor(a: bytes, b: bytes) -> bytes:
    return (int.from_bytes(a, "big") ^ int.from_bytes(b, "big")).to_bytes(BLOCK_OCTETS, "big")


def _rotated(block: bytes, octets: int) -> bytes:
    return block[octets:] + block[:octets]


def _with_constant(block: bytes, constant: int) -> bytes:
    return block[:-1] + bytes([block[-1] ^ constant])
