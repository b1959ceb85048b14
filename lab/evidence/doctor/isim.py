"""What the keys of an ISIM say of a challenge that it rejected: K or OPc differ, or OP stands where OPc belongs.

With the keys of one side the two can be told apart, which the wire alone cannot (TS 33.102 §6.3.3, TS 35.206 §4.1).
Keys are read from a file (``ue.toml``, [isim] k and opc) and are never shown.
"""

import base64
import binascii
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ue_agent.aka.aka import verify_autn
from ue_agent.aka.errors import AkaError
from ue_agent.aka.milenage import Milenage, opc_of

RAND_OCTETS = 16
CHALLENGE_OCTETS = 32


class KeysUnusable(Exception):
    """The file holds no keys of an ISIM; the text is one line and names no key."""


@dataclass(frozen=True, slots=True)
class IsimKeys:
    """K, and what this side takes for OPc."""

    k: bytes = field(repr=False)
    opc: bytes = field(repr=False)


def load_isim(file: Path) -> IsimKeys:
    """Read K and OPc of a ``ue.toml``.

    Raises:
        KeysUnusable: there is no such file, it is not TOML, or k and opc are not 32 hexadecimal digits each.
    """
    try:
        table: Any = tomllib.loads(file.read_text()).get("isim", {})
        k, opc = (bytes.fromhex(str(table[name])) for name in ("k", "opc"))
    except OSError as exc:
        raise KeysUnusable(f"{file}: {exc.strerror}") from None
    except (ValueError, KeyError, AttributeError, TypeError):
        raise KeysUnusable(f"{file}: wanted [isim] with k and opc, 32 hexadecimal digits each") from None
    if (len(k), len(opc)) != (RAND_OCTETS, RAND_OCTETS):
        raise KeysUnusable(f"{file}: wanted [isim] with k and opc, 32 hexadecimal digits each")
    return IsimKeys(k, opc)


def explained(keys: IsimKeys, nonce: str) -> str:
    """Return what the keys say of the AUTN in a nonce; empty where it is no AKA nonce."""
    try:
        octets = base64.b64decode(nonce, validate=True)
    except (binascii.Error, ValueError):
        return ""
    if len(octets) < CHALLENGE_OCTETS:
        return ""
    rand, autn = octets[:RAND_OCTETS], octets[RAND_OCTETS:CHALLENGE_OCTETS]
    if _fits(keys.k, keys.opc, rand, autn):
        return "AUTN fits these keys: the ISIM in use holds others"
    if _fits(keys.k, opc_of(keys.k, keys.opc), rand, autn):
        return "AUTN fits K with the OPc derived from what stands here as OPc: one side has OP where OPc belongs"
    return "AUTN fits neither these keys nor an OPc derived from them: K or OPc of the HSS is another"


def _fits(k: bytes, opc: bytes, rand: bytes, autn: bytes) -> bool:
    try:
        verify_autn(Milenage(k, opc), rand, autn)
    except AkaError:
        return False
    return True
