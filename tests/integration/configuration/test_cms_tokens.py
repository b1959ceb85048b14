"""Access tokens at a real CMS: keys rotate, clocks are 5 minutes apart, and tokens that must not let anybody in."""

import base64
import json
import signal
import time
from collections.abc import Callable
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey

from tests.waiting import wait_until

CONFIGURATION = "/csc-4/v1/initial-ue-configuration"
FIVE_MINUTES_S = 300


@pytest.fixture(scope="module")
def system(make_system, start_for_module):
    mc1 = make_system("mc1")
    mc1.idms = start_for_module("idms-mc1", "lab.systems.idms", "run", "--config", str(mc1.write_idms()))
    return mc1


@pytest.fixture
def ask(system, start_cms) -> Callable[..., Any]:
    """Start the server; return what asks it for the simplest thing that a token opens."""

    def make(**changes: str) -> Callable[[str], tuple[int, str]]:
        process = start_cms(system, system.write_cms(**changes))

        def ask_one(token: str) -> tuple[int, str]:
            with system.client() as client:
                answer = client.get(system.url("cms") + CONFIGURATION, headers={"Authorization": f"Bearer {token}"})
            problem = answer.json().get("type", "") if answer.status_code != 200 else ""
            return answer.status_code, problem.rpartition(":")[2]

        ask_one.process = process  # type: ignore[attr-defined]
        return ask_one

    return make


def claims(system: Any, **changes: Any) -> dict[str, Any]:
    now = int(time.time())
    return {
        "iss": system.url("idms"),
        "sub": "alice",
        "aud": "cms.mc1.lab",
        "client_id": "mc-client",
        "scope": "3gpp:mc:ptt_config_management_service",
        "iat": now,
        "exp": now + 60,
        "mcptt_id": "sip:alice@mc1.lab",
        **changes,
    }


def signed(system: Any, key: Any = None, header: dict[str, Any] | None = None, **changes: Any) -> str:
    key = key or system.signing_key
    key.ensure_kid()
    return jwt.encode(
        header or {"alg": "ES256", "kid": key.kid},
        claims(system, **changes),
        key,
        algorithms=["ES256", "HS256"],
    )


def encoded(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def test_clocks_five_minutes_apart_need_the_leeway_that_is_configured(system, ask) -> None:
    now = int(time.time())
    # The identity management server's clock is ahead, then behind: its tokens are of the future, or over already.
    ahead = {"iat": now + FIVE_MINUTES_S, "exp": now + FIVE_MINUTES_S + 60}
    behind = {"iat": now - FIVE_MINUTES_S, "exp": now - FIVE_MINUTES_S + 60}
    strict = ask()
    assert strict(signed(system)) == (200, "")
    assert strict(signed(system, **ahead)) == (401, "token-invalid")
    assert strict(signed(system, **behind)) == (401, "token-expired")
    strict.process.stop()
    patient = ask(idms=f"leeway_s = {FIVE_MINUTES_S + 30}")
    assert patient(signed(system, **ahead)) == (200, "")
    assert patient(signed(system, **behind)) == (200, "")
    assert patient(signed(system, exp=now - FIVE_MINUTES_S - 60)) == (401, "token-expired")


def test_tokens_that_let_nobody_in(system, ask) -> None:
    ask_one = ask()
    stranger = ECKey.generate_key("P-256")
    system.signing_key.ensure_kid()
    kid = system.signing_key.kid
    public = OctKey.import_key(json.dumps(system.signing_key.as_dict(private=False)))
    none = f"{encoded({'alg': 'none', 'kid': kid})}.{encoded(claims(system))}."
    for token in (
        none,
        signed(system, stranger),
        signed(system, stranger, {"alg": "ES256", "kid": kid}),
        signed(system, public, {"alg": "HS256", "kid": kid}),
        signed(system, aud="cms.mc2.lab"),
        signed(system, aud=["idms.mc1.lab"]),
        signed(system, iss=system.url("idms") + "/"),
        signed(system, iss="https://idms.mc2.lab"),
        signed(system, exp="tomorrow"),
        signed(system)[:-8] + "AAAAAAAA",
        "junk",
        "a" * 9000,
    ):
        assert ask_one(token) == (401, "token-invalid"), token[:80]
    assert ask_one(signed(system, scope="openid")) == (403, "scope-missing")
    assert ask_one(signed(system)) == (200, "")
    log = ask_one.process.log.read_text()
    assert "Traceback" not in log and signed(system)[:20] not in log


def test_a_rotated_key_is_learnt_and_one_that_is_gone_refused(system, ask) -> None:
    """An unknown kid has the keys fetched again, though not more often than every 10 s."""
    began = time.monotonic()
    ask_one = ask()

    def rotated() -> str:
        key = ECKey.generate_key("P-256")
        (system.folder / "idms" / "idms-signing.pem").write_bytes(key.as_pem(private=True))
        system.idms.popen.send_signal(signal.SIGHUP)
        return signed(system, key, exp=int(time.time()) + 600)

    first = signed(system, exp=int(time.time()) + 600)
    assert ask_one(first) == (200, "")
    second = rotated()
    assert wait_until(lambda: ask_one(second) == (200, ""))
    assert ask_one(first) == (200, "")  # the issuer shows the key before, too
    third = rotated()
    assert wait_until(lambda: ask_one(third) == (200, ""))
    assert [ask_one(token) for token in (first, second)] == [(401, "token-invalid"), (200, "")]
    for _ in range(20):  # a flood of unknown keys is no flood at the issuer
        assert ask_one(signed(system, ECKey.generate_key("P-256"))) == (401, "token-invalid")
    assert 3 <= len(ask_one.process.events("keys.fetched")) <= max(5, (time.monotonic() - began) / 10 + 2)
