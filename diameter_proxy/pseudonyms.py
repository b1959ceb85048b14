"""Names of the inside as another network may see them, and back: encrypted, so that no table has to be kept.

AES-SIV (RFC 5297) gives the same pseudonym for the same name, takes no other network's word for one, and lets every
proxy with the key, after a restart too, read what any of them has said.  Which names are of the inside, and where they
stand in a message, is decided in ``hidden_names``.
"""

from base64 import b32decode, b32encode
from collections.abc import Iterable
from hashlib import blake2b
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

HOST_OCTETS_MAX: Final = 255
CACHED_MAX: Final = 4096
_PREFIX: Final = b"hidden-"
_LABEL_OCTETS: Final = 63
_BLOCK: Final = 16
"""Names are filled up to a multiple of this, so that their length tells little."""
_BELOW_REALM: Final = b"\0"
_WHOLE: Final = b"\1"
_HOST: Final = [b"host"]
_SESSION: Final = [b"session"]


class Pseudonyms:
    """Hides and restores host names and Session-Ids under keys; the first one hides, all restore."""

    def __init__(self, origin_host: str, origin_realm: str, keys: Iterable[bytes]) -> None:
        """Take our own names, which are no secret, and key material of any length."""
        digests = (blake2b(key, digest_size=64, person=b"hidden names").digest() for key in keys)
        self._ciphers: Final = [AESSIV(digest) for digest in digests]
        self._own: Final = origin_host.encode()
        self._below: Final = b"." + origin_realm.lower().encode()
        self._session_head: Final = self._own + b";0;0;"
        self._cached: Final[dict[bytes, bytes]] = {}

    def host(self, name: bytes) -> bytes:
        """Return the pseudonym of a host, below our realm; our own name for one that is too long.

        A pseudonym, which another network sends as its own, passes as it is.
        """
        folded = name.lower()
        known = self._cached.get(folded)
        if known is None:
            if len(self._cached) >= CACHED_MAX:
                self._cached.clear()
            known = self._cached[folded] = self._host(folded)
        return known

    def host_of(self, pseudonym: bytes) -> bytes | None:
        """Return the host behind a pseudonym, in lower case; None when it is none of ours."""
        folded = pseudonym.lower()
        if not folded.startswith(_PREFIX) or not folded.endswith(self._below):
            return None
        text = folded[len(_PREFIX) : -len(self._below)].replace(b".", b"")
        plain = self._decrypted(text, _HOST)
        if plain is None:
            return None
        name = plain[1:].rstrip(b"\0")
        return name + self._below if plain[:1] == _BELOW_REALM else name

    def session(self, session_id: bytes) -> bytes:
        """Return a Session-Id of ours that stands for this one (RFC 6733 §8.8)."""
        return self._session_head + _text_of(self._ciphers[0].encrypt(session_id, _SESSION))

    def session_of(self, pseudonym: bytes) -> bytes | None:
        """Return the Session-Id behind a pseudonym, octet for octet; None when it is none of ours."""
        if not pseudonym.startswith(self._session_head):
            return None
        return self._decrypted(pseudonym[len(self._session_head) :], _SESSION)

    def _host(self, name: bytes) -> bytes:
        if self.host_of(name) is not None:
            return name
        is_below = name.endswith(self._below)
        plain = _BELOW_REALM + name[: -len(self._below)] if is_below else _WHOLE + name
        text = _text_of(self._ciphers[0].encrypt(plain.ljust(-(-len(plain) // _BLOCK) * _BLOCK, b"\0"), _HOST))
        text = _PREFIX + text
        labels = (text[at : at + _LABEL_OCTETS] for at in range(0, len(text), _LABEL_OCTETS))
        pseudonym = b".".join(labels) + self._below
        return pseudonym if len(pseudonym) <= HOST_OCTETS_MAX else self._own

    def _decrypted(self, text: bytes, use: list[bytes]) -> bytes | None:
        try:
            octets = b32decode(text.upper() + b"=" * (-len(text) % 8))
        except ValueError:
            return None
        for cipher in self._ciphers:
            try:
                return cipher.decrypt(octets, use)
            except (InvalidTag, ValueError):  # of another key, or too short
                continue
        return None


def _text_of(octets: bytes) -> bytes:
    return b32encode(octets).rstrip(b"=").lower()
