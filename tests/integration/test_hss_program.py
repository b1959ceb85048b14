"""The HSS simulator as a process, asked over loopback by a real Diameter node that stands for a proxy."""

import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from diameter_proxy.diameter import dictionary as d
from diameter_proxy.diameter.commands import CX, LIR, MAR, SAR, UAR, CommandType
from diameter_proxy.diameter.dictionary import TGPP
from diameter_proxy.diameter.message import Message, encode_answer, encode_request
from diameter_proxy.diameter.values import (
    AuthSessionState,
    DisconnectCause,
    ServerAssignmentType,
    UserDataAlreadyAvailable,
)
from diameter_proxy.node.config import NodeConfig, PeerConfig
from diameter_proxy.node.events import PeerEvent, PeerEventKind
from diameter_proxy.node.node import Node
from tests import unwritable
from ue_agent.aka.aka import verify_autn
from ue_agent.aka.milenage import Milenage

HSS, PROXY, REALM = "hss.mc1.lab", "proxy1.mc1.lab", "ims.mc1.lab"
SCSCF = "sip:scscf.mc1.lab:6060"
K, OPC = bytes.fromhex("465b5ce8b199b49faa5f0a2ee238a6bc"), bytes.fromhex("cd63cb71954a9f4e48a5994e37a02baf")
HOME = ("001010000000001@ims.mc1.lab", "sip:alice@ims.mc1.lab")
LENT = ("mig-1@ims.mc1.lab", "sip:mig-1@ims.mc1.lab")
DEADLINE_S = 60.0

CONFIG = f"""
[node]
origin_host = "{HSS}"
origin_realm = "{REALM}"
port = 0
peers = ["{PROXY}"]
[hss]
state = "hss.sqlite"
control = "control"
scscf = ["{SCSCF}"]
rtr_deadline_s = 10
[[users]]
name = "alice"
k = "{K.hex()}"
opc = "{OPC.hex()}"
[[users.impis]]
private_user_identity = "{HOME[0]}"
public_user_identities = ["{HOME[1]}"]
[[users.impis]]
private_user_identity = "{LENT[0]}"
public_user_identities = ["{LENT[1]}"]
"""

_numbers = count(1)


class Hss:
    """The process."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.config = CONFIG
        self.stderr: int | None = None
        self.process: asyncio.subprocess.Process
        self.port = 0

    async def start(self) -> None:
        config, log = self.directory / "hss.toml", self.directory / "hss.log"
        config.write_text(self.config)
        with log.open("ab") as stderr:
            self.process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "lab.systems.hss", "run", "--config", str(config),
                stdout=asyncio.subprocess.PIPE, stderr=stderr if self.stderr is None else self.stderr,
            )  # fmt: skip
        assert self.process.stdout is not None
        line = await asyncio.wait_for(self.process.stdout.readline(), DEADLINE_S)
        assert line, log.read_text()[-2000:]
        ready = json.loads(line)
        assert ready["event"] == "ready"
        self.port = int(ready["listen"][0].rpartition(":")[2])

    async def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal and return the exit code."""
        if self.process.returncode is None:
            self.process.send_signal(number)
        return await asyncio.wait_for(self.process.wait(), DEADLINE_S)

    async def control(self, **command: object) -> dict[str, Any]:
        reader, writer = await asyncio.open_unix_connection(self.directory / "control")
        writer.write(json.dumps(command).encode() + b"\n")
        line = await asyncio.wait_for(reader.readline(), DEADLINE_S)
        writer.close()
        await writer.wait_closed()
        reply: dict[str, Any] = json.loads(line)
        return reply


