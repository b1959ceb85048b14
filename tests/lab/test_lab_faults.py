"""Faults of links, disks and clocks on real hosts of a lab; each is mended, and nothing outlives the lab."""

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from lab.faults.clock import skewed
from lab.faults.fault import Seen
from lab.faults.sighting import Sighting
from lab.render.files import Files
from lab.render.programs import hosts_text
from lab.run_directory import RunDirectory, new_lab_id
from lab.runtime.marks import disks_of, namespaces_of, processes_of
from lab.runtime.netns import NetnsRuntime, remove_lab
from lab.supervisor.capture import Dumpcap
from lab.supervisor.lab import Lab
from lab.supervisor.timeline import Timeline
from lab.topology import load_topology

pytestmark = pytest.mark.lab

TOPOLOGY = load_topology().restricted_to(("mc1", "mc2"), ("ue1",))
# fmt: off
ECHO = ("import socket,sys; s=socket.socket(socket.AF_INET,socket.SOCK_DGRAM); s.bind((sys.argv[1],5060));"
        "print('up',flush=True)\nwhile True:\n d,a=s.recvfrom(2048); s.sendto(d,a)")
ASK = ("import socket,sys,time; s=socket.socket(socket.AF_INET,socket.SOCK_DGRAM); s.settimeout(float(sys.argv[3]))\n"
       "for n in range(int(sys.argv[2])):\n t=time.monotonic(); s.sendto(b'%d'%n+b' '*2000,(sys.argv[1],5060))\n"
       " try:\n  s.recv(4096); print(time.monotonic()-t)\n except TimeoutError: print('lost')\n")
# fmt: on


class QuietLab:
    """A lab's hosts without programs, and an echo server on one of them."""

    def __init__(self, folder: Path) -> None:
        assert os.geteuid() == 0, "the lab needs root"
        self.files = Files(RunDirectory(folder), new_lab_id())
        self.files.run.make()
        self.files.run.hosts_file.write_text(hosts_text(TOPOLOGY))
        self.runtime = NetnsRuntime(self.files.lab_id, TOPOLOGY, self.files.run.hosts_file)
        self.timeline = Timeline(self.files.run.timeline)
        self.lab = Lab(TOPOLOGY, self.runtime, self.files, self.timeline)
        self._processes: list[asyncio.subprocess.Process] = []

    async def serve(self, host: str, address: str) -> None:
        server = await self.python(host, ECHO, address)
        assert server.stdout is not None
        assert await asyncio.wait_for(server.stdout.readline(), 10) == b"up\n"

    async def ask(self, host: str, address: str, times: int, patience_s: float) -> list[str]:
        """Send datagrams of two fragments, one after the other; return seconds, or ``lost``, of each."""
        process = await self.python(host, ASK, address, str(times), str(patience_s))
        out, _ = await asyncio.wait_for(process.communicate(), 60)
        return out.decode().split()

    async def end(self) -> None:
        await self.lab.faults.leave()
        await self.runtime.remove()
        for process in self._processes:
            await process.communicate()
        self.timeline.close()

    async def python(self, host: str, script: str, *arguments: str) -> asyncio.subprocess.Process:
        process = await asyncio.create_subprocess_exec(
            *self.runtime.command(host, [sys.executable, "-S", "-c", script, *arguments], {}),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            start_new_session=True,
        )
        self._processes.append(process)
        return process


@pytest.fixture
async def quiet(tmp_path: Path) -> AsyncIterator[QuietLab]:
    one = QuietLab(tmp_path / "run")
    await one.runtime.create()
    yield one
    await one.end()
    assert namespaces_of(one.files.lab_id) == []
    assert disks_of(one.files.lab_id) == []


async def test_each_frame_of_a_slow_host_is_late_both_ways_until_it_is_mended(quiet: QuietLab) -> None:
    await quiet.serve("pcscf.mc1", "10.77.1.10")
    quick = await quiet.ask("icscf.mc1", "10.77.1.10", 3, 5)
    await quiet.runtime.slow("pcscf.mc1", 150, 0)
    slow = await quiet.ask("icscf.mc1", "10.77.1.10", 3, 5)
    elsewhere = len(processes_of(quiet.files.lab_id))
    await quiet.runtime.mend("pcscf.mc1")
    mended = await quiet.ask("icscf.mc1", "10.77.1.10", 3, 5)
    assert min(float(one) for one in slow) >= 0.3
    assert max(float(one) for one in slow[1:]) < 1.0
    assert min(float(one) for one in quick + mended) < 0.15
    assert len(processes_of(quiet.files.lab_id)) < elsewhere, "the forwarder has gone"


