"""REGISTER with IMS AKA on the real pjsua2: what the registrar saw and what ``run`` answered (TS 24.229 §5.1.1)."""

import re
from typing import Any

import pytest

K = bytes.fromhex("465b5ce8b199b49faa5f0a2ee238a6bc")


def is_registration(event: dict[str, Any]) -> bool:
    return event["event"] == "registration.changed"


def test_registers_with_the_response_made_from_res(ue, registrar) -> None:
    """RFC 3310 §3.3; the registrar compares with its own digest from XRES."""
    done = ue.do("register", system="mc1", expires=600)
    assert (done["ok"], done["status"], done["reason"], done["expires"]) == (True, 200, "OK", 600)
    assert done["public_user_identities"] == ["sip:alice@ims.mc1.lab", "tel:+15550100"]
    assert 0 < done["seconds"] < 60
    assert registrar.failures == []
    assert ue.wait_for(is_registration)["status"] == 200


def test_first_register_carries_an_empty_authorization_with_the_algorithm(ue, registrar) -> None:
    """TS 24.229 §5.1.1.2.1: username, realm, uri; nonce and response empty; algorithm AKAv1-MD5."""
    ue.do("register", system="mc1", expires=600)
    first, second = registrar.registers()
    said = first.authorization
    assert (said["username"], said["realm"]) == ("001010000000001@ims.mc1.lab", "ims.mc1.lab")
    assert (said["nonce"], said["response"], said["algorithm"]) == ("", "", "AKAv1-MD5")
    assert first.uri == "sip:ims.mc1.lab" and first.get("Expires") == "600"
    assert first.get("Call-ID") == second.get("Call-ID")
    assert "path" in first.get("Supported") and first.get("P-Access-Network-Info")
    assert re.search(r'\+sip\.instance="<urn:uuid:[0-9a-f-]{36}>"', first.get("Contact"))


def test_refresh_is_challenged_afresh_and_answered(ue, registrar) -> None:
    ue.do("register", system="mc1", expires=600)
    done = ue.do("refresh", system="mc1")
    assert done["ok"] and done["status"] == 200
    nonces = [r.authorization["nonce"] for r in registrar.registers() if r.authorization["response"]]
    assert len(set(nonces)) == 2 and registrar.failures == []


def test_refreshes_by_itself_before_the_registration_lapses(ue, registrar) -> None:
    """pjsua2 refreshes five seconds before the end, so at once when seven are granted."""
    registrar.expires = 7
    ue.do("register", system="mc1", expires=600)
    count = len(registrar.registers())
    ue.wait_for(lambda _: len(registrar.registers()) >= count + 2 and sum(map(is_registration, ue.events)) >= 2)
    assert registrar.failures == []


def test_deregisters_with_expires_0_and_ends_the_stack(ue, registrar) -> None:
    ue.do("register", system="mc1", expires=600)
    done = ue.do("deregister", system="mc1")
    assert (done["ok"], done["status"], done["expires"]) == (True, 200, 0)
    assert registrar.registers()[-1].get("Expires") == "0" and registrar.contact is None
    assert ue.children() == []


def test_a_second_register_comes_from_the_same_contact(ue, registrar) -> None:
    """The new stack takes the port of the old one, so the registrar keeps one binding."""
    ue.do("register", system="mc1")
    ue.do("register", system="mc1", expires=1200)
    contacts = {r.get("Contact").partition(">")[0] for r in registrar.registers()}
    assert len(contacts) == 1 and len(ue.children()) == 1


def test_resynchronises_when_the_networks_number_is_old(ue, registrar) -> None:
    """TS 33.102 §6.3.5: AUTS with the digest of the empty password, then a fresh vector is accepted."""
    ue.do("isim", sqn="old")
    done = ue.do("register", system="mc1")
    assert done["ok"] and registrar.resynchronised == 1 and registrar.failures == []
    assert [len(request.all("Authorization")) for request in registrar.registers()] == [1, 1, 1]
    assert ["auts" in request.authorization for request in registrar.registers()] == [False, True, False]


