"""Who a client is: the SAN says a configured name, and that name's own CA issued the leaf."""

import ssl
from pathlib import Path

import pytest
import trustme

from mmserver.http.tls import (
    ClientTrust,
    Credentials,
    ExchangeableContext,
    TlsError,
    VerifiedClient,
    client_context,
    fingerprint,
    server_context,
    trust_also,
)


@pytest.fixture(scope="module")
def authorities() -> tuple[trustme.CA, trustme.CA]:
    return trustme.CA(), trustme.CA()


@pytest.fixture
def trust(tmp_path: Path, authorities: tuple[trustme.CA, trustme.CA]) -> ClientTrust:
    for number, authority in enumerate(authorities, 1):
        authority.cert_pem.write_to_path(tmp_path / f"mc{number}-ca.pem")
    return ClientTrust({"cms.mc1.lab": tmp_path / "mc1-ca.pem", "cms.mc2.lab": tmp_path / "mc2-ca.pem"})


def leaf(authority: trustme.CA, *names: str) -> bytes:
    return ssl.PEM_cert_to_DER_cert(authority.issue_cert(*names).cert_chain_pems[0].bytes().decode())


def test_a_name_counts_when_its_own_authority_issued_the_leaf(
    trust: ClientTrust, authorities: tuple[trustme.CA, trustme.CA]
) -> None:
    assert trust.verified_names(leaf(authorities[0], "cms.mc1.lab", "other.mc1.lab")) == {"cms.mc1.lab"}


def test_another_partners_authority_cannot_give_the_name(
    trust: ClientTrust, authorities: tuple[trustme.CA, trustme.CA]
) -> None:
    """One context that trusts all partners' CAs would let one pose as another."""
    assert trust.verified_names(leaf(authorities[1], "cms.mc1.lab")) == frozenset()


def test_no_certificate_and_no_names_are_nobody(trust: ClientTrust, authorities: tuple[trustme.CA, trustme.CA]) -> None:
    assert trust.verified_names(None) == frozenset()
    assert trust.verified_names(leaf(authorities[0], "10.0.0.1")) == frozenset()


def test_contexts_speak_tls_1_3_only(tmp_path: Path, trust: ClientTrust, authorities: tuple[trustme.CA, ...]) -> None:
    issued = authorities[0].issue_cert("mms.mc1.lab")
    issued.cert_chain_pems[0].write_to_path(tmp_path / "certificate.pem")
    issued.private_key_pem.write_to_path(tmp_path / "private_key.pem")
    credentials = Credentials(tmp_path / "certificate.pem", tmp_path / "private_key.pem")
    required = server_context(credentials, trust)
    optional = server_context(credentials, trust, required=False)
    open_to_all = server_context(credentials, None)
    client = client_context(tmp_path / "mc1-ca.pem", credentials)
    assert {context.minimum_version for context in (required, optional, open_to_all, client)} == {
        ssl.TLSVersion.TLSv1_3
    }
    assert [context.verify_mode for context in (required, optional, open_to_all)] == [
        ssl.CERT_REQUIRED,
        ssl.CERT_OPTIONAL,
        ssl.CERT_NONE,
    ]
    assert not client.hostname_checks_common_name


def test_files_that_cannot_be_used_are_named(tmp_path: Path) -> None:
    (tmp_path / "empty.pem").touch()
    nothing = Credentials(tmp_path / "no.pem", tmp_path / "no.pem")
    with pytest.raises(TlsError, match=r"empty\.pem"):
        ClientTrust({"x": tmp_path / "empty.pem"})
    with pytest.raises(TlsError, match=r"no\.pem"):
        server_context(nothing, None)
    with pytest.raises(TlsError, match=r"no\.pem"):
        client_context(tmp_path / "no.pem")


def test_an_open_connection_is_judged_again_when_the_trust_changes(
    trust: ClientTrust, authorities: tuple[trustme.CA, trustme.CA]
) -> None:
    client = VerifiedClient(trust, leaf(authorities[0], "cms.mc1.lab", "cms.mc3.lab"))
    assert client.names() == {"cms.mc1.lab"}
    trust.replace({}, {"cms.mc3.lab": authorities[0].cert_pem.bytes().decode()})
    assert client.names() == {"cms.mc3.lab"}
    assert VerifiedClient(None, None).names() == frozenset()


def test_one_name_has_one_authority(trust: ClientTrust, authorities: tuple[trustme.CA, trustme.CA]) -> None:
    """Two configuration management servers that claim one system: the first authority keeps the name."""
    first, second = (authority.cert_pem.bytes().decode() for authority in authorities)
    trust.replace({}, {"cms.mc1.lab": first})
    with pytest.raises(TlsError, match=r"cms\.mc1\.lab"):
        ClientTrust({}, {"cms.mc1.lab": first, "CMS.mc1.lab": second})
    with pytest.raises(TlsError, match="no certificate"):
        trust.replace({}, {"cms.mc9.lab": "junk"})
    assert trust.verified_names(leaf(authorities[0], "cms.mc1.lab")) == {"cms.mc1.lab"}


def test_a_server_comes_to_know_an_authority(
    tmp_path: Path, trust: ClientTrust, authorities: tuple[trustme.CA, ...]
) -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    assert context.get_ca_certs() == []
    trust_also(context, trust)
    assert len(context.get_ca_certs()) == 2


def in_memory_certificate(listening: ssl.SSLContext, authority: trustme.CA, name: str | None) -> bytes:
    """Shake hands with a server over two buffers; return the certificate that it shows."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    trusting = ssl.create_default_context(cadata=authority.cert_pem.bytes().decode())
    trusting.check_hostname = False
    server = listening.wrap_bio(to_server, to_client, server_side=True)
    client = trusting.wrap_bio(to_client, to_server, server_hostname=name)
    for side in (client, server, client, server):
        try:
            side.do_handshake()
        except ssl.SSLWantReadError:
            continue
    found = client.getpeercert(binary_form=True)
    assert found is not None
    return found


@pytest.mark.parametrize("name", ["mms.mc1.lab", None])
def test_a_context_is_exchanged_while_it_listens(
    tmp_path: Path, authorities: tuple[trustme.CA, ...], name: str | None
) -> None:
    """A client that names no server (it connects to an address) gets the new certificate too."""
    shown = []
    contexts = []
    for number in (1, 2):
        issued = authorities[0].issue_cert("mms.mc1.lab")
        issued.cert_chain_pems[0].write_to_path(tmp_path / "certificate.pem")
        issued.private_key_pem.write_to_path(tmp_path / f"{number}.key")
        contexts.append(server_context(Credentials(tmp_path / "certificate.pem", tmp_path / f"{number}.key"), None))
        shown.append(ssl.PEM_cert_to_DER_cert(issued.cert_chain_pems[0].bytes().decode()))
    exchangeable = ExchangeableContext(contexts[0])
    assert in_memory_certificate(exchangeable.listening, authorities[0], name) == shown[0]
    exchangeable.exchange(contexts[1])
    assert in_memory_certificate(exchangeable.listening, authorities[0], name) == shown[1]


def test_a_fingerprint_changes_with_the_content_of_a_file(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    one.write_text("a")
    other.write_text("b")
    before = fingerprint(one, other)
    one.write_text("ab")
    other.write_text("")
    assert fingerprint(one, other) != before
    other.unlink()
    with pytest.raises(TlsError, match="other"):
        fingerprint(one, other)
