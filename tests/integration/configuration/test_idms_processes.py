"""Two identity management servers as processes over HTTPS: 10.6.2 step 1 end to end (TS 33.180 B.7)."""

import json
import signal
import socket
import ssl
from urllib.parse import parse_qs, urlsplit

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet

from tests import unwritable
from tests.waiting import wait_until

VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
CHALLENGE = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


@pytest.fixture
def systems(make_system, start):
    mc1, mc2 = make_system("mc1"), make_system("mc2")
    files = {"idms-mc1": mc1.write_idms(mc2), "idms-mc2": mc2.write_idms(mc1, user="bob")}
    processes = {name: start(name, "lab.systems.idms", "run", "--config", str(file)) for name, file in files.items()}
    return mc1, mc2, processes


def test_a_user_of_mc1_gets_an_access_token_of_mc2(systems) -> None:
    mc1, mc2, processes = systems
    assert processes["idms-mc1"].listen == [f"{mc1.address('idms')}:8443"]
    with mc1.client() as at_mc1, mc2.client() as at_mc2:
        login = {"grant_type": "password", "client_id": "mc-client", "username": "alice", "password": "alice-secret"}
        access_token = at_mc1.post(mc1.url("idms") + "/token", data=login).json()["access_token"]
        exchange = {
            "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
            "subject_token": access_token,
            "subject_token_type": "urn:ietf:params:oauth:token-type:access_token",
            "audience": mc2.url("idms"),
            "requested_token_type": "urn:ietf:params:oauth:token-type:jwt",
        }
        security_token = at_mc1.post(mc1.url("idms") + "/token", data=exchange).json()["access_token"]
        another = at_mc1.post(mc1.url("idms") + "/token", data=exchange).json()["access_token"]
        bearer = {
            "grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer",
            "assertion": security_token,
            "client_id": "mc-client",
            "scope": "3gpp:mc:ptt_service",
        }
        answer = at_mc2.post(mc2.url("idms") + "/token", data=bearer)
        replay = at_mc2.post(mc2.url("idms") + "/token", data=bearer)
        fresh = at_mc2.post(mc2.url("idms") + "/token", data={**bearer, "assertion": another})
        keys = KeySet.import_key_set(at_mc2.get(mc2.url("idms") + "/jwks").json())
    claims = jwt.decode(answer.json()["access_token"], keys, algorithms=["ES256"]).claims
    assert (claims["iss"], claims["mcptt_id"]) == (mc2.url("idms"), "sip:alice@mc1.lab")
    assert (replay.status_code, replay.json()["error"]) == (400, "invalid_grant")
    assert fresh.status_code == 200  # the access token was exchanged twice, the assertion only is used up
    logs = processes["idms-mc1"].log.read_text() + processes["idms-mc2"].log.read_text()
    assert not any(secret in logs for secret in (access_token, security_token, "alice-secret"))


def test_a_code_flow_ends_with_tokens_and_code_and_refresh_token_serve_once(systems) -> None:
    mc1, _, _ = systems
    request = {
        "response_type": "code",
        "client_id": "mc-client",
        "redirect_uri": "mcclient:/callback",
        "scope": "openid",
        "code_challenge": CHALLENGE,
        "code_challenge_method": "S256",
    }
    with mc1.client() as client:
        assert "<form" in client.get(mc1.url("idms") + "/authorize", params=request).text
        form = {**request, "username": "alice", "password": "alice-secret"}
        location = client.post(mc1.url("idms") + "/authorize", data=form).headers["location"]
        code = parse_qs(urlsplit(location).query)["code"][0]
        call = {
            "grant_type": "authorization_code",
            "client_id": "mc-client",
            "redirect_uri": "mcclient:/callback",
            "code": code,
            "code_verifier": VERIFIER,
        }
        tokens = client.post(mc1.url("idms") + "/token", data=call).json()
        assert tokens["id_token"]
        again = client.post(mc1.url("idms") + "/token", data=call)
        refresh = {"grant_type": "refresh_token", "client_id": "mc-client", "refresh_token": tokens["refresh_token"]}
        refreshed = [client.post(mc1.url("idms") + "/token", data=refresh) for _ in range(2)]
    assert (again.status_code, again.json()["error"]) == (400, "invalid_grant")
    assert [answer.status_code for answer in refreshed] == [200, 400]
    assert refreshed[1].json()["error"] == "invalid_grant"


def test_tls_1_2_is_refused_and_sigterm_is_a_clean_stop(systems) -> None:
    mc1, _, processes = systems
    context = ssl.create_default_context(cafile=mc1.ca_file)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with (
        socket.create_connection((mc1.address("idms"), 8443), timeout=5) as connection,
        pytest.raises(ssl.SSLError),
        context.wrap_socket(connection, server_hostname=mc1.address("idms")),
    ):
        pass
    assert processes["idms-mc1"].stop() == 0
    assert "Traceback" not in processes["idms-mc1"].log.read_text()


@unwritable.EACH
def test_what_cannot_be_written_costs_no_answer(make_system, start, opener) -> None:
    """Neither a refusal, which is logged, nor the line about new keys, which nobody reads."""
    mc1 = make_system("mc1")
    with unwritable.opened(opener) as stderr:
        idms = start("idms", "lab.systems.idms", "run", "--config", str(mc1.write_idms()), stderr=stderr)
    idms.popen.stdout.close()
    login = {"grant_type": "password", "client_id": "mc-client", "username": "alice", "password": "alice-secret"}
    with mc1.client() as client:
        refused = client.post(mc1.url("idms") + "/token", data={**login, "password": "wrong"})
        assert (refused.status_code, refused.json()["error"]) == (400, "invalid_grant")
        first = client.get(mc1.url("idms") + "/jwks").json()
        (mc1.folder / "idms" / "idms-signing.pem").write_bytes(ECKey.generate_key("P-256").as_pem(private=True))
        idms.popen.send_signal(signal.SIGHUP)
        assert wait_until(lambda: client.get(mc1.url("idms") + "/jwks").json() != first)
        assert client.post(mc1.url("idms") + "/token", data=login).status_code == 200
    assert idms.stop() == 0


def test_half_a_tls_hello_is_closed_in_time(systems) -> None:
    mc1, _, _ = systems
    with socket.create_connection((mc1.address("idms"), 8443), timeout=30) as connection:
        connection.sendall(b"\x16\x03\x01\x02\x00\x01\x00")
        assert connection.recv(1) == b""  # the deadline is the connection's own: 30 s


def test_a_port_in_use_is_an_error_of_one_line(systems, tmp_path) -> None:
    import subprocess
    import sys

    mc1, _, _ = systems
    command = [sys.executable, "-m", "lab.systems.idms", "run", "--config", str(mc1.folder / "idms" / "idms.toml")]
    result = subprocess.run(command, capture_output=True, text=True, timeout=90, check=False)
    assert result.returncode == 1
    assert result.stderr.startswith("error: 127.") and result.stderr.count("\n") == 1
    assert "Address already in use, by process " in result.stderr
    assert json.dumps("ready") not in result.stdout
