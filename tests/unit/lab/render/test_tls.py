"""Certificates of a lab: the host's name, its own system's CA, keys that only the owner reads."""

import json
from pathlib import Path

from cryptography import x509

from lab.render.files import CERTIFICATE, PRIVATE_KEY
from lab.render.tls import IdmsKey, SystemAuthority


def test_a_leaf_names_its_host_and_is_issued_by_its_systems_ca(tmp_path: Path) -> None:
    authority = SystemAuthority("mc1", tmp_path)
    authority.issue("cms.mc1.lab", folder=tmp_path)
    ca = x509.load_pem_x509_certificate(authority.certificate.read_bytes())
    leaf = x509.load_pem_x509_certificate((tmp_path / CERTIFICATE).read_bytes())
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["cms.mc1.lab"]
    leaf.verify_directly_issued_by(ca)


def test_a_private_key_is_read_by_its_owner_only(tmp_path: Path) -> None:
    SystemAuthority("mc1", tmp_path).issue("cms.mc1.lab", folder=tmp_path)
    assert (tmp_path / PRIVATE_KEY).stat().st_mode & 0o077 == 0
    assert IdmsKey().write(tmp_path).stat().st_mode & 0o077 == 0


def test_a_partner_gets_the_public_half_of_a_signing_key(tmp_path: Path) -> None:
    keys = json.loads(IdmsKey().write_public(tmp_path / "jwks.json").read_text())["keys"]
    assert [(key["kty"], key["crv"], "d" in key) for key in keys] == [("EC", "P-256", False)]
    assert keys[0]["kid"]
