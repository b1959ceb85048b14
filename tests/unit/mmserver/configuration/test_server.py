"""What is read and joined before the server serves."""

import ssl
from pathlib import Path

import pytest

from mmserver.configuration.server import check, client_trust
from mmserver.http.settings import ConfigError
from mmserver.http.tls import TlsError


def test_each_partner_s_name_counts_by_that_partner_s_own_ca(make_config, partner, files: Path) -> None:
    trust = client_trust(make_config("mc1", partner("mc2"), partner("mc3")))
    assert trust.ca_texts == {(files / "ca.pem").read_text()}
    certificate = ssl.PEM_cert_to_DER_cert((files / "certificate.pem").read_text())
    assert trust.verified_names(certificate) == frozenset()
    assert client_trust(make_config("mc2", partner("mc1"))).verified_names(certificate) == {"cms.mc1.lab"}


def test_check_reads_certificates_and_areas(make_config, partner, files: Path) -> None:
    check(make_config("mc1", partner("mc2")))
    (files / "no-area.geojson").write_text("junk")
    with pytest.raises(ConfigError, match="service_area"):
        check(make_config("mc1", partner("mc2", service_area={"geojson": "no-area.geojson"})))
    (files / "no-ca.pem").write_text("junk")
    with pytest.raises(TlsError, match=r"no-ca\.pem"):
        check(make_config("mc1", partner("mc2", ca="no-ca.pem")))