class Proxy:
    """A real node, connected to the HSS."""

    def __init__(self, hss: Hss, on_request: Callable[["Proxy", bytes], None] | None = None) -> None:
        self._opened, self.closed = asyncio.Event(), asyncio.Event()
        self._on_request = on_request
        peer = PeerConfig(HSS, REALM, connect=True, address="127.0.0.1", port=hss.port)
        self.node = Node(NodeConfig(PROXY, REALM, peers=(peer,)), self._request, self._event)

    async def open(self) -> None:
        await self.node.start()
        await asyncio.wait_for(self._opened.wait(), DEADLINE_S)

    async def ask(self, command: CommandType, *avps: bytes) -> Message:
        number = next(_numbers)
        common = [
            d.SESSION_ID.encode(f"scscf.mc1.lab;{number}"),
            d.VENDOR_SPECIFIC_APPLICATION_ID.encode(d.VENDOR_ID.encode(TGPP) + d.AUTH_APPLICATION_ID.encode(CX)),
            d.AUTH_SESSION_STATE.encode(AuthSessionState.NO_STATE_MAINTAINED),
            d.ORIGIN_HOST.encode("scscf.mc1.lab"),
            d.ORIGIN_REALM.encode(REALM),
            d.DESTINATION_REALM.encode(REALM),
        ]
        octets = encode_request(command, end_to_end=number, avps=[*common, *avps])
        return Message.decode(await self.node.request(HSS, octets, DEADLINE_S))

    async def mar(self, pair: tuple[str, str] = HOME) -> Message:
        return await self.ask(
            MAR,
            d.USER_NAME.encode(pair[0]),
            d.PUBLIC_IDENTITY.encode(pair[1]),
            d.SIP_NUMBER_AUTH_ITEMS.encode(1),
            d.SIP_AUTH_DATA_ITEM.encode(d.SIP_AUTHENTICATION_SCHEME.encode("Digest-AKAv1-MD5")),
            d.SERVER_NAME.encode(SCSCF),
        )

    async def sqn(self, pair: tuple[str, str] = HOME) -> int:
        """Return the SQN of a fresh vector."""
        item = (await self.mar(pair)).group(d.SIP_AUTH_DATA_ITEM)
        assert item is not None
        octets = item.require(d.SIP_AUTHENTICATE)
        return verify_autn(Milenage(K, OPC), octets[:16], octets[16:]).sqn

    async def uar(self) -> Message:
        return await self.ask(
            UAR,
            d.USER_NAME.encode(HOME[0]),
            d.PUBLIC_IDENTITY.encode(HOME[1]),
            d.VISITED_NETWORK_IDENTIFIER.encode(b"ims.mc1.lab"),
        )

    async def sar(self, kind: ServerAssignmentType) -> Message:
        return await self.ask(
            SAR,
            d.PUBLIC_IDENTITY.encode(HOME[1]),
            d.SERVER_NAME.encode(SCSCF),
            d.USER_NAME.encode(HOME[0]),
            d.SERVER_ASSIGNMENT_TYPE.encode(kind),
            d.USER_DATA_ALREADY_AVAILABLE.encode(UserDataAlreadyAvailable.USER_DATA_NOT_AVAILABLE),
        )

    async def lir(self) -> Message:
        return await self.ask(LIR, d.PUBLIC_IDENTITY.encode(HOME[1]))

    def _request(self, peer: str, octets: bytes) -> None:
        if self._on_request is not None:
            self._on_request(self, octets)

    def _event(self, event: PeerEvent) -> None:
        if event.kind is PeerEventKind.OPEN:
            self._opened.set()
        if event.kind is PeerEventKind.CLOSED:
            self.closed.set()


@asynccontextmanager
async def running(hss: Hss) -> AsyncIterator[Hss]:
    await hss.start()
    try:
        yield hss
    finally:
        await hss.end(signal.SIGKILL)


@asynccontextmanager
async def connected(hss: Hss, on_request: Callable[[Proxy, bytes], None] | None = None) -> AsyncIterator[Proxy]:
    proxy = Proxy(hss, on_request)
    await proxy.open()
    try:
        yield proxy
    finally:
        await proxy.node.stop(DisconnectCause.REBOOTING, 1.0)


