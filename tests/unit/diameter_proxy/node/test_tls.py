"""Whose certificate it is: name and authority together."""

from pathlib import Path

import pytest
import trustme
from cryptography import x509

from diameter_proxy.node.certificate import TlsMisconfigured
from diameter_proxy.node.config import NodeConfig, PeerConfig
from diameter_proxy.node.tls import Authority, TlsIdentities


def certificate(ca: trustme.CA, name: str) -> x509.Certificate:
    return x509.load_pem_x509_certificate(ca.issue_cert(name).cert_chain_pems[0].bytes())


def test_authority_vouches_for_what_it_issued_itself() -> None:
    ours, theirs = trustme.CA(), trustme.CA()
    below = ours.create_child_ca()
    authority = Authority("a", (x509.load_pem_x509_certificate(ours.cert_pem.bytes()),))
    assert authority.vouches_for(certificate(ours, "a.lab"))
    assert not authority.vouches_for(certificate(theirs, "a.lab"))
    assert not authority.vouches_for(certificate(below, "a.lab"))


def test_peer_without_an_authority_is_refused(tmp_path: Path) -> None:
    config = NodeConfig("a", "b", peers=(PeerConfig("c", "d", tls=True),))
    with pytest.raises(TlsMisconfigured, match="no authority of its own"):
        TlsIdentities(config)


def test_connection_without_tls_proves_nobody(tmp_path: Path) -> None:
    ca = trustme.CA()
    leaf = ca.issue_cert("a.lab")
    ca.cert_pem.write_to_path(tmp_path / "ca.pem")
    leaf.cert_chain_pems[0].write_to_path(tmp_path / "leaf.pem")
    leaf.private_key_pem.write_to_path(tmp_path / "leaf.key")
    peer = PeerConfig("b.lab", "lab", tls=True, connect=True, ca_file=tmp_path / "ca.pem")
    config = NodeConfig("a.lab", "lab", (), (peer,), tmp_path / "leaf.pem", tmp_path / "leaf.key")
    identities = TlsIdentities(config)
    assert identities.authenticated(None) == frozenset()
    assert identities.client_context(peer).check_hostname
    assert identities.server_context.verify_mode.name == "CERT_REQUIRED"
