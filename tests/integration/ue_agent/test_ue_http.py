"""The identity and configuration management clients against real HTTPS servers with a CA each (CSC-1, CSC-4)."""

import base64
import hashlib
import json
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
import trustme
import uvicorn
from fastapi import FastAPI, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse

DEADLINE_S = 60.0
SECURITY_TOKEN = "header.security-token.signature"


class Server(uvicorn.Server):
    """A server on a thread; signals are the test runner's."""

    def install_signal_handlers(self) -> None: ...


class HttpsServer:
    """An app behind TLS on a free port of localhost."""

    def __init__(self, app: FastAPI, ca: trustme.CA, folder: Path, maximum: ssl.TLSVersion | None = None) -> None:
        certificate = ca.issue_cert("localhost")
        files = folder / f"chain-{id(self)}.pem", folder / f"key-{id(self)}.pem"
        for number, blob in enumerate(certificate.cert_chain_pems):
            blob.write_to_path(files[0], append=number > 0)
        certificate.private_key_pem.write_to_path(files[1])
        config = uvicorn.Config(app, host="localhost", port=0, log_level="critical", ssl_certfile=str(files[0]),
                                ssl_keyfile=str(files[1]), lifespan="off")  # fmt: skip
        config.load()
        assert config.ssl is not None
        if maximum is not None:
            config.ssl.maximum_version = maximum
        self._server = Server(config)
        self._thread = threading.Thread(target=self._server.run)
        self._thread.start()
        end = time.monotonic() + DEADLINE_S
        while not self._server.started and time.monotonic() < end:
            time.sleep(0.01)
        self.url = f"https://localhost:{self._server.servers[0].sockets[0].getsockname()[1]}"

    def close(self) -> None:
        self._server.should_exit = True
        self._thread.join(DEADLINE_S)


class World:
    """Primary IdMS and CMS on one server, the partner's IdMS on another with another CA."""

    def __init__(self, ca: trustme.CA, folder: Path) -> None:
        self.partner_ca = trustme.CA()
        self.tokens: list[dict[str, str]] = []
        self.partner_tokens: list[dict[str, str]] = []
        self.details: list[tuple[dict[str, Any], str | None]] = []
        self.answer: Callable[[dict[str, Any]], Response] = self.give_details
        self.issuer: str | None = None
        self.partner = HttpsServer(self._partner_app(), self.partner_ca, folder)
        self.primary = HttpsServer(self._primary_app(), ca, folder)
        self.registrar_port = 5060

    def close(self) -> None:
        self.primary.close()
        self.partner.close()

    def details_of(self, system: str, **changes: Any) -> dict[str, Any]:
        anchors = [self.partner_ca.cert_pem.bytes().decode()]
        configuration = {
            "mc_system": system, "home_domain": "ims.mc1.lab", "p_cscf": [f"sip:127.0.0.1:{self.registrar_port}"],
            "plmn": "00102", "idms_issuer": "https://idms.mc2.lab", "idms_auth_endpoint": f"{self.partner.url}/auth",
            "idms_token_endpoint": f"{self.partner.url}/token", "cms": "https://cms.mc2.lab", "gms": "", "kms": "",
            "trust_anchors": anchors, **changes,
        }  # fmt: skip
        return {
            "partner_mc_system": system,
            "partner_mc_system_sip_identities": {
                "private_user_identity": "mig-7f3k9@ims.mc2.lab",
                "public_user_identities": ["sip:mig-7f3k9@ims.mc2.lab"],
            },
            "initial_ue_configuration": configuration,
            "valid_until": "2099-01-01T00:00:00Z",
        }

    def give_details(self, _: dict[str, Any]) -> Response:
        return JSONResponse(self.details_of("mc2"))

    def _primary_app(self) -> FastAPI:
        app = FastAPI()

        @app.get("/.well-known/openid-configuration")
        def metadata() -> dict[str, str]:
            url = self.primary.url
            return {"issuer": self.issuer or url, "token_endpoint": f"{url}/token",
                    "authorization_endpoint": f"{url}/authorize"}  # fmt: skip

        @app.get("/authorize")
        def form(request: Request) -> HTMLResponse:
            hidden = "".join(f'<input type="hidden" name="{k}" value="{v}">' for k, v in request.query_params.items())
            return HTMLResponse(f'<form method="post" action="authorize">{hidden}<input name="username"></form>')

        @app.post("/authorize")
        async def login(request: Request) -> Response:
            said = await form_of(request)
            if said["password"] != "secret of alice":
                return JSONResponse({"error": "access_denied"}, 403)
            self.code = ("code-1", said["code_challenge"], said["nonce"])
            return RedirectResponse(f"{said['redirect_uri']}?code=code-1&state={said['state']}", 303)

        @app.post("/token")
        async def token(request: Request) -> Response:
            said = await form_of(request)
            self.tokens.append(said)
            return self._token(said)

        @app.post("/csc-4/v1/partner-mc-system-connection-details")
        async def connection_details(request: Request) -> Response:
            said = await request.json()
            self.details.append((said, request.headers.get("authorization")))
            return self.answer(said)

        return app

    def _token(self, said: dict[str, str]) -> Response:
        match said["grant_type"]:
            case "password" if said["password"] == "secret of alice":
                return JSONResponse({"access_token": "primary-token", "token_type": "Bearer", "expires_in": 3600})
            case "authorization_code":
                code, challenge, nonce = self.code
                digest = hashlib.sha256(said["code_verifier"].encode()).digest()
                assert (said["code"], base64.urlsafe_b64encode(digest).rstrip(b"=").decode()) == (code, challenge)
                claims = {"iss": self.primary.url, "aud": "ue", "nonce": nonce}
                body = base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode()
                return JSONResponse({"access_token": "primary-token", "id_token": f"h.{body}.s", "expires_in": 60})
            case "urn:ietf:params:oauth:grant-type:token-exchange":
                return JSONResponse({"access_token": SECURITY_TOKEN, "expires_in": 60})
        return JSONResponse({"error": "invalid_grant", "error_description": "no such user"}, 400)

    def _partner_app(self) -> FastAPI:
        app = FastAPI()

        @app.post("/token")
        async def token(request: Request) -> Response:
            said = await form_of(request)
            self.partner_tokens.append(said)
            if said["assertion"] != SECURITY_TOKEN:
                return JSONResponse({"error": "invalid_grant"}, 400)
            return JSONResponse({"access_token": "partner-token", "expires_in": 600})

        return app