def confirm(proxy: Proxy, octets: bytes) -> None:
    """Answer an RTR as an S-CSCF does."""
    answer = encode_answer(octets, origin_host="scscf.mc1.lab", origin_realm=REALM, result_code=2001)
    proxy.node.send(HSS, answer)


@pytest.fixture
def hss(tmp_path: Path) -> Hss:
    return Hss(tmp_path)


async def test_a_registration_from_uar_to_lir(hss: Hss) -> None:
    async with running(hss), connected(hss) as proxy:
        assert (await proxy.uar()).result() == (TGPP, 2001)
        assert (await proxy.mar()).result() == (0, 2001)
        answer = await proxy.sar(ServerAssignmentType.REGISTRATION)
        assert HOME[1].encode() in answer.require(d.USER_DATA)
        assert (await proxy.uar()).result() == (TGPP, 2002)
        assert (await proxy.lir()).get(d.SERVER_NAME) == SCSCF
        assert (await proxy.sar(ServerAssignmentType.USER_DEREGISTRATION)).result() == (0, 2001)
        assert (await proxy.lir()).result() == (TGPP, 5003)
        counts = (await hss.control(command="status"))["counts"]
        assert (counts["UAR 2002"], counts["LIR 5003"], counts["vectors"]) == (1, 1, 1)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
async def test_no_restart_repeats_a_sequence_number_or_forgets_a_registration(hss: Hss, number: signal.Signals) -> None:
    async with running(hss), connected(hss) as proxy:
        await proxy.sar(ServerAssignmentType.REGISTRATION)
        before = [await proxy.sqn() for _ in range(3)]
        await hss.end(number)
    async with running(hss), connected(hss) as proxy:
        assert await proxy.sqn() > max(before)
        assert (await proxy.lir()).get(d.SERVER_NAME) == SCSCF


async def test_two_private_identities_at_once_never_share_a_sequence_number(hss: Hss) -> None:
    async with running(hss), connected(hss) as proxy:
        numbers = await asyncio.gather(*(proxy.sqn(pair) for _ in range(20) for pair in (HOME, LENT)))
    assert len({sqn >> 5 for sqn in numbers}) == 40
    assert {sqn & 31 for sqn in numbers} == {0, 1}


async def test_sigterm_disconnects_and_exits_0(hss: Hss) -> None:
    """RFC 6733 §5.4."""
    async with running(hss), connected(hss) as proxy:
        assert await hss.end() == 0
        await asyncio.wait_for(proxy.closed.wait(), DEADLINE_S)


@unwritable.EACH
async def test_a_log_that_cannot_be_written_costs_no_answer(hss: Hss, opener: unwritable.Opener) -> None:
    with unwritable.opened(opener) as hss.stderr:
        async with running(hss), connected(hss) as proxy:
            assert (await hss.control(command="mode", mode="imsi-only"))["ok"]  # which is logged
            assert (await proxy.mar(("nobody@ims.mc1.lab", "sip:nobody@ims.mc1.lab"))).result() == (TGPP, 5001)  # too
            assert (await proxy.lir()).result() == (TGPP, 5003)  # too
            assert await hss.end() == 0


async def test_rtr_on_command_names_the_whole_set_and_clears_it(hss: Hss) -> None:
    """TS 29.228 §6.1.3; it goes to the Origin-Host of the SAR through the peer that the SAR came from."""
    seen: list[Message] = []

    def answer_and_note(proxy: Proxy, octets: bytes) -> None:
        seen.append(Message.decode(octets))
        confirm(proxy, octets)

    async with running(hss), connected(hss, answer_and_note) as proxy:
        await proxy.sar(ServerAssignmentType.REGISTRATION)
        reply = await hss.control(command="rtr", private_user_identity=HOME[0])
        assert reply == {"ok": True, "peer": PROXY, "result_code": 2001}
        assert seen[0].get(d.DESTINATION_HOST) == "scscf.mc1.lab"
        assert seen[0].all(d.PUBLIC_IDENTITY) == [HOME[1]]
        assert (await proxy.lir()).result() == (TGPP, 5003)


