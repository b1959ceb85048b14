"""Certificates and signing keys of a lab: a private CA a system, a leaf a host, one signing key an IdMS.

The leaf's only name is the host's; it is signed by its own system's CA directly, so that a partner can tell who
signed it (DESIGN: who is at the other end).
"""

import json
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from joserfc.jwk import ECKey
from trustme import CA

from lab.render.files import CERTIFICATE, PRIVATE_KEY, SIGNING_KEY


class SystemAuthority:
    """The CA of one MC system."""

    def __init__(self, system: str, folder: Path) -> None:
        self._authority = CA(organization_name=f"MC system {system}", organization_unit_name="lab")
        self.certificate = folder / f"{system}-ca.pem"
        self._authority.cert_pem.write_to_path(self.certificate)

    def issue(self, *names: str, folder: Path) -> None:
        """Write a leaf for these names and its key into ``folder``."""
        leaf = self._authority.issue_cert(*names)
        leaf.cert_chain_pems[0].write_to_path(folder / CERTIFICATE)
        _write_secret(folder / PRIVATE_KEY, leaf.private_key_pem.bytes())


class IdmsKey:
    """The key that one identity management server signs tokens with (ES256)."""

    def __init__(self) -> None:
        private = ec.generate_private_key(ec.SECP256R1())
        self._pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())

    def write(self, folder: Path) -> Path:
        """Write the private key and return its file."""
        file = folder / SIGNING_KEY
        _write_secret(file, self._pem)
        return file

    def write_public(self, file: Path) -> Path:
        """Add the public key to those that a partner has got out of band (RFC 7517 §5) and return its file."""
        key = ECKey.import_key(self._pem)
        key.ensure_kid()
        public = key.as_dict(private=False, use="sig", alg="ES256")
        known = json.loads(file.read_text())["keys"] if file.exists() else []
        file.write_text(json.dumps({"keys": [*known, public]}, indent=2) + "\n")
        return file


def _write_secret(file: Path, octets: bytes) -> None:
    file.touch(mode=0o600)
    file.write_bytes(octets)