async def form_of(request: Request) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs((await request.body()).decode()).items()}


@pytest.fixture
def world(ca: trustme.CA, tmp_path: Path) -> Iterator[World]:
    made = World(ca, tmp_path)
    yield made
    made.close()


@pytest.fixture
def ue(world, registrar, write_config, start_ue):
    world.registrar_port = registrar.port
    url = world.primary.url
    return start_ue(write_config(f"sip:127.0.0.1:{registrar.port}", idms=url, cms=url))


LOCATION = {"coordinates": {"latitude": 48.2, "longitude": 16.4}}


def test_password_grant_at_the_primary(ue, world) -> None:
    done = ue.do("authenticate", system="mc1")
    assert (done["ok"], done["system"], done["expires_in"]) == (True, "mc1", 3600)
    assert world.tokens[0]["grant_type"] == "password" and world.tokens[0]["username"] == "alice"
    assert "primary-token" not in repr(ue.events)


def test_code_flow_with_pkce_at_the_primary(ue, world) -> None:
    """RFC 7636: the server itself checks the verifier against the challenge."""
    assert ue.do("authenticate", system="mc1", flow="code")["ok"]
    assert world.tokens[0]["grant_type"] == "authorization_code"


def test_wrong_password_is_told(ue, world, write_config, start_ue) -> None:
    path = write_config("sip:127.0.0.1:5060", idms=world.primary.url)
    path.write_text(path.read_text().replace("secret of alice", "guess").replace('"state"', '"state2"'))
    other = start_ue(path)
    done = other.do("authenticate", system="mc1")
    assert (done["ok"], done["status"], done["reason"]) == (False, 400, "invalid_grant")
    refused = other.do("authenticate", system="mc1", flow="code")
    assert (refused["ok"], refused["status"], refused["reason"]) == (False, 403, "access_denied")


def test_an_issuer_that_is_another_is_refused(ue, world) -> None:
    world.issuer = "https://elsewhere.example"
    done = ue.do("authenticate", system="mc1")
    assert not done["ok"] and "issuer" in done["reason"]