async def test_a_slow_link_between_systems_delays_what_crosses_it_alone(quiet: QuietLab) -> None:
    await quiet.serve("pcscf.mc2", "10.77.2.10")
    await quiet.runtime.move("ue1", "mc2")
    await quiet.runtime.slow("mc2", 100, 20)
    inside = await quiet.ask("ue1", "10.77.2.10", 3, 5)
    assert min(float(one) for one in inside) < 0.15


async def test_a_lossy_host_loses_some_frames_and_not_all(quiet: QuietLab) -> None:
    await quiet.serve("pcscf.mc1", "10.77.1.10")
    # Each knows the other's address first: ARP's frames are lost as any, and it asks once a second.
    assert "lost" not in await quiet.ask("icscf.mc1", "10.77.1.10", 1, 5)
    await quiet.runtime.lose("pcscf.mc1", 30)
    lossy = await quiet.ask("icscf.mc1", "10.77.1.10", 60, 0.1)
    await quiet.runtime.mend("pcscf.mc1")
    mended = await quiet.ask("icscf.mc1", "10.77.1.10", 20, 5)
    # Two fragments there and two back: 0.7 ** 4 of them come through, 14 of 60.
    assert 1 <= sum(one != "lost" for one in lossy) <= 40
    assert "lost" not in mended


async def test_a_host_that_is_cut_off_is_reached_by_nobody_until_it_is_mended(quiet: QuietLab) -> None:
    await quiet.serve("pcscf.mc1", "10.77.1.10")
    await quiet.runtime.cut("pcscf.mc1")
    assert set(await quiet.ask("icscf.mc1", "10.77.1.10", 2, 0.2)) <= {"lost"}
    await quiet.runtime.mend("pcscf.mc1")
    assert "lost" not in await quiet.ask("icscf.mc1", "10.77.1.10", 1, 10)


def with_a_file(folder: Path) -> Path:
    folder.mkdir()
    (folder / "before").write_bytes(b"before")
    return folder


def names_in(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir())


def fill_and_empty(folder: Path) -> None:
    (folder / "after").write_bytes(b"after")
    with pytest.raises(OSError, match="No space left on device"):
        (folder / "large").write_bytes(bytes(2 << 20))
    (folder / "large").unlink()


async def test_a_small_disk_fills_and_keeps_what_was_on_it(tmp_path: Path) -> None:
    lab_id, folder = new_lab_id(), with_a_file(tmp_path / "state")
    runtime = NetnsRuntime(lab_id, TOPOLOGY, tmp_path / "hosts")
    await runtime.give_small_disk(folder, 1 << 20)
    assert disks_of(lab_id) == [str(folder)]
    fill_and_empty(folder)
    await runtime.give_disk_back(folder)
    assert disks_of(lab_id) == []
    assert names_in(folder) == ["after", "before"]
    assert names_in(tmp_path) == ["state"]


async def test_a_dead_labs_disk_is_found_and_unmounted(tmp_path: Path) -> None:
    lab_id = new_lab_id()
    await NetnsRuntime(lab_id, TOPOLOGY, tmp_path / "hosts").give_small_disk(tmp_path, 1 << 20)
    await remove_lab(lab_id)
    assert disks_of(lab_id) == []


async def test_a_skewed_program_has_another_time_of_day_and_the_same_timers() -> None:
    script = "import time; print(time.time(), time.monotonic())"
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-S", "-c", script), env=skewed(-7200), stdout=asyncio.subprocess.PIPE
    )
    out, _ = await asyncio.wait_for(process.communicate(), 10)
    day, monotonic = (float(word) for word in out.split())
    assert day == pytest.approx(time.time() - 7200, abs=30)
    assert monotonic == pytest.approx(time.monotonic(), abs=30)


async def test_a_message_is_seen_on_its_bridge_once_it_is_sent(quiet: QuietLab) -> None:
    sighting = await Sighting.start(quiet.lab, Seen("REGISTER", receiver="pcscf.mc1"))
    send = (
        "import socket; s=socket.socket(socket.AF_INET,socket.SOCK_DGRAM);"
        "s.sendto(b'REGISTER sip:ims.mc1.lab SIP/2.0\\r\\n',('10.77.1.10',5060))"
    )
    under_way = asyncio.create_task(asyncio.Event().wait())
    await quiet.python("ue1", send)
    await sighting.wait(under_way)
    under_way.cancel()
    await sighting.end()


async def test_a_moment_is_in_the_capture_even_while_a_link_is_cut(quiet: QuietLab, tmp_path: Path) -> None:
    capture = Dumpcap(TOPOLOGY, quiet.runtime, tmp_path / "raw.pcapng", quiet.files.lab_id)
    await capture.start()
    await quiet.runtime.cut("mc1")
    await quiet.lab.faults.mark("mclab moment: the link is cut")
    await capture.stop()
    assert b"mclab moment: the link is cut" in (tmp_path / "raw.pcapng").read_bytes()
