"""One client of CSC-17 for each agreement in force."""

from pathlib import Path

import pytest

from mmserver.configuration.partners import PartnerClients
from mmserver.http.tls import Credentials, TlsError


async def test_an_agreement_that_changes_gets_a_new_client_and_others_keep_theirs(
    catalogue_of, partner, files: Path
) -> None:
    clients = PartnerClients(Credentials(files / "certificate.pem", files / "private_key.pem"))
    clients.update(catalogue_of("mc1", partner("mc2"), partner("mc3"), partner("mc4")))
    before = dict(clients)
    clients.update(catalogue_of("mc1", partner("mc2"), partner("mc3", cms="https://new.mc3.lab")))
    assert clients["mc2"] is before["mc2"] and clients["mc3"] is not before["mc3"]
    assert (sorted(clients), len(clients)) == (["mc2", "mc3"], 2)
    await clients.close()


async def test_a_ca_that_cannot_be_used_changes_nothing(catalogue_of, partner, files: Path) -> None:
    clients = PartnerClients(Credentials(files / "certificate.pem", files / "private_key.pem"))
    clients.update(catalogue_of("mc1", partner("mc2")))
    broken = catalogue_of("mc1", partner("mc3"))
    junk = broken.partners["mc3"].model_copy(update={"ca": "junk"})
    with pytest.raises(TlsError):
        clients.update(type(broken)(**{**vars(broken), "partners": {"mc3": junk}}))
    assert list(clients) == ["mc2"]
    await clients.close()
