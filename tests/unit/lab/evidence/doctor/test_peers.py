"""Each rule about peers finds its cause, and a connection that fails while all is well is no illness."""

from types import SimpleNamespace
from typing import Any

import pytest

from lab.evidence.doctor import peers
from lab.evidence.doctor.connections import Alert, Connection, Shown
from lab.evidence.doctor.view import View

ICSCF, HSS = "10.77.2.11", "10.77.1.13"


def tls(**changes: Any) -> Connection:
    given = {"client": "10.0.0.1", "server": "10.0.0.2", "port": 5868, "opened": 1, "accepted": 2, "is_tls": True}
    given |= {"closed": 9, "closed_by": "10.0.0.1", "is_finished": True, "asked_for": "p.lab"}
    return Connection(7, **(given | changes))


def failed(case: SimpleNamespace, *connections: Connection, status: int = 504, extra: Any = ()) -> View:
    onward = case.register(2, source="pcscf", destination="icscf")
    said = case.response(3, status, source="icscf", destination="pcscf")
    view: View = case.see(case.register(1), onward, said, case.response(4, status), *extra, connections=connections)
    return view


def test_a_certificate_with_another_name(case: SimpleNamespace) -> None:
    view = failed(case, tls(shown=[Shown(3, "10.0.0.2", ("old.lab",))]))
    (found,) = peers.certificate_mismatch(view)
    assert (
        "closed by 10.0.0.1 after the handshake and before CER; the server shows old.lab; expected p.lab"
        in found.detail
    )
    assert found.frames == (1, 2, 3, 9)


def test_a_certificate_with_the_right_name_that_the_client_does_not_take(case: SimpleNamespace) -> None:
    """OpenSSL under asyncio closes without an alert: the FIN is all that is seen."""
    view = failed(case, tls(shown=[Shown(3, "10.0.0.2", ("p.lab",))]))
    (found,) = peers.certificate_mismatch(view)
    assert found.detail.endswith("the name is right: who signed it is not trusted, or it has expired")


def test_a_fatal_alert_about_a_certificate(case: SimpleNamespace) -> None:
    (found,) = peers.certificate_mismatch(failed(case, tls(alerts=[Alert(5, "10.0.0.1", 48)], is_finished=False)))
    assert "10.0.0.1 sends the alert unknown_ca; the server shows nothing that could be read" in found.detail


@pytest.mark.parametrize("harmless", [
    {"alerts": [Alert(5, "10.0.0.1", 0)], "port": 443}, {"port": 443}, {"closed": 0}, {"is_finished": False},
    {"shown": [Shown(3, "10.0.0.2", ("p.lab",))], "closed_by": "10.0.0.2"},
])  # fmt: skip
def test_other_ends_of_a_connection_say_nothing_of_certificates(
    case: SimpleNamespace, harmless: dict[str, Any]
) -> None:
    assert list(peers.certificate_mismatch(failed(case, tls(**harmless)))) == []


def test_where_nothing_failed_nothing_is_said_of_certificates(case: SimpleNamespace) -> None:
    view = failed(case, tls(alerts=[Alert(5, "10.0.0.1", 48)]), status=200)
    assert list(peers.certificate_mismatch(view)) == []


@pytest.mark.parametrize(("changes", "says"), [
    ({"refused": 2}, "refuses the connection"),
    ({}, "does not answer its SYN"),
    ({"accepted": 2, "closed": 5}, "closed the connection in frame 5"),
    ({"accepted": 2}, "is open; the watchdog"),
])  # fmt: skip
def test_why_no_peer_is_open(case: SimpleNamespace, changes: dict[str, Any], says: str) -> None:
    connection = Connection(1, ICSCF, HSS, 3868, opened=1, **changes)
    (found,) = peers.peer_not_open(failed(case, connection))
    assert "answers 504 without any Cx request" in found.detail
    assert says in found.detail


@pytest.mark.parametrize(("answer", "says"), [
    (None, "never answers the CER"),
    ((("268", "3010"), ("281", "no peer of ours")), "answers the CER with 3010 (no peer of ours)"),
    ((("268", "2001"), ("258", "4294967295")), "does not name Cx"),
    ((("268", "2001"), ("258", "16777216")), "is open"),
])  # fmt: skip
def test_what_the_capabilities_exchange_says(
    case: SimpleNamespace, make: SimpleNamespace, answer: tuple[tuple[str, str], ...] | None, says: str
) -> None:
    exchange = [make.diameter(1, "icscf", "hss", command=257)]
    if answer is not None:
        avps = [make.avp(int(code), value) for code, value in answer]
        exchange.append(make.diameter(2, "hss", "icscf", *avps, command=257, request=False))
    view = failed(case, Connection(1, ICSCF, HSS, 3868, opened=1, accepted=1), extra=(exchange,))
    assert says in next(iter(peers.peer_not_open(view))).detail


def test_a_core_whose_diameter_was_not_captured(case: SimpleNamespace) -> None:
    assert "capture that interface too" in next(iter(peers.peer_not_open(failed(case)))).detail


def test_who_asked_or_passed_on_has_a_peer(case: SimpleNamespace) -> None:
    asked = failed(case, extra=(case.hop(2, 3002, source="icscf", destination="hss"),))
    assert list(peers.peer_not_open(asked)) == []
    assert list(peers.peer_not_open(failed(case, status=403))) == []
    passed = case.see(
        case.register(1), case.register(2, source="pcscf", destination="icscf"), case.response(4, 504)
    )  # fmt: skip
    assert list(peers.peer_not_open(passed)) == []


def test_a_cscf_that_does_nothing_is_named(case: SimpleNamespace) -> None:
    view = case.see(case.register(1), case.register(2, source="pcscf", destination="icscf"), case.response(4, 504))
    (found,) = peers.cscf_silent(view)
    assert found.detail == "10.77.2.11 answers none of 1 REGISTER from P-CSCF 10.77.2.10"
    assert list(peers.cscf_silent(failed(case))) == []


def test_a_cscf_that_asked_the_database_is_not_silent(case: SimpleNamespace) -> None:
    hop = case.hop(3, None, source="icscf", destination="hss")
    view = case.see(
        case.register(1), case.register(2, source="pcscf", destination="icscf"), hop, case.response(4, 504)
    )  # fmt: skip
    assert list(peers.cscf_silent(view)) == []