async def test_an_rtr_without_answer_leaves_the_registration(hss: Hss) -> None:
    hss.config = CONFIG.replace("rtr_deadline_s = 10", "rtr_deadline_s = 0.3")
    async with running(hss), connected(hss) as proxy:
        await proxy.sar(ServerAssignmentType.REGISTRATION)
        reply = await hss.control(command="rtr", private_user_identity=HOME[0], public_user_identities=[HOME[1]])
        assert (reply["ok"], reply["error"].partition(":")[0]) == (False, "RequestTimeout")
        assert (await proxy.lir()).get(d.SERVER_NAME) == SCSCF


async def test_rtr_of_an_unknown_identity_and_without_peer_is_refused(hss: Hss) -> None:
    async with running(hss):
        reply = await hss.control(command="rtr", private_user_identity="nobody@lab")
        assert reply == {"ok": False, "error": "no such private user identity"}
        reply = await hss.control(command="rtr", private_user_identity=HOME[0])
        assert reply == {"ok": False, "error": "no peer is open"}


async def test_the_mode_changes_on_command(hss: Hss) -> None:
    async with running(hss), connected(hss) as proxy:
        assert (await proxy.mar(LENT)).result() == (0, 2001)
        for mode, expected in (("imsi-only", (TGPP, 5001)), ("after-uar", (TGPP, 5002)), ("plain", (0, 2001))):
            assert (await hss.control(command="mode", mode=mode))["mode"] == mode
            assert (await proxy.mar(LENT)).result() == expected


async def test_the_sequence_number_is_set_on_command(hss: Hss) -> None:
    async with running(hss), connected(hss) as proxy:
        await hss.control(command="sequence-number", user="alice", sqn_he=1000 << 5)
        assert await proxy.sqn() >> 5 == 1001
        reply = await hss.control(command="sequence-number", user="nobody", sqn_he=0)
        assert reply == {"ok": False, "error": "no such user"}


async def test_no_secret_is_logged(hss: Hss) -> None:
    async with running(hss), connected(hss) as proxy:
        item = (await proxy.mar()).group(d.SIP_AUTH_DATA_ITEM)
        assert item is not None
        secrets = [item.require(avp) for avp in (d.SIP_AUTHORIZATION, d.CONFIDENTIALITY_KEY, d.INTEGRITY_KEY)]
        await hss.end()
    log = (hss.directory / "hss.log").read_text()
    assert '"peer.connected"' in log
    assert not any(secret.hex() in log for secret in (*secrets, K, OPC))


async def test_a_taken_address_is_one_line_and_exit_1(hss: Hss) -> None:
    async with running(hss):
        config = hss.directory / "taken.toml"
        text = CONFIG.replace("port = 0", f"port = {hss.port}").replace('"hss.sqlite"', '"other.sqlite"')
        config.write_text(text.replace('control = "control"\n', ""))
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "lab.systems.hss", "run", "--config", str(config),
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        stdout, stderr = await asyncio.wait_for(process.communicate(), DEADLINE_S)
    assert (process.returncode, stdout) == (1, b"")
    assert stderr.decode().startswith(f"error: 127.0.0.1:{hss.port}: Address already in use, by process ")
    assert stderr.count(b"\n") == 1


async def test_a_silent_hss_answers_nothing_and_a_slow_one_late(hss: Hss) -> None:
    """A lab's fault: the connection stays open, the watchdog is answered, requests are not."""
    async with running(hss), connected(hss) as proxy:
        await hss.control(command="answers", silent=True)
        silent = asyncio.create_task(proxy.mar())
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                await asyncio.shield(silent)
        await hss.control(command="answers", after_s=0.2)
        loop = asyncio.get_running_loop()
        began = loop.time()
        assert (await proxy.mar()).result() == (0, 2001)
        assert loop.time() - began >= 0.2
        assert not silent.done()
        silent.cancel()
        await hss.control(command="answers")
        assert (await proxy.mar()).result() == (0, 2001)
