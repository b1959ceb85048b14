"""Hosts as containers: each program is the first process of a container of its own, from one of the lab's two images.

The network is that of ``netns``: the containers are put into namespaces that the lab has made and cabled, so that UEs
move, links are cut, frames are captured and faults are made in the same way, and two labs may have the same addresses.
The capture and the router are no programs of a host: they run as they do there.
"""

import os
import signal
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final

from lab.render.files import Files
from lab.runtime import parts, plan
from lab.runtime.engine import LABEL, PODMAN, engine_command, remove_containers
from lab.runtime.marks import NETNS_FOLDER, PREFIX, programs_in
from lab.runtime.netns import KAMAILIO_LOGIC, NetnsRuntime
from lab.topology import LAB_DOMAIN, Topology

# The engine's own process takes these and hands them on; others go to the program itself.
ENDS_A_CLIENT: Final = frozenset({signal.SIGTERM, signal.SIGKILL, signal.SIGINT})


class ContainerRuntime(NetnsRuntime):
    """The containers of one lab."""

    name = "containers"
    tools: tuple[str, ...] = (PODMAN, "ip", "nft", "nsenter", "unshare", "dumpcap", "reordercap")
    brings_programs = True

    def __init__(self, lab_id: str, topology: Topology, files: Files) -> None:
        super().__init__(lab_id, topology, files.run.hosts_file)
        self._files = files
        self._roles = {host.key: host.role for host in topology.hosts()}
        self._made: Counter[str] = Counter()

    async def remove(self) -> None:
        """Remove the containers, then the network."""
        await remove_containers(self._lab_id)
        await super().remove()

    def command(self, host: str, argv: Sequence[str], environment: Mapping[str, str]) -> list[str]:
        """Return the command that runs ``argv`` in a container of a host; it ends when the program does."""
        if host in (plan.SWITCH, plan.ROUTER):
            return super().command(host, argv, environment)
        role = self._roles[host]
        return engine_command(
            "run",
            *("--rm", "--interactive", "--pull", "never", "--log-driver", "none", "--name", self._container(host)),
            *("--label", f"{LABEL}={self._lab_id}"),
            *("--network", f"ns:{NETNS_FOLDER / self._name(host)}", "--hostname", f"{host}.{LAB_DOMAIN}", "--no-hosts"),
            *("--cap-drop", "all", "--security-opt", "no-new-privileges"),
            *(word for one in parts.capabilities(role) for word in ("--cap-add", one)),
            *(word for name, value in environment.items() for word in ("--env", f"{name}={value}")),
            *(word for mount in self._mounts(host, role) for word in ("--volume", mount)),
            parts.image(argv),
            *("python" if word == sys.executable else word for word in argv),
        )

    def signal(self, host: str, pid: int, number: signal.Signals) -> None:
        """Send a signal to a host's program and its children, in the container; ``pid`` is the engine's client."""
        inside = programs_in(self._name(host))
        for one in inside:
            _send(one, number)
        if not inside and number in ENDS_A_CLIENT:
            _send(pid, number)  # the container is not made yet: nobody else can stop it

    def _container(self, host: str) -> str:
        """Return a name that no other container of this lab has: a host may have errands beside its program."""
        self._made[host] += 1
        number = "" if self._made[host] == 1 else f"-{self._made[host]}"
        return f"{PREFIX}-{self._lab_id}-{host}{number}"

    def _mounts(self, host: str, role: str) -> list[str]:
        run = self._files.run.path
        mounts = [f"{self._hosts_file}:/etc/hosts:ro", f"{self._resolver_file}:/etc/resolv.conf:ro"]
        for folder, writable in parts.folders(host, role).items():
            mounts.append(f"{run / folder}:{run / folder}:{'rw' if writable else 'ro'}")
        if role in parts.CSCFS:
            return [*mounts, f"{KAMAILIO_LOGIC}:{KAMAILIO_LOGIC}:ro"]
        return [*mounts, f"{self._files.sockets}:{self._files.sockets}"]


def _send(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return  # it has ended between the look and the signal
