"""TLS contexts of our HTTP servers and clients, and who a client really is.

TLS 1.3 only, every context from ``ssl.create_default_context`` (so that SSLKEYLOGFILE works).  The CA alone accepts
any name that it signed, and a context that trusts several CAs lets one pose for another: after the handshake a
client counts under a name only if the certificate says so (SAN) *and* that name's own CA issued it directly.
"""

import ssl
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature


class TlsError(Exception):
    """A certificate, key or CA file cannot be used."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """Our own certificate chain and its private key, PEM."""

    certificate: Path
    private_key: Path


class ClientTrust:
    """Which CA vouches for which client names."""

    def __init__(self, ca_files: Mapping[str, Path]) -> None:
        """Read the CA file of each client name.

        Raises:
            TlsError: a file cannot be read or holds no certificate.
        """
        self.ca_files = dict(ca_files)
        loaded = {path: load_certificates(path) for path in set(ca_files.values())}
        self._authorities = {name.lower(): loaded[path] for name, path in ca_files.items()}

    @classmethod
    def of_one_ca(cls, names: Iterable[str], ca_file: Path) -> "ClientTrust":
        """Return a trust in which one CA vouches for all ``names``."""
        return cls(dict.fromkeys(names, ca_file))

    def verified_names(self, certificate: bytes | None) -> frozenset[str]:
        """Return the configured names that this certificate (DER) may claim: in its SAN, issued by that name's CA."""
        if certificate is None:
            return frozenset()
        leaf = x509.load_der_x509_certificate(certificate)
        claimed = {name.lower() for name in _dns_names(leaf)}
        return frozenset(
            name for name in claimed if any(_issued_by(leaf, ca) for ca in self._authorities.get(name, ()))
        )


def server_context(credentials: Credentials, trust: ClientTrust | None, *, required: bool = True) -> ssl.SSLContext:
    """Return a TLS 1.3 server context; with ``trust`` it asks for a client certificate, or demands one.

    Raises:
        TlsError: a file cannot be used.
    """
    try:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.load_cert_chain(credentials.certificate, credentials.private_key)
        if trust is not None:
            for path in sorted(set(trust.ca_files.values())):
                context.load_verify_locations(path)
            context.verify_mode = ssl.CERT_REQUIRED if required else ssl.CERT_OPTIONAL
    except OSError as exc:  # ssl.SSLError is one too
        raise TlsError(f"{credentials.certificate}: {exc}") from exc
    return context


def client_context(ca_file: Path, credentials: Credentials | None = None) -> ssl.SSLContext:
    """Return a TLS 1.3 client context that trusts this CA alone; with ``credentials`` for mutual TLS.

    Raises:
        TlsError: a file cannot be used.
    """
    try:
        context = ssl.create_default_context(cafile=str(ca_file))
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.hostname_checks_common_name = False
        if credentials is not None:
            context.load_cert_chain(credentials.certificate, credentials.private_key)
    except OSError as exc:
        raise TlsError(f"{ca_file}: {exc}") from exc
    return context


def load_certificates(path: Path) -> tuple[x509.Certificate, ...]:
    """Return the certificates of a PEM file.

    Raises:
        TlsError: the file cannot be read or holds none.
    """
    try:
        return tuple(x509.load_pem_x509_certificates(path.read_bytes()))
    except (OSError, ValueError) as exc:
        raise TlsError(f"{path}: {exc}") from exc


def _dns_names(leaf: x509.Certificate) -> list[str]:
    try:
        names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, ValueError):
        return []
    return names.get_values_for_type(x509.DNSName)


def _issued_by(leaf: x509.Certificate, authority: x509.Certificate) -> bool:
    try:
        leaf.verify_directly_issued_by(authority)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True
