"""One client of CSC-17 for each agreement in force."""

import asyncio
from pathlib import Path

import httpx2
import pytest
from structlog.testing import capture_logs

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


class Broken(httpx2.AsyncBaseTransport):
    """A connection that cannot be closed in good order; it says when somebody tried."""

    def __init__(self) -> None:
        self.tried = asyncio.Event()

    async def aclose(self) -> None:
        self.tried.set()
        raise OSError("cut off")


async def open_to(clients: PartnerClients, name: str, transport: httpx2.AsyncBaseTransport) -> httpx2.AsyncClient:
    """Give the client of a partner a connection."""
    peer = clients._peers[name][1]
    peer._transport = transport
    http = peer._client()
    await http.__aenter__()
    return http


async def test_an_old_client_is_closed_however_soon_the_end_comes(catalogue_of, partner, files: Path) -> None:
    """Also one whose task of closing had no time to begin."""
    clients = PartnerClients(Credentials(files / "certificate.pem", files / "private_key.pem"))
    clients.update(catalogue_of("mc1", partner("mc2")))
    old = await open_to(clients, "mc2", httpx2.MockTransport(lambda _: httpx2.Response(200)))
    clients.update(catalogue_of("mc1"))
    await clients.close()
    assert old.is_closed


async def test_one_that_cannot_be_closed_is_said_and_keeps_no_other_open(catalogue_of, partner, files: Path) -> None:
    clients = PartnerClients(Credentials(files / "certificate.pem", files / "private_key.pem"))
    clients.update(catalogue_of("mc1", partner("mc2", timeout_s=0.001), partner("mc3"), partner("mc4")))
    early, late = Broken(), Broken()
    await open_to(clients, "mc2", early)
    await open_to(clients, "mc3", late)
    last = await open_to(clients, "mc4", httpx2.MockTransport(lambda _: httpx2.Response(200)))
    with capture_logs() as events:
        clients.update(catalogue_of("mc1", partner("mc3"), partner("mc4")))
        await asyncio.wait_for(early.tried.wait(), 10)
        await clients.close()
    assert late.tried.is_set() and last.is_closed
    assert [event["event"] for event in events] == ["partner.not-closed"] * 2
