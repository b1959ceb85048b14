"""A key that is not the certificate's is found when it is loaded, and said in a sentence."""

import ssl
from pathlib import Path

import pytest
import trustme
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from diameter_proxy.node.certificate import CertificateUnusable, load_own_certificate


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    ca = trustme.CA()
    for name in ("ours", "other"):
        leaf = ca.issue_cert(f"{name}.lab")
        leaf.cert_chain_pems[0].write_to_path(tmp_path / f"{name}.pem")
        leaf.private_key_pem.write_to_path(tmp_path / f"{name}.key")
    key = load_pem_private_key((tmp_path / "ours.key").read_bytes(), None)
    locked = serialization.BestAvailableEncryption(b"secret")
    form = serialization.PrivateFormat.PKCS8
    (tmp_path / "locked.key").write_bytes(key.private_bytes(serialization.Encoding.PEM, form, locked))
    (tmp_path / "empty.key").touch()
    return tmp_path


def load(folder: Path, certificate: str, key: str) -> None:
    load_own_certificate(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), folder / certificate, folder / key)


def test_a_certificate_with_its_key_is_taken(folder: Path) -> None:
    load(folder, "ours.pem", "ours.key")


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("other.key", "ours.pem and other.key: the private key is not that of the certificate"),
        ("locked.key", "the private key has a password"),
        ("empty.key", "ours.pem and empty.key: "),
        ("none.key", "ours.pem and none.key: No such file or directory"),
    ],
)
def test_a_key_of_no_use_is_named(folder: Path, key: str, text: str) -> None:
    with pytest.raises(CertificateUnusable) as caught:
        load(folder, "ours.pem", key)
    assert str(caught.value).startswith(text)