def test_connection_details_are_asked_with_the_cards_default_set_and_kept(ue, world) -> None:
    """10.1.X.1 steps 1 and 13."""
    ue.do("authenticate", system="mc1")
    done = ue.do("get-connection-details", partner="mc2", location=LOCATION)
    assert (done["ok"], done["partner_mc_system"]) == (True, "mc2")
    assert done["identities"]["private_user_identity"] == "mig-7f3k9@ims.mc2.lab"
    said, authorization = world.details[0]
    assert authorization == "Bearer primary-token"
    assert said["default_identities"]["private_user_identity"] == "001010000000001@ims.mc1.lab"
    assert (said["mc_service_ids"], said["partner_mc_system"]) == (["sip:alice@mc1.lab"], "mc2")
    assert [entry["system"] for entry in ue.do("status")["systems"]] == ["mc1", "mc2"]


def test_problem_details_come_through(ue, world) -> None:
    """Step 2 refuses: type, step and detail reach whoever commands the UE."""
    problem = {"type": "urn:x:not-authorised", "title": "Not authorised for migration", "status": 403,
               "detail": "alice may not migrate", "step": "10.1.X.1-2"}  # fmt: skip
    world.answer = lambda _: JSONResponse(problem, 403, media_type="application/problem+json")
    done = ue.do("get-connection-details", location=LOCATION)
    assert {name: done[name] for name in ("ok", "status", "type", "detail", "step", "reason")} == {
        "ok": False, "status": 403, "type": "urn:x:not-authorised", "detail": "alice may not migrate",
        "step": "10.1.X.1-2", "reason": "Not authorised for migration",
    }  # fmt: skip


def test_a_reply_that_names_the_primary_writes_nothing(ue, world, tmp_path) -> None:
    """NOTE 3 of 10.1.X.1, against a hostile partner or CMS."""
    before = (tmp_path / "state/systems/mc1.json").read_bytes()
    world.answer = lambda _: JSONResponse(world.details_of("mc1"))
    done = ue.do("get-connection-details", location=LOCATION)
    assert not done["ok"] and "primary" in done["reason"]
    assert (tmp_path / "state/systems/mc1.json").read_bytes() == before


@pytest.mark.parametrize(
    ("body", "word"),
    [
        (b"no json", "not valid"),
        (b'{"partner_mc_system": "mc2"}', "not valid"),
        (b"x" * (1 << 21), "octets"),
    ],
    ids=["not JSON", "members missing", "too large"],
)
def test_answers_that_are_none_end_in_done(ue, world, body, word) -> None:
    world.answer = lambda _: Response(body)
    done = ue.do("get-connection-details", location=LOCATION)
    assert not done["ok"] and word in done["reason"]


def test_a_hostile_p_cscf_is_refused(ue, world) -> None:
    world.answer = lambda _: JSONResponse(world.details_of("mc2", p_cscf=["sip:x>;evil\r\nX: y"]))
    done = ue.do("get-connection-details", location=LOCATION)
    assert not done["ok"] and "p_cscf" in done["reason"]


def test_without_location_nothing_is_asked(ue, world) -> None:
    done = ue.do("get-connection-details")
    assert not done["ok"] and "location" in done["reason"] and world.details == []


def test_partner_token_by_exchange_and_jwt_bearer(ue, world) -> None:
    """10.6.2 step 1: RFC 8693 at the primary IdMS, RFC 7523 at the partner's, behind the partner's own CA."""
    ue.do("authenticate", system="mc1")
    ue.do("get-connection-details", location=LOCATION)
    done = ue.do("authenticate", system="mc2")
    assert (done["ok"], done["expires_in"]) == (True, 600)
    exchange, redeemed = world.tokens[-1], world.partner_tokens[0]
    assert exchange["grant_type"] == "urn:ietf:params:oauth:grant-type:token-exchange"
    assert exchange["subject_token"] == "primary-token"
    assert exchange["subject_token_type"] == "urn:ietf:params:oauth:token-type:access_token"
    assert exchange["requested_token_type"] == "urn:ietf:params:oauth:token-type:jwt"
    assert exchange["audience"] == "https://idms.mc2.lab"
    assert redeemed["grant_type"] == "urn:ietf:params:oauth:grant-type:jwt-bearer"
    assert (redeemed["assertion"], redeemed["client_id"]) == (SECURITY_TOKEN, "ue")


def test_partner_before_primary_is_told(ue, world) -> None:
    ue.do("get-connection-details", location=LOCATION)
    done = ue.do("authenticate", system="mc2")
    assert not done["ok"] and "mc1 first" in done["reason"] and world.partner_tokens == []