def test_sequence_number_survives_a_restart(ue, registrar, start_ue, write_config) -> None:
    ue.do("register", system="mc1")
    before = ue.do("isim")["sqn"]
    ue.do("stop")
    assert ue.wait_for_end() == 0
    again = start_ue(write_config(f"sip:127.0.0.1:{registrar.port}"))
    assert again.do("isim")["sqn"] == before == registrar.sqn
    assert again.do("register", system="mc1")["ok"] and registrar.resynchronised == 0


def test_wrong_key_of_the_network_ends_in_mac_failure_and_no_response(ue, registrar) -> None:
    """TS 24.229 §5.1.1.5.3: AUTN is wrong, so no RES leaves the card."""
    registrar.key = bytes(16)
    done = ue.do("register", system="mc1")
    assert (done["ok"], done["reason"], done["status"]) == (False, "mac-failure", 401)
    assert all(not r.authorization.get("response") for r in registrar.registers())
    assert ue.children() == []
    registrar.key = K
    assert ue.do("register", system="mc1")["ok"]


@pytest.mark.parametrize("status", [403, 404, 408, 500, 504, 600])
def test_refusals_end_in_done_with_their_status(ue, registrar, status) -> None:
    registrar.behaviour = f"{status} Because"
    done = ue.do("register", system="mc1")
    assert (done["ok"], done["status"], done["reason"]) == (False, status, "Because")
    assert ue.children() == []
    registrar.behaviour = "aka"
    assert ue.do("register", system="mc1")["ok"]


def test_registers_over_tcp(write_config, start_ue, request) -> None:
    registrar = type(request.getfixturevalue("registrar"))("tcp")
    request.addfinalizer(registrar.close)
    ue = start_ue(write_config(f"sip:127.0.0.1:{registrar.port}", sip='transport = "tcp"'))
    done = ue.do("register", system="mc1")
    assert done["ok"] and registrar.failures == []
    assert registrar.registers()[0].get("Via").startswith("SIP/2.0/TCP")
    ue.do("stop")
    assert ue.wait_for_end() == 0


def test_message_out_and_in(ue, registrar) -> None:
    """RFC 3428, both ways through the registered contact."""
    ue.do("register", system="mc1")
    done = ue.do("message", system="mc1", to="sip:bob@ims.mc1.lab", text="Grüße, over")
    assert (done["ok"], done["status"]) == (True, 202)
    sent = registrar.requests[-1]
    assert (sent.method, sent.uri, sent.body) == ("MESSAGE", "sip:bob@ims.mc1.lab", "Grüße, over")
    assert registrar.send_message("proceed to grid 7") == "SIP/2.0 200 OK"
    came = ue.wait_for(lambda event: event["event"] == "message.received")
    assert (came["system"], came["from"], came["text"]) == ("mc1", "sip:service@ims.mc1.lab", "proceed to grid 7")


def test_nothing_secret_is_shown(ue, registrar) -> None:
    ue.do("register", system="mc1")
    shown = repr(ue.events) + repr(ue.do("status")) + repr(ue.do("isim")) + ue.stderr
    assert "465b5ce8" not in shown and "cd63cb71" not in shown and "secret of alice" not in shown


def test_a_refused_refresh_of_its_own_is_an_event_and_ends_the_registration(ue, registrar) -> None:
    """What a withdrawal looks like at the UE: nobody asked, and the next REGISTER is refused."""
    registrar.expires = 7
    ue.do("register", system="mc1")
    registrar.behaviour = "403 Forbidden"
    ended = ue.wait_for(lambda event: is_registration(event) and event["status"] == 403)
    assert (ended["reason"], ended["expires"]) == ("Forbidden", 0)
    assert ue.do("status")["registered"] == []
    assert not ue.do("refresh", system="mc1")["ok"]
    ue.wait_for(lambda _: ue.children() == [])
