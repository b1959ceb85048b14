"""Hosts as network namespaces of this machine (root, Linux).

``ip -batch`` makes them (22 namespaces in 0.2 s; a netlink library takes as long to be imported).  A program
gets its host's namespace, a mount namespace in which the lab's names lie over /etc/hosts, and a host name;
nothing is written in the machine's /etc.
"""

import asyncio
import contextlib
import os
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from lab.runtime import plan
from lab.runtime.disk import give_disk_back, give_small_disk, remove_disks
from lab.runtime.marks import NETNS_FOLDER, namespaces_of, processes_of
from lab.runtime.own_tmp import litters, own_tmp
from lab.runtime.runtime import RuntimeFailure, run_to_end
from lab.runtime.slow_cable import SlowCable
from lab.topology import LAB_DOMAIN, Topology

END_S: Final = 3.0
LOOK_EVERY_S: Final = 0.05
# $0 hosts file, $1 resolver file, $2 host name, then the program.  Its process id stays that of nsenter.
_ENTER: Final = (
    'mount --bind "$0" /etc/hosts && { [ ! -e /etc/resolv.conf ] || mount --bind "$1" /etc/resolv.conf; } && '
    'echo "$2" > /proc/sys/kernel/hostname && shift 2'
)
_RUN: Final = 'exec "$@"'
KAMAILIO_LOGIC: Final = Path(__file__).resolve().parents[2] / "kamailio-config"