def test_a_partner_behind_another_ca_is_not_trusted(ue, world, ca) -> None:
    anchors = [ca.cert_pem.bytes().decode()]
    world.answer = lambda _: JSONResponse(world.details_of("mc2", trust_anchors=anchors))
    ue.do("authenticate", system="mc1")
    ue.do("get-connection-details", location=LOCATION)
    done = ue.do("authenticate", system="mc2")
    assert not done["ok"] and "CERTIFICATE_VERIFY_FAILED" in done["reason"] and world.partner_tokens == []


def test_no_trust_anchor_no_connection(ue, world) -> None:
    world.answer = lambda _: JSONResponse(world.details_of("mc2", trust_anchors=[]))
    ue.do("authenticate", system="mc1")
    ue.do("get-connection-details", location=LOCATION)
    assert "trust anchor" in ue.do("authenticate", system="mc2")["reason"]


def test_tls_1_2_is_not_spoken(ca, tmp_path, write_config, start_ue) -> None:
    server = HttpsServer(FastAPI(), ca, tmp_path, ssl.TLSVersion.TLSv1_2)
    try:
        other = start_ue(write_config("sip:127.0.0.1:5060", idms=server.url))
        done = other.do("authenticate", system="mc1")
    finally:
        server.close()
    assert not done["ok"] and "ConnectError" in done["reason"]


def test_a_server_that_is_not_there_is_told(write_config, start_ue) -> None:
    other = start_ue(write_config("sip:127.0.0.1:5060", idms="https://localhost:9"))
    done = other.do("authenticate", system="mc1")
    assert not done["ok"] and "localhost:9" in done["reason"]


def test_registers_at_the_partner_with_the_lent_set_while_registered_at_home(ue, world, registrar) -> None:
    """10.6.2 NOTE 1; two stacks share one card, and its sequence numbers have one writer."""
    assert ue.do("register", system="mc1")["ok"]
    ue.do("get-connection-details", location=LOCATION)
    assert ue.do("register", system="mc2")["ok"]
    assert registrar.registers()[-1].authorization["username"] == "mig-7f3k9@ims.mc2.lab"
    assert registrar.registers()[-1].get("To") == "<sip:mig-7f3k9@ims.mc2.lab>"
    assert ue.do("refresh", system="mc1")["ok"] and ue.do("refresh", system="mc2")["ok"]
    assert registrar.failures == [] and registrar.resynchronised == 0
    assert ue.do("status")["registered"] == ["mc1", "mc2"]


def test_the_partners_entry_survives_a_restart(ue, world, registrar, start_ue, write_config) -> None:
    ue.do("get-connection-details", location=LOCATION)
    ue.do("stop")
    assert ue.wait_for_end() == 0
    again = start_ue(write_config(f"sip:127.0.0.1:{registrar.port}"))
    assert again.do("register", system="mc2")["ok"]
    assert again.do("register", system="mc1")["ok"]


def migrate(config: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "ue_agent.cli", "migrate", "--config", str(config), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def test_migrate_in_one_go(world, registrar, write_config) -> None:
    """Result on standard output, progress on standard error, exit 0."""
    world.registrar_port, url = registrar.port, world.primary.url
    run = migrate(write_config("sip:127.0.0.1:5060", idms=url, cms=url), "--at", "48.2,16.4", "--flow", "code")
    shown = json.loads(run.stdout)
    assert (run.returncode, shown["system"], shown["status"]) == (0, "mc2", 200)
    assert shown["identities"]["public_user_identities"] == ["sip:mig-7f3k9@ims.mc2.lab"]
    assert "10.1.X.1" in run.stderr and "10.6.2 step 1" in run.stderr and "token" not in run.stdout


def test_migrate_names_the_step_that_refused(world, write_config) -> None:
    url = world.primary.url
    problem = {"type": "urn:x:no-partner", "title": "No partner here", "status": 404, "step": "10.1.X.1-3"}
    world.answer = lambda _: JSONResponse(problem, 404)
    run = migrate(write_config("sip:127.0.0.1:5060", idms=url, cms=url), "--at", "0,0")
    assert run.returncode == 1 and json.loads(run.stdout)["step"] == "10.1.X.1-3"
    assert run.stderr.splitlines()[-1] == "error: 404: No partner here: step 10.1.X.1-3"


@pytest.mark.parametrize("arguments", [["--at", "north"], ["--at", "91,0"], ["--flow", "magic"]])
def test_migrate_misused(write_config, arguments) -> None:
    run = migrate(write_config("sip:127.0.0.1:5060"), *arguments)
    assert run.returncode == 2 and run.stderr.startswith("error: --")
