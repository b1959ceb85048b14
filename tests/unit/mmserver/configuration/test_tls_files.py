"""Certificates and CAs of the CMS, kept in step with the catalogue and the files."""

import shutil
import ssl
from pathlib import Path

import pytest
import trustme

from mmserver.configuration.catalogue import make_catalogue
from mmserver.configuration.config import CmsConfig
from mmserver.configuration.tls_files import TlsFiles
from mmserver.http.tls import TlsError


@pytest.fixture
def own_files(files: Path, tmp_path: Path) -> Path:
    shutil.copytree(files, tmp_path / "cms")
    return tmp_path / "cms"


def loaded(make_config, partner, folder: Path) -> CmsConfig:
    config = make_config("mc1", partner("mc2"))
    tls = config.tls.model_copy(
        update={"certificate": folder / "certificate.pem", "private_key": folder / "private_key.pem"}
    )
    return config.model_copy(update={"tls": tls, "mms": config.mms.model_copy(update={"ca": folder / "ca.pem"})})


async def test_contexts_are_exchanged_when_a_file_has_other_content(make_config, partner, own_files: Path) -> None:
    config = loaded(make_config, partner, own_files)
    subject = TlsFiles(config, make_catalogue(config))
    subject.take_up(config, make_catalogue(config))
    server, client = subject.server.current, subject.partners["mc2"]
    again = loaded(make_config, partner, own_files)
    subject.take_up(again, make_catalogue(again))
    assert (subject.server.current, subject.partners["mc2"]) == (server, client)  # nothing is new
    authority = trustme.CA()
    issued = authority.issue_cert("cms.mc1.lab")
    (own_files / "certificate.pem").write_bytes(issued.cert_chain_pems[0].bytes())
    (own_files / "private_key.pem").write_bytes(issued.private_key_pem.bytes())
    newer = loaded(make_config, partner, own_files)
    subject.take_up(newer, make_catalogue(newer))
    assert subject.server.current is not server
    assert subject.partners["mc2"] is not client
    (own_files / "private_key.pem").write_text("junk")
    broken = loaded(make_config, partner, own_files)
    server = subject.server.current
    with pytest.raises(TlsError):
        subject.take_up(broken, make_catalogue(broken))
    assert subject.server.current is server
    await subject.close()


async def test_a_change_over_the_api_reads_no_file(make_config, partner, own_files: Path) -> None:
    config = loaded(make_config, partner, own_files)
    subject = TlsFiles(config, make_catalogue(config))
    subject.take_up(config, make_catalogue(config))
    (own_files / "private_key.pem").unlink()  # somebody is exchanging it at this moment
    subject.take_up(config, make_catalogue(config))
    assert isinstance(subject.server.current, ssl.SSLContext)
    await subject.close()
