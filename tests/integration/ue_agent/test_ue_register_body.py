"""REGISTER that carries a body, on the real pjsua2 (TS 24.379 §7.2.1)."""

import subprocess
import sys

import pytest

from ue_agent.aka.isim import Isim
from ue_agent.challenge import ChallengeResponder
from ue_agent.mcptt_info import MCPTT_INFO, mcptt_info
from ue_agent.stack_process import StackProcess
from ue_agent.stack_settings import StackSettings

from .conftest import DOMAIN, OPC, K, Registrar

IMPI, IMPU = "001010000000001@ims.mc1.lab", "sip:alice@ims.mc1.lab"


@pytest.fixture
async def stack(registrar: Registrar):
    p_cscf = f"sip:127.0.0.1:{registrar.port}"
    card = Isim(IMPI, [IMPU], DOMAIN, [p_cscf], K, OPC)
    settings = StackSettings(IMPI, IMPU, DOMAIN, p_cscf, "127.0.0.1", 0, "udp", 600, "urn:uuid:1", "")
    made = StackProcess(settings, ChallengeResponder(card, lambda _: None), lambda _: None)
    await made.start()
    yield made
    await made.stop()


async def test_the_body_is_in_each_register_and_not_in_the_deregistration(stack, registrar) -> None:
    """The first, the one that answers the challenge, and a refresh; over 1300 octets of token stay whole over UDP."""
    text = mcptt_info("e" * 1500, "urn:uuid:1").decode()
    assert (await stack.register(20.0, (MCPTT_INFO, text))).status == 200
    await stack.register(20.0)
    assert [(one.body, one.get("Content-Type")) for one in registrar.registers()] == [(text, MCPTT_INFO)] * 4
    await stack.deregister(20.0)
    assert [one.body for one in registrar.registers()[4:]] == ["", ""]
    assert registrar.failures == []


async def test_without_one_register_carries_nothing(stack, registrar) -> None:
    await stack.register(20.0)
    assert [one.body for one in registrar.registers()] == ["", ""]


SCRIPT = """
import ue_agent.register_body as r
from ue_agent.errors import HookError
{change}
try:
    r.RegisterBody().install()
except HookError as exc:
    print("refused:", exc)
"""


@pytest.mark.parametrize(
    "change",
    ["r.HOOKED = 'pjsip_no_such_function'", "r.platform.machine = lambda: 'aarch64'"],
    ids=["symbol", "machine"],
)
def test_an_unknown_build_is_refused_before_any_write(change) -> None:
    script = SCRIPT.format(change=change)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert done.stdout.startswith("refused:") and done.returncode == 0