class NetnsRuntime:
    """The namespaces of one lab."""

    name = "netns"
    tools: tuple[str, ...] = ("ip", "nft", "nsenter", "unshare", "dumpcap", "reordercap")
    brings_programs = False

    def __init__(self, lab_id: str, topology: Topology, hosts_file: Path) -> None:
        self._lab_id = lab_id
        self._topology = topology
        self._hosts_file = hosts_file
        self._resolver_file = hosts_file.with_name("resolv.conf")
        self._systems: dict[str, str] = {}  # where a UE is that has moved
        self._slow: dict[str, SlowCable] = {}
        self._last_slow = 0

    async def create(self) -> None:
        """Make every namespace, bridge, cable, address and the router's rules.

        Raises:
            RuntimeFailure: a namespace of that name is there already, or the machine refuses.
        """
        names = plan.namespaces(self._topology, self._lab_id)
        for name in names:
            if (NETNS_FOLDER / name).exists():
                raise RuntimeFailure(f"namespace {name} is in use; mclab down {self._lab_id} removes it")
        self._resolver_file.write_text("# no resolver: the lab's names are all in the hosts file\n")
        await ip("".join(f"netns add {name}\n" for name in names))
        await ip(plan.switch_batch(self._topology, self._lab_id), self._name(plan.SWITCH))
        await self._join_outside()
        await asyncio.gather(self._open_router(), *(self._open_host(host.key) for host in self._topology.hosts()))

    async def _join_outside(self) -> None:
        for name, system in self._topology.systems.items():
            if system.uplink is not None:
                there, here = plan.uplink_batches(self._topology, self._lab_id, name)
                await ip(there, system.uplink.namespace)
                await ip(here, self._name(plan.SWITCH))

    async def _open_host(self, key: str) -> None:
        host = next(host for host in self._topology.hosts() if host.key == key)
        await ip(plan.host_batch(self._topology, str(host.address), host.system), self._name(key))

    async def _open_router(self) -> None:
        router = self._name(plan.ROUTER)
        await ip(plan.router_batch(self._topology), router)
        # Not sysctl: a bare Debian has no procps.
        await run_to_end(["ip", "netns", "exec", router, "sh", "-c", "echo 1 >/proc/sys/net/ipv4/ip_forward"])
        await run_to_end(["ip", "netns", "exec", router, "nft", "-f", "-"], plan.router_rules(self._topology))

    async def remove(self) -> None:
        """End what runs inside and remove the namespaces; those that are not there are no error."""
        for cable in self._slow.values():
            await cable.end()
        self._slow.clear()
        await remove_lab(self._lab_id)

    def command(self, host: str, argv: Sequence[str], environment: Mapping[str, str]) -> list[str]:
        """Return the command that runs ``argv`` on a host; its process id is the program's."""
        settings = [f"{key}={value}" for key, value in environment.items()]
        return [
            *("nsenter", f"--net={NETNS_FOLDER / self._name(host)}"),
            *("unshare", "--mount", "--uts", "sh", "-c", self._entry(argv)),
            *(str(self._hosts_file), str(self._resolver_file), f"{host}.{LAB_DOMAIN}"),
            *(["env", *settings] if settings else []),
            *argv,
        ]

    def _entry(self, argv: Sequence[str]) -> str:
        if not litters(argv):
            return f"{_ENTER} && {_RUN}"
        run = self._hosts_file.parent.parent  # with the configuration, the logs and the control socket
        return f"{_ENTER} && {own_tmp([run.resolve(), KAMAILIO_LOGIC])} && {_RUN}"

    def signal(self, host: str, pid: int, number: signal.Signals) -> None:
        """Send a signal to the group of a program, which has its own."""
        with contextlib.suppress(ProcessLookupError):  # it has ended, and nobody has taken note yet
            os.killpg(pid, number)

    async def move(self, ue: str, system: str) -> None:
        """Take the UE's interface from one bridge to another and give it an address there.

        Raises:
            RuntimeFailure: the machine refuses.
        """
        switch, host = plan.move_batches(self._topology, ue, system)
        await ip(switch, self._name(plan.SWITCH))
        await ip(host, self._name(ue))
        self._systems[ue] = system

    async def attach(self, ue: str, system: str) -> None:
        """Give the UE a second interface in another system's network.

        Raises:
            RuntimeFailure: it has one already, or the machine refuses.
        """
        switch, host = plan.attach_batches(self._topology, self._lab_id, ue, system)
        await ip(switch, self._name(plan.SWITCH))
        await ip(host, self._name(ue))

    async def cut(self, place: str) -> None:
        """Set the cable of a host, or between a system's bridge and the router, down."""
        await ip(f"link set {plan.port(self._topology, place)} down\n", self._name(plan.SWITCH))

    async def lose(self, place: str, percent: int) -> None:
        """Have the switch drop frames that come from that cable or go into it."""
        rules = plan.loss_rules(plan.port(self._topology, place), percent)
        await self._switch("nft", "-f", "-", text=rules)

    async def slow(self, place: str, delay_ms: int, jitter_ms: int) -> None:
        """Put a slow piece of cable between that port and its bridge."""
        bridge = plan.bridge(self._systems.get(place) or plan.system_of(self._topology, place))
        cable = SlowCable(plan.port(self._topology, place), bridge, self._last_slow)
        self._last_slow += 1
        self._slow[place] = cable
        await cable.insert(self.command, self._lab_id, self._at_switch, delay_ms, jitter_ms)

    async def mend(self, place: str) -> None:
        """Set the cable up again, and take away what loses or delays frames."""
        port = plan.port(self._topology, place)
        await self._switch("nft", "-f", "-", text=plan.no_loss_rules(port))
        cable = self._slow.pop(place, None)
        if cable is not None:
            await cable.remove(self._at_switch)
        await ip(f"link set {port} up\n", self._name(plan.SWITCH))

    async def give_small_disk(self, folder: Path, octets: int) -> None:
        """Mount a tmpfs there, with what was in the folder."""
        await give_small_disk(self._lab_id, folder, octets)

    async def give_disk_back(self, folder: Path) -> None:
        """Unmount it, and put what was on it into the folder."""
        await give_disk_back(folder)

    async def _at_switch(self, batch: str) -> None:
        await ip(batch, self._name(plan.SWITCH))

    async def _switch(self, *argv: str, text: str) -> None:
        await run_to_end(["ip", "netns", "exec", self._name(plan.SWITCH), *argv], text)

    async def processes(self) -> list[int]:
        """Return the process ids of everything that runs inside."""
        return processes_of(self._lab_id)

    def _name(self, host: str) -> str:
        return plan.namespace(self._lab_id, host)


async def remove_lab(lab_id: str) -> None:
    """End everything in a lab's namespaces and remove them.

    Raises:
        RuntimeFailure: the machine refuses to remove one.
    """
    await _end(lab_id, signal.SIGTERM, END_S)
    await _end(lab_id, signal.SIGKILL, END_S)
    await remove_disks(lab_id)
    names = namespaces_of(lab_id)
    if names:
        await ip("".join(f"netns del {name}\n" for name in names))


async def ip(batch: str, in_namespace: str | None = None) -> None:
    """Carry out lines of ``ip``.

    Raises:
        RuntimeFailure: one of them is refused.
    """
    where = ["-n", in_namespace] if in_namespace else []
    await run_to_end(["ip", *where, "-batch", "-"], batch)


async def _end(lab_id: str, number: signal.Signals, patience_s: float) -> None:
    for pid in processes_of(lab_id):
        _signal(pid, number)
    for _ in range(int(patience_s / LOOK_EVERY_S)):
        if not processes_of(lab_id):
            return
        await asyncio.sleep(LOOK_EVERY_S)


def _signal(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, signal.SIGCONT)
        os.kill(pid, number)
    except ProcessLookupError:
        return  # it has ended between the look and the signal
