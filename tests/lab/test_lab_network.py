"""Hosts as namespaces: names, addresses, the move of a UE, and what the router lets pass; two labs at once."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from lab.render.programs import hosts_text
from lab.run_directory import new_lab_id
from lab.runtime.marks import lab_ids, namespaces_of, processes_of
from lab.runtime.netns import NetnsRuntime, remove_lab
from lab.runtime.runtime import RuntimeFailure
from lab.supervisor.capture import Dumpcap
from lab.topology import load_topology

pytestmark = pytest.mark.lab

TOPOLOGY = load_topology().restricted_to(("mc1", "mc2"), ("ue1",))
ETC_HOSTS = Path("/etc/hosts")
SERVE = "import socket,sys; s=socket.create_server((sys.argv[1],int(sys.argv[2]))); print('up',flush=True); s.accept()"
FIELDS = ("ip.src", "ip.dst", "tcp.srcport", "tcp.dstport", "ip.id", "tcp.flags")
RETRIES_MAX = 10
SYN, SYN_ACK = "0x0002", "0x0012"
REACH = "import socket,sys; socket.create_connection((sys.argv[1],int(sys.argv[2])),1).close()"


class OneLab:
    """A lab's namespaces without programs."""

    def __init__(self, folder: Path) -> None:
        assert os.geteuid() == 0, "the lab needs root"
        folder.mkdir(exist_ok=True)
        (folder / "hosts").write_text(hosts_text(TOPOLOGY))
        self.lab_id = new_lab_id()
        self.runtime = NetnsRuntime(self.lab_id, TOPOLOGY, folder / "hosts")

    async def start(self, host: str, *argv: str) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            *self.runtime.command(host, argv, {}),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            start_new_session=True,
        )

    async def run(self, host: str, *argv: str) -> tuple[int, str]:
        process = await self.start(host, *argv)
        out, _ = await asyncio.wait_for(process.communicate(), 60)
        return process.returncode or 0, out.decode()

    async def reaches(self, source: str, target: str, address: str, port: int) -> bool:
        server = await self.start(target, sys.executable, "-S", "-c", SERVE, address, str(port))
        assert server.stdout is not None
        assert await asyncio.wait_for(server.stdout.readline(), 60) == b"up\n"
        status, _ = await self.run(source, sys.executable, "-S", "-c", REACH, address, str(port))
        if server.returncode is None and status:
            server.kill()
        await server.wait()
        return status == 0

    async def reaches_again(self, source: str, target: str, address: str, port: int) -> None:
        """Reach it within a few tries: a neighbour that did not answer is asked again once a second only."""
        for _ in range(RETRIES_MAX):
            if await self.reaches(source, target, address, port):
                return
        raise AssertionError(f"{source} does not reach {address} again")


