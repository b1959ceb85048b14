"""What is read and joined before the server serves."""

import asyncio
import socket
import ssl
from pathlib import Path

import pytest

from mmserver.configuration.catalogue import make_catalogue
from mmserver.configuration.server import Server, check, openapi_document
from mmserver.configuration.tls_files import client_trust
from mmserver.http.readiness import MMS, Missing
from mmserver.http.settings import ConfigError
from mmserver.http.tls import TlsError


def names(config, files: Path) -> frozenset[str]:
    certificate = ssl.PEM_cert_to_DER_cert((files / "certificate.pem").read_text())
    return client_trust(config, make_catalogue(config)).verified_names(certificate)


def test_each_partner_s_name_counts_by_that_partner_s_own_ca(make_config, partner, files: Path) -> None:
    config = make_config("mc1", partner("mc2"), partner("mc3"))
    assert client_trust(config, make_catalogue(config)).ca_texts == {(files / "ca.pem").read_text()}
    assert names(config, files) == frozenset()
    assert names(make_config("mc2", partner("mc1")), files) == {"cms.mc1.lab"}


def test_operators_and_scrapers_count_by_our_own_ca(make_config, files: Path) -> None:
    assert names(make_config("mc1", admin={"clients": ["cms.mc1.lab"]}), files) == {"cms.mc1.lab"}
    assert names(make_config("mc1", metrics={"clients": ["CMS.mc1.lab"]}), files) == {"cms.mc1.lab"}


def test_check_reads_certificates_and_areas(make_config, partner, files: Path) -> None:
    check(make_config("mc1", partner("mc2")))
    (files / "no-area.geojson").write_text("junk")
    with pytest.raises(ConfigError, match="service_area"):
        check(make_config("mc1", partner("mc2", service_area={"geojson": "no-area.geojson"})))
    (files / "no-ca.pem").write_text("junk")
    with pytest.raises(ConfigError, match=r"no-ca\.pem"):
        check(make_config("mc1", partner("mc2", ca="no-ca.pem")))
    with pytest.raises(TlsError, match=r"no-ca\.pem"):
        check(make_config("mc1", mms={"url": "https://mms.mc1.lab", "ca": "no-ca.pem"}))


async def test_parts_are_joined_without_asking_anybody(make_config, partner) -> None:
    server = Server(make_config("mc1", partner("mc2")))
    assert list(server.directory.current.partners) == ["mc2"]
    missing = await server.missing()
    assert missing is not None
    assert missing.kind is MMS


async def test_a_migration_management_server_that_is_silent_keeps_nobody_who_asks_what_is_missing(
    make_config, files: Path
) -> None:
    """It has the address, and never shakes hands."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"https://127.0.0.1:{silent.getsockname()[1]}"
        server = Server(make_config("mc1", mms={"url": url, "ca": "ca.pem", "timeout_s": 60}))
        async with asyncio.timeout(5):
            missing = await server.missing(within_s=0.05)
    assert missing == Missing(MMS, f"{url}: no answer in 0.05 s")


def test_the_document_names_every_part_of_the_api() -> None:
    tags = {operation["tags"][0] for item in openapi_document()["paths"].values() for operation in item.values()}
    assert tags == {"operation", "CSC-4", "CSC-17", "admin"}
