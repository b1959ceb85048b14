"""TLS 1.3 with certificates on both sides, and whose certificate it was (RFC 6733 §13.1).

One context that trusts the authorities of all partners would let one partner pose as another: after the handshake the
leaf must name the peer and be issued by that peer's own authority.
"""

import ssl
from dataclasses import dataclass
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature

from diameter_proxy.node.certificate import CertificateUnusable, TlsMisconfigured, load_own_certificate
from diameter_proxy.node.config import NodeConfig, PeerConfig


@dataclass(frozen=True, slots=True)
class Authority:
    """One peer's name and the certificates of its authority."""

    host: str
    certificates: tuple[x509.Certificate, ...]

    def vouches_for(self, leaf: x509.Certificate) -> bool:
        """Say whether one of the certificates issued the leaf directly."""
        return any(_is_issued_by(leaf, certificate) for certificate in self.certificates)


CIPHERS_OF_1_2: Final = "ECDHE+AESGCM:ECDHE+CHACHA20"


class TlsIdentities:
    """Who may be at the other end of a TLS connection."""

    def __init__(self, config: NodeConfig) -> None:
        """Read every file that TLS needs.

        Raises:
            TlsMisconfigured: one of them is of no use.
        """
        self._config = config
        self._peers = tuple(peer for peer in config.peers if peer.tls)
        try:
            self._authorities = tuple(_load_authority(peer) for peer in self._peers)
            self._client_contexts = {peer.host: self._client_context(peer) for peer in self._peers if peer.connect}
            self.server_context = self._server_context()
        except (OSError, ValueError, CertificateUnusable) as exc:
            raise TlsMisconfigured(str(exc)) from exc

    def client_context(self, peer: PeerConfig) -> ssl.SSLContext:
        """Return the context to connect to one peer with: it trusts that peer's authority and nobody else's."""
        return self._client_contexts[peer.host]

    def authenticated(self, tls: object) -> frozenset[str]:
        """Return the configured peers that this connection's certificate proves, in lower case; usually one."""
        octets = tls.getpeercert(binary_form=True) if isinstance(tls, ssl.SSLObject) else None
        if octets is None:
            return frozenset()
        try:
            leaf = x509.load_der_x509_certificate(octets)
            names = {name.lower() for name in _dns_names(leaf)}
        except ValueError:
            return frozenset()
        return frozenset(
            authority.host.lower()
            for authority in self._authorities
            if authority.host.lower() in names and authority.vouches_for(leaf)
        )

    def is_new_enough(self, tls: object, peer: PeerConfig) -> bool:
        """Say whether a connection has the version of TLS that this peer needs."""
        return is_new_enough(tls, peer)

    def _client_context(self, peer: PeerConfig) -> ssl.SSLContext:
        context = ssl.create_default_context(ssl.Purpose.SERVER_AUTH, cafile=peer.ca_file)
        context.hostname_checks_common_name = False
        return self._finished(context, tls_1_2=peer.tls_1_2)

    def _server_context(self) -> ssl.SSLContext:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        for peer in self._peers:
            context.load_verify_locations(cafile=peer.ca_file)
        context.verify_mode = ssl.CERT_REQUIRED
        context.num_tickets = 0  # each connection shows its certificate afresh
        return self._finished(context, tls_1_2=any(peer.tls_1_2 for peer in self._peers))

    def _finished(self, context: ssl.SSLContext, *, tls_1_2: bool) -> ssl.SSLContext:
        """Show our certificate; what a peer of 1.3 must not do on a context of both, ``is_new_enough`` finds."""
        context.minimum_version = ssl.TLSVersion.TLSv1_2 if tls_1_2 else ssl.TLSVersion.TLSv1_3
        context.set_ciphers(CIPHERS_OF_1_2)
        if self._config.certificate is None:
            raise ValueError("TLS is asked for, and there is no certificate")
        load_own_certificate(context, self._config.certificate, self._config.private_key)
        return context


def is_new_enough(tls: object, peer: PeerConfig) -> bool:
    """Say whether a connection has the version of TLS that this peer needs."""
    return peer.tls_1_2 or (isinstance(tls, ssl.SSLObject) and tls.version() == "TLSv1.3")


def _load_authority(peer: PeerConfig) -> Authority:
    if peer.ca_file is None:
        raise ValueError(f"peer {peer.host} has TLS and no authority of its own")
    try:
        return Authority(peer.host, tuple(x509.load_pem_x509_certificates(peer.ca_file.read_bytes())))
    except OSError as exc:
        raise ValueError(f"ca of {peer.host}: {peer.ca_file}: {exc.strerror or exc}") from exc
    except ValueError as exc:
        raise ValueError(f"ca of {peer.host}: {peer.ca_file} holds no certificate in PEM, or a broken one") from exc


def _dns_names(leaf: x509.Certificate) -> list[str]:
    try:
        names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return []
    return names.value.get_values_for_type(x509.DNSName)


def _is_issued_by(leaf: x509.Certificate, authority: x509.Certificate) -> bool:
    try:
        leaf.verify_directly_issued_by(authority)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True
