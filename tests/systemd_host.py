"""A host on which systemd runs, for tests: namespaces of its own, and this machine's files under a layer that is lost.

systemd is process 1 of a process namespace, with control groups, a network (loopback alone), /run, /tmp and /dev of its
own.  What is written goes to memory.  The source tree is shown, read-only, at ``/opt/mc-migration``, and the Python of
this process at ``/opt/python``: either may lie in a home, which services do not see.
"""

import os
import signal
import subprocess
import sys
import sysconfig
import time
from pathlib import Path
from typing import Final

SYSTEMD: Final = Path("/lib/systemd/systemd")
ROOT: Final = Path(__file__).parent.parent
HERE: Final = "/opt/mc-migration"
PYTHON: Final = (
    "env LD_LIBRARY_PATH=/opt/python/lib PYTHONDONTWRITEBYTECODE=1"
    f" PYTHONPATH={HERE}:{HERE}/{Path(sysconfig.get_path('purelib')).relative_to(ROOT)}"
    f" /opt/python/bin/python{sys.version_info.major}.{sys.version_info.minor} -P"
)
"""As words of a command."""
DEADLINE_S: Final = 120.0

# Units of Debian's that look after hardware, or what is mounted here already, have nothing to do.
BEGIN: Final = f"""set -eu
mount --make-rprivate /
mount -t tmpfs -o size=256m,mode=755 tmpfs "$1"
mkdir "$1"/upper "$1"/work "$1"/root
mount -t overlay overlay -o lowerdir=/,upperdir="$1"/upper,workdir="$1"/work "$1"/root
cd "$1"/root
mount -t proc proc proc
mount -t sysfs -o ro sysfs sys
if [ "$(stat -fc %T /sys/fs/cgroup)" = cgroup2fs ]; then mount -t cgroup2 cgroup2 sys/fs/cgroup
else
    mount -t tmpfs -o mode=755 tmpfs sys/fs/cgroup
    mkdir sys/fs/cgroup/systemd
    mount -t cgroup -o none,name=systemd,xattr cgroup sys/fs/cgroup/systemd
fi
for folder in run dev; do mount -t tmpfs -o mode=755 tmpfs $folder; done
mount -t tmpfs -o mode=1777 tmpfs tmp
for device in null zero full random urandom tty; do touch dev/$device; mount --bind /dev/$device dev/$device; done
mkdir dev/pts dev/shm
mount -t devpts -o newinstance,ptmxmode=0666 devpts dev/pts
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
mkdir -p opt/mc-migration opt/python old
mount --bind -o ro "{ROOT}" opt/mc-migration
mount --bind -o ro "{sys.base_prefix}" opt/python
rm -rf etc/systemd/system/* etc/mc-migration
echo > etc/fstab
for unit in systemd-udevd.service systemd-udev-trigger.service systemd-remount-fs.service dev-hugepages.mount \\
    dev-mqueue.mount sys-kernel-debug.mount sys-kernel-tracing.mount sys-fs-fuse-connections.mount; do
    ln -s /dev/null etc/systemd/system/$unit
done
ip link set lo up
pivot_root . old
umount --lazy /old
export container=other
exec {SYSTEMD} --unit=basic.target --show-status=no < /dev/null
"""


class Host:
    """One such host; it is up when it has been made."""

    def __init__(self, folder: Path) -> None:
        assert os.geteuid() == 0, "namespaces need root"
        assert SYSTEMD.exists(), "systemd is not installed: packaging/set-up.sh containers"
        folder.mkdir()
        end_with_us = ["setpriv", "--pdeathsig=KILL"]
        enter = [
            *end_with_us,
            "unshare",
            "--mount",
            "--pid",
            "--fork",
            "--uts",
            "--ipc",
            "--net",
            "--cgroup",
            "--kill-child",
        ]
        self._log = (folder.parent / "systemd.log").open("w+")
        self._outer = subprocess.Popen(
            [*enter, "bash", "-c", BEGIN, "bash", str(folder)], stdout=self._log, stderr=self._log
        )
        try:
            self._wait_until_it_runs()
        except BaseException:
            self.close()
            raise

    def run(self, *command: str) -> "subprocess.CompletedProcess[str]":
        """Run a command on the host."""
        enter = ["nsenter", f"--target={self._first}", "--all", "--wdns=/"]
        clean = {"PATH": "/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8"}
        return subprocess.run(
            [*enter, *command], capture_output=True, text=True, timeout=DEADLINE_S, env=clean, check=False
        )

    def do(self, *command: str) -> str:
        """Run a command that must succeed; return what it said."""
        done = self.run(*command)
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        return done.stdout

    def write(self, path: str, text: str) -> None:
        """Write a file on the host."""
        there = Path(f"/proc/{self._first}/root") / path.lstrip("/")
        there.parent.mkdir(parents=True, exist_ok=True)
        there.write_text(text)

    def close(self) -> None:
        """End systemd, and with it everything on the host."""
        self._outer.send_signal(signal.SIGKILL)  # --kill-child
        self._outer.wait(DEADLINE_S)
        self._log.close()

    @property
    def _first(self) -> int:
        """The process that has number 1 there."""
        children = Path(f"/proc/{self._outer.pid}/task/{self._outer.pid}/children").read_text().split()
        return int(children[0])

    def _wait_until_it_runs(self) -> None:
        deadline = time.monotonic() + DEADLINE_S
        while True:
            assert self._outer.poll() is None, self._said()
            assert time.monotonic() < deadline, self._said()
            time.sleep(0.05)
            try:
                state = self.run("systemctl", "is-system-running").stdout.strip()
            except (IndexError, FileNotFoundError):
                continue
            if state in ("running", "degraded"):
                return

    def _said(self) -> str:
        self._log.seek(0)
        return self._log.read()