async def _frames(capture: Path) -> list[tuple[str, ...]]:
    """Return source, target, ports, IP identification and flags of each TCP frame."""
    fields = [word for name in FIELDS for word in ("-e", name)]
    tshark = await asyncio.create_subprocess_exec(
        *("tshark", "-r", str(capture), "-Y", "tcp", "-T", "fields", *fields),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    out, _ = await asyncio.wait_for(tshark.communicate(), 30)
    return [tuple(line.split("\t")) for line in out.decode().splitlines()]


@pytest.fixture
async def lab(tmp_path: Path) -> AsyncIterator[OneLab]:
    one = OneLab(tmp_path / "one")
    await one.runtime.create()
    yield one
    await one.runtime.remove()
    assert namespaces_of(one.lab_id) == []


async def test_a_host_has_its_name_and_the_labs_names(lab: OneLab) -> None:
    status, out = await lab.run("pcscf.mc1", "sh", "-c", "hostname; getent hosts hss.mc2.lab; ls -A /etc/netns")
    assert "pcscf.mc1.lab\n10.77.2.13" in out
    assert "hss.mc2.lab" not in ETC_HOSTS.read_text()  # noqa: ASYNC240 - nothing else runs in this loop
    assert status != 0, "nothing is written in the machine's /etc"


async def test_the_router_lets_proxies_pass_and_nobody_else(lab: OneLab) -> None:
    assert await lab.reaches("proxy1.mc1", "proxy2.mc2", "10.77.2.15", 5868)
    assert await lab.reaches("cms.mc1", "cms.mc2", "10.77.2.17", 443)
    assert not await lab.reaches("proxy1.mc1", "proxy1.mc2", "10.77.2.14", 3868)
    assert not await lab.reaches("scscf.mc1", "hss.mc2", "10.77.2.13", 3868)
    assert not await lab.reaches("mms.mc1", "mms.mc2", "10.77.2.16", 443)


async def test_a_ue_that_moves_reaches_the_partner_and_its_own_servers_only(lab: OneLab) -> None:
    assert await lab.reaches("ue1", "pcscf.mc1", "10.77.1.10", 5060)
    await lab.runtime.move("ue1", "mc2")
    assert await lab.reaches("ue1", "pcscf.mc2", "10.77.2.10", 5060)
    assert await lab.reaches("ue1", "idms.mc1", "10.77.1.18", 443)
    assert await lab.reaches("ue1", "cms.mc1", "10.77.1.17", 443)
    assert not await lab.reaches("ue1", "pcscf.mc1", "10.77.1.10", 5060)
    assert not await lab.reaches("ue1", "hss.mc1", "10.77.1.13", 3868)


async def test_a_ue_with_two_interfaces_is_in_both_networks(lab: OneLab) -> None:
    await lab.runtime.attach("ue1", "mc2")
    assert await lab.reaches("ue1", "pcscf.mc1", "10.77.1.10", 5060)
    assert await lab.reaches("ue1", "pcscf.mc2", "10.77.2.10", 5060)


async def test_a_link_is_cut_and_mended(lab: OneLab) -> None:
    await lab.runtime.cut("mc2")
    assert not await lab.reaches("proxy1.mc1", "proxy1.mc2", "10.77.2.14", 5868)
    await lab.runtime.mend("mc2")
    assert await lab.reaches("proxy1.mc1", "proxy1.mc2", "10.77.2.14", 5868)


async def test_each_frame_is_captured_once_whether_a_link_is_cut_or_not(lab: OneLab, tmp_path: Path) -> None:
    capture = Dumpcap(TOPOLOGY, lab.runtime, tmp_path / "raw.pcapng", lab.lab_id)
    await capture.start()
    there, back = ("proxy1.mc1", "proxy1.mc2", "10.77.2.14", 5868), ("proxy1.mc2", "proxy1.mc1", "10.77.1.14", 5868)
    try:
        for way in (there, back):
            assert await lab.reaches(*way)
        await lab.runtime.cut("mc2")
        for way in (there, back):
            assert not await lab.reaches(*way)
        await lab.runtime.mend("mc2")
        for way in (there, back):
            await lab.reaches_again(*way)
    finally:
        await capture.stop()
    frames = await _frames(tmp_path / "raw.pcapng")
    assert len(frames) == len({frame[:6] for frame in frames}), "no frame is there twice"
    for source, target in (("10.77.1.14", "10.77.2.14"), ("10.77.2.14", "10.77.1.14")):
        begun = {port for src, dst, port, _, _, flags in frames if (src, dst, flags) == (source, target, SYN)}
        answered = {port for src, dst, _, port, _, flags in frames if (src, dst, flags) == (target, source, SYN_ACK)}
        assert len(answered) == 2
        assert begun > answered, "an attempt over the cut link is there, and nothing answered it"


async def test_two_labs_have_the_same_addresses_at_once(lab: OneLab, tmp_path: Path) -> None:
    other = OneLab(tmp_path / "other")
    await other.runtime.create()
    try:
        assert {lab.lab_id, other.lab_id} <= set(lab_ids())
        for one in (lab, other):
            assert await one.reaches("ue1", "pcscf.mc1", "10.77.1.10", 5060)
    finally:
        await other.runtime.remove()


async def test_a_name_that_is_taken_is_told(lab: OneLab) -> None:
    with pytest.raises(RuntimeFailure, match=f"namespace mclab-{lab.lab_id}-switch is in use"):
        await lab.runtime.create()


async def test_what_still_runs_is_found_and_ended(lab: OneLab) -> None:
    process = await lab.start("hss.mc1", "sleep", "60")
    for _ in range(3000):
        if process.pid in processes_of(lab.lab_id):
            break
        await asyncio.sleep(0.02)
    assert process.pid in processes_of(lab.lab_id)
    await remove_lab(lab.lab_id)
    assert await asyncio.wait_for(process.wait(), 60) != 0
    assert namespaces_of(lab.lab_id) == []
