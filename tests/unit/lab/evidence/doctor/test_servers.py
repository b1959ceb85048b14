"""A server that is away or whose store is full is found where somebody suffers by it, and nowhere else."""

from types import SimpleNamespace
from typing import Any

import pytest

from lab.evidence.doctor import servers
from lab.evidence.doctor.connections import Connection
from lab.evidence.doctor.view import View
from lab.evidence.facts import RunFacts
from lab.evidence.messages import Capture, HttpMessage

UE, CMS, MMS = "10.77.1.21", "10.77.1.17", "10.77.1.16"
FULL = '{"type":"urn:mc-migration:problem:store-unavailable","status":503}'


def connection(client: str, server: str, stream: int = 5, **changes: Any) -> Connection:
    given = {"client": client, "server": server, "port": 443, "opened": 1, "opened_s": 0.001}
    return Connection(stream, **(given | changes))


def seen(*connections: Connection, http: tuple[HttpMessage, ...] = (), facts: RunFacts | None = None) -> View:
    return View(Capture(http=http), (), connections, facts)


def test_a_ue_that_is_refused_suffers_by_it(make: SimpleNamespace) -> None:
    (found,) = servers.server_away(seen(connection(UE, CMS, refused=2), facts=make.facts()))
    assert (found.detail, found.frames) == ("ue1 to cms.mc1 port 443: the connection is refused", (1, 2))


def test_a_link_that_is_cut_leaves_a_syn_without_an_answer(make: SimpleNamespace) -> None:
    (found,) = servers.server_away(seen(connection(UE, CMS), facts=make.facts()))
    assert found.detail.endswith("nobody answers the SYN")


def test_a_server_that_asks_another_before_anybody_asks_it_is_no_ue(make: SimpleNamespace) -> None:
    """A CMS asks its MMS when it starts, whichever is there first."""
    assert list(servers.server_away(seen(connection(CMS, MMS, refused=2), facts=make.facts()))) == []
    assert list(servers.server_away(seen(connection(CMS, MMS, refused=2)))) == []


@pytest.mark.parametrize("status", [502, 503, 504])
def test_a_server_that_tells_its_client_of_it_suffers_by_it(make: SimpleNamespace, status: int) -> None:
    told = make.http(40, "cms1", "ue", status, stream=4)
    view = seen(connection(UE, CMS, 4, accepted=2), connection(CMS, MMS, refused=3), http=(told,))
    (found,) = servers.server_away(view)
    assert found.detail == f"{CMS} to {MMS} port 443: the connection is refused"
    assert found.frames == (1, 3, 40)


def test_programs_that_start_in_some_order_are_no_illness(make: SimpleNamespace) -> None:
    well = make.http(40, "cms1", "ue", 200, stream=4)
    view = seen(connection(UE, CMS, 4, accepted=2), connection(CMS, MMS, refused=3), http=(well,))
    assert list(servers.server_away(view)) == []


def test_what_a_server_says_long_after_is_said_of_something_else(make: SimpleNamespace) -> None:
    told = make.http(6000, "cms1", "ue", 503, stream=4)
    view = seen(connection(UE, CMS, 4, accepted=2), connection(CMS, MMS, refused=3), http=(told,))
    assert list(servers.server_away(view)) == []


def test_a_server_that_dies_with_a_request(make: SimpleNamespace) -> None:
    """In a capture of another lab a UE is who asks over CSC-4."""
    asked = make.http(3, "ue", "cms1", "/csc-4/v1/x", stream=5)
    gone = connection(asked.frame.source, CMS, accepted=2, closed=9, closed_by=CMS)
    (found,) = servers.server_away(seen(gone, http=(asked,)))
    assert found.detail.endswith("it ends while a request waits for its answer")
    answered = make.http(4, "cms1", "ue", 200, stream=5)
    assert list(servers.server_away(seen(gone, http=(asked, answered)))) == []


def test_a_diameter_connection_is_none_of_these_servers(make: SimpleNamespace) -> None:
    assert list(servers.server_away(seen(connection(UE, CMS, port=3868, refused=2), facts=make.facts()))) == []


def test_a_store_that_cannot_be_used(make: SimpleNamespace) -> None:
    (found,) = servers.store_unavailable(seen(http=(make.http(7, "mms1", "cms1", 503, FULL),)))
    assert found.detail == f"{MMS} answers 503 store-unavailable: its disk is full, or its database gone"
    other = make.http(8, "mms1", "cms1", 503, FULL.replace("store-", "partner-"))
    assert list(servers.store_unavailable(seen(http=(other,)))) == []
