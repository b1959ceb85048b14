"""Signing and verifying of tokens: ES256 or RS256 with a ``kid`` (RFC 7515, TS 33.180 B.2.2.1).

Only these two algorithms are ever accepted: neither ``none`` nor a keyed hash over a public key.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, KeySet, RSAKey, import_key

from lab.systems.idms.errors import NotAToken

ALGORITHMS: Final = ("ES256", "RS256")
TOKEN_OCTETS_MAX: Final = 8192
RSA_BITS_MIN: Final = 2048


class KeyFileError(ValueError):
    """A key file holds no key that may be used here."""


class SigningKey:
    """The private key of this identity management server; after a rotation also the one before, to verify with."""

    def __init__(self, key: ECKey | RSAKey) -> None:
        key.ensure_kid()
        self._key = key
        self._former: ECKey | RSAKey | None = None
        self._algorithm = _algorithm_of(key)
        self._verifier = VerifyingKeys(KeySet([key]))

    @property
    def kid(self) -> str:
        """Thumbprint of the key (RFC 7638)."""
        return self._key.kid or ""

    def rotate(self, successor: "SigningKey") -> bool:
        """Sign with the successor's key from now on; tokens of the key before stay good until the next rotation.

        Returns whether it is another key at all.
        """
        if successor.kid == self.kid:
            return False
        self._former, self._key, self._algorithm = self._key, successor._key, successor._algorithm
        self._verifier.replace_by(VerifyingKeys(KeySet([self._key, self._former])))
        return True

    def sign(self, claims: Mapping[str, Any], typ: str = "JWT") -> str:
        """Return the signed token; ``typ`` goes into its header."""
        header = {"alg": self._algorithm, "kid": self.kid, "typ": typ}
        return jwt.encode(header, dict(claims), self._key, algorithms=[self._algorithm])

    def jwks(self) -> dict[str, Any]:
        """Return the public key set (RFC 7517 §5)."""
        keys = [self._key, *([self._former] if self._former is not None else [])]
        return {"keys": [key.as_dict(private=False, use="sig", alg=_algorithm_of(key)) for key in keys]}

    def verifier(self) -> "VerifyingKeys":
        """Return what verifies this server's own tokens; it follows a rotation."""
        return self._verifier


class VerifyingKeys:
    """Public keys of one issuer."""

    def __init__(self, keys: KeySet) -> None:
        self._keys = keys

    def replace_by(self, other: "VerifyingKeys") -> None:
        """Verify with another's keys from now on: the issuer has new ones."""
        self._keys = other._keys

    def verify(self, text: str) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return header and claims of a token that one of these keys has signed; claims are not judged.

        Raises:
            NotAToken: anything else.
        """
        if len(text) > TOKEN_OCTETS_MAX:
            raise NotAToken(f"over {TOKEN_OCTETS_MAX} octets")
        try:
            token = jwt.decode(text, self._keys, algorithms=list(ALGORITHMS))
        except (JoseError, ValueError, TypeError, RecursionError) as exc:
            raise NotAToken(type(exc).__name__) from exc
        return dict(token.header), dict(token.claims)


def load_signing_key(path: Path) -> SigningKey:
    """Return the private key in a PEM file.

    Raises:
        KeyFileError: no readable EC P-256 or RSA private key.
    """
    pem = _read(path)
    for key_type in (ECKey, RSAKey):
        try:
            key = key_type.import_key(pem)
        except (JoseError, ValueError, TypeError):
            continue
        if not key.is_private:
            raise KeyFileError(f"{path}: found a public key, wanted a private one")
        return SigningKey(key)
    raise KeyFileError(f"{path}: neither an EC nor an RSA private key in PEM")


def load_jwks(path: Path) -> VerifyingKeys:
    """Return the keys in a JWKS file: a partner's, provisioned out of band (TS 33.180 §5.1.4).

    Raises:
        KeyFileError: not a JWKS with at least one EC P-256 or RSA public key.
    """
    try:
        document = json.loads(_read(path))
        keys = [import_key(entry) for entry in document["keys"]]
    except (JoseError, ValueError, TypeError, KeyError) as exc:
        raise KeyFileError(f"{path}: not a JSON web key set") from exc
    usable = [key for key in keys if isinstance(key, ECKey | RSAKey)]
    for key in usable:
        _algorithm_of(key)
    if not usable:
        raise KeyFileError(f"{path}: holds no EC or RSA key")
    return VerifyingKeys(KeySet(list(usable)))


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as exc:
        raise KeyFileError(f"{path}: {exc.strerror}") from exc


def _algorithm_of(key: ECKey | RSAKey) -> str:
    if isinstance(key, RSAKey):
        bits = key.raw_value.key_size
        if bits < RSA_BITS_MIN:
            raise KeyFileError(f"RSA key of {bits} bits, wanted {RSA_BITS_MIN} or more")
        return "RS256"
    if key.curve_name != "P-256":
        raise KeyFileError(f"EC key on {key.curve_name}, wanted P-256")
    return "ES256"
