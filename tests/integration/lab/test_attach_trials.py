"""The trials of a pre-flight check on loopback: a HSS that says CEA, a socket that answers OPTIONS, nobody."""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

from lab.attach.preflight import judge_capabilities
from lab.systems.hss.config import HssConfig
from lab.systems.hss.program import HssProgram

PATIENCE_S = 120


async def tried(task: dict[str, Any]) -> dict[str, Any]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", "lab.attach.trials"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    out, _ = await asyncio.wait_for(process.communicate(json.dumps(task).encode()), PATIENCE_S)
    return dict(json.loads(out))


def config(folder: Path) -> HssConfig:
    return HssConfig.model_validate(
        {
            "node": {"origin_host": "hss.a", "origin_realm": "a", "port": 0, "peers": ["dia1.a"]},
            "hss": {"state": folder / "hss.sqlite", "scscf": ["sip:scscf.a:6060"]},
        }
    )


async def test_a_cer_in_our_proxys_name_is_answered_and_a_strangers_is_not(tmp_path: Path) -> None:
    hss = HssProgram(config(tmp_path))
    await hss.start()
    try:
        address, _, port = hss.listen[0].partition(":")
        task = {"trial": "capabilities", "address": address, "port": int(port), "origin_realm": "a"}
        known = await tried({**task, "origin_host": "dia1.a"})
        stranger = await tried({**task, "origin_host": "dia9.a"})
    finally:
        await hss.stop()
    assert judge_capabilities("hss.a", known).ok, known
    assert judge_capabilities("hss.other", known).mend == 'core.hss.host = "hss.a"'
    assert not judge_capabilities("hss.a", stranger).ok
    assert stranger.get("result") == 3010 or "closed" in stranger["reason"]


async def test_nobody_at_the_address_is_a_reason() -> None:
    task = {"trial": "capabilities", "address": "127.0.0.1", "port": 1, "origin_realm": "a", "origin_host": "dia1.a"}
    assert "refused" in (await tried(task))["reason"]
    sip = {"trial": "options", "address": "127.0.0.1", "port": 1, "domain": "a"}
    assert (await tried(sip))["reason"]


async def test_any_sip_response_shows_that_the_p_cscf_is_there() -> None:
    class Server(asyncio.DatagramProtocol):
        def connection_made(self, transport: Any) -> None:
            self.transport = transport

        def datagram_received(self, data: bytes, addr: Any) -> None:
            assert data.startswith(b"OPTIONS sip:a SIP/2.0\r\n")
            self.transport.sendto(b"SIP/2.0 403 Forbidden\r\n\r\n", addr)

    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(Server, local_addr=("127.0.0.1", 0))
    try:
        port = transport.get_extra_info("sockname")[1]
        assert (await tried({"trial": "options", "address": "127.0.0.1", "port": port, "domain": "a"}))["reason"] == ""
    finally:
        transport.close()
