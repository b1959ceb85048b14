"""TLS contexts of our HTTP servers and clients, and who a client really is.

TLS 1.3 only, every context from ``ssl.create_default_context`` (so that SSLKEYLOGFILE works).  The CA alone accepts
any name that it signed, and a context that trusts several CAs lets one pose for another: after the handshake a
client counts under a name only if the certificate says so (SAN) *and* that name's own CA issued it directly.
"""

import hashlib
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
    """Which CA vouches for which client names; may be replaced while connections are open.

    Attributes:
        generation: changes with every ``replace``, so that a connection knows when to judge its client again.
    """

    def __init__(self, ca_files: Mapping[str, Path], more: Mapping[str, str] | None = None) -> None:
        """Read the CA file of each client name; ``more`` holds CAs as PEM text.

        Raises:
            TlsError: a CA cannot be read or is no certificate.
        """
        self.generation = 0
        self.ca_texts: frozenset[str] = frozenset()
        self._authorities: dict[str, tuple[x509.Certificate, ...]] = {}
        self.replace(ca_files, more)

    @classmethod
    def of_one_ca(cls, names: Iterable[str], ca_file: Path) -> "ClientTrust":
        """Return a trust in which one CA vouches for all ``names``."""
        return cls(dict.fromkeys(names, ca_file))

    def replace(self, ca_files: Mapping[str, Path], more: Mapping[str, str] | None = None) -> None:
        """Trust these names and no others from now on, on open connections too.

        Raises:
            TlsError: a CA cannot be read or is no certificate; nothing has changed then.
        """
        texts: dict[Path, str] = {path: _read_text(path) for path in set(ca_files.values())}
        by_name = [(name, texts[path]) for name, path in ca_files.items()] + list((more or {}).items())
        authorities: dict[str, tuple[x509.Certificate, ...]] = {}
        parsed = {text: parse_certificates(text) for text in {text for _, text in by_name}}
        for name, text in by_name:
            if authorities.setdefault(name.lower(), parsed[text]) != parsed[text]:
                raise TlsError(f"{name.lower()}: two certificate authorities would vouch for one name")
        self._authorities = authorities
        self.ca_texts = frozenset(parsed)
        self.generation += 1

    def become(self, other: "ClientTrust") -> None:
        """Trust what another one trusts from now on."""
        self._authorities = other._authorities
        self.ca_texts = other.ca_texts
        self.generation += 1

    def verified_names(self, certificate: bytes | None) -> frozenset[str]:
        """Return the configured names that this certificate (DER) may claim: in its SAN, issued by that name's CA."""
        if certificate is None:
            return frozenset()
        leaf = x509.load_der_x509_certificate(certificate)
        claimed = {name.lower() for name in _dns_names(leaf)}
        return frozenset(
            name for name in claimed if any(_issued_by(leaf, ca) for ca in self._authorities.get(name, ()))
        )


class VerifiedClient:
    """Who is at the other end of one connection, judged again when the trust has changed."""

    def __init__(self, trust: ClientTrust | None, certificate: bytes | None) -> None:
        self._trust = trust
        self._certificate = certificate
        self._judged: tuple[int, frozenset[str]] = (-1, frozenset())

    def names(self) -> frozenset[str]:
        """Return the names that the client may claim now."""
        if self._trust is None:
            return frozenset()
        if self._judged[0] != self._trust.generation:
            self._judged = self._trust.generation, self._trust.verified_names(self._certificate)
        return self._judged[1]


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
            for text in sorted(trust.ca_texts):
                context.load_verify_locations(cadata=text)
            context.verify_mode = ssl.CERT_REQUIRED if required else ssl.CERT_OPTIONAL
    except OSError as exc:  # ssl.SSLError is one too
        raise TlsError(f"{credentials.certificate}: {exc}") from exc
    return context


class ExchangeableContext:
    """A server's context that is exchanged as a whole while it listens; connections that are open stay as they are.

    Certificate, key and authorities go together: a handshake takes all of one context, or all of the next.
    """

    def __init__(self, context: ssl.SSLContext) -> None:
        """Begin with ``context``, which is also the one to listen with."""
        self.listening = context
        self.current = context
        context.sni_callback = self._choose  # called at every handshake, whether the client names a server or not

    def exchange(self, context: ssl.SSLContext) -> None:
        """Use ``context`` for handshakes from now on."""
        self.current = context

    def _choose(self, tls: ssl.SSLObject, _name: str | None, _listening: ssl.SSLContext) -> None:
        tls.context = self.current


def trust_also(context: ssl.SSLContext, trust: ClientTrust) -> None:
    """Let handshakes of a server succeed for CAs that ``trust`` has come to know.

    A CA that it no longer knows may still finish a handshake, under no name.
    """
    for text in sorted(trust.ca_texts):
        context.load_verify_locations(cadata=text)


def fingerprint(*files: Path) -> str:
    """Return what changes when the content of one of these files does.

    Raises:
        TlsError: one cannot be read.
    """
    digest = hashlib.sha256()
    for file in files:
        try:
            digest.update(hashlib.sha256(file.read_bytes()).digest())
        except OSError as exc:
            raise TlsError(f"{file}: {exc.strerror or exc}") from exc
    return digest.hexdigest()


def client_context(ca: Path | str, credentials: Credentials | None = None) -> ssl.SSLContext:
    """Return a TLS 1.3 client context that trusts this CA alone, a file or PEM text; ``credentials`` for mutual TLS.

    Raises:
        TlsError: a file cannot be used.
    """
    try:
        text = ca if isinstance(ca, str) else _read_text(ca)
        parse_certificates(text)
        context = ssl.create_default_context(cadata=text)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.hostname_checks_common_name = False
        if credentials is not None:
            context.load_cert_chain(credentials.certificate, credentials.private_key)
    except OSError as exc:
        raise TlsError(f"{ca if isinstance(ca, Path) else 'CA'}: {exc}") from exc
    return context


def parse_certificates(text: str) -> tuple[x509.Certificate, ...]:
    """Return the certificates in PEM text.

    Raises:
        TlsError: there are none, or one cannot be read.
    """
    try:
        return tuple(x509.load_pem_x509_certificates(text.encode()))
    except ValueError as exc:
        raise TlsError(f"no certificate in PEM: {exc}") from exc


def _read_text(path: Path) -> str:
    try:
        text = path.read_text()
    except (OSError, UnicodeDecodeError) as exc:
        raise TlsError(f"{path}: {exc}") from exc
    try:
        parse_certificates(text)
    except TlsError as exc:
        raise TlsError(f"{path}: {exc}") from exc
    return text


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
