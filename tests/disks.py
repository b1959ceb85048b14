"""Disks that a test may fill or break, and what a store may be put on: small, mounted for one test."""

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    """Mount a disk of 2 MiB at ``folder``."""
    folder.mkdir()
    _run("mount", "-t", "tmpfs", "-o", "size=2m", "none", folder)
    try:
        yield folder
    finally:
        _run("umount", "--lazy", folder)


@contextmanager
def full(folder: Path) -> Iterator[None]:
    """Leave no room on the disk of ``folder`` as long as the block lasts."""
    filler = folder / "filler"
    octets = 1 << 16
    with filler.open("wb", buffering=0) as file:
        while octets:
            try:
                file.write(bytes(octets))
            except OSError:
                octets //= 2
    assert os.statvfs(folder).f_bavail == 0
    try:
        yield
    finally:
        filler.unlink()


class BreakableDisk:
    """A file system that the kernel sets read-only when told that it has found a fault, as it would by itself."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "mounted"
        self._image = folder / "image"
        self.folder.mkdir(parents=True)
        with self._image.open("wb") as file:
            file.truncate(16 << 20)
        _run("mkfs.ext4", "-q", self._image)
        self.mount()

    def mount(self) -> None:
        _run("mount", "-o", "loop,errors=remount-ro", self._image, self.folder)

    def break_down(self) -> None:
        device = Path(_run("findmnt", "--noheadings", "--output=SOURCE", self.folder)).name
        Path(f"/sys/fs/ext4/{device}/trigger_fs_error").write_text("a fault of the test")

    def is_still_read_only(self) -> bool:
        """Say whether the kernel refuses to let it be written again as it is."""
        command = ["mount", "-o", "remount,rw", str(self.folder)]
        return subprocess.run(command, capture_output=True, check=False, timeout=30).returncode != 0

    def repair(self) -> None:
        """Unmount it and mount a repaired copy: a namespace that others made meanwhile may hold the old one."""
        _run("umount", self.folder)
        self._image = shutil.copy(self._image, self._image.with_name("copy"))
        repaired = subprocess.run(
            ["e2fsck", "-f", "-y", str(self._image)], capture_output=True, check=False, timeout=30
        )
        assert repaired.returncode in (0, 1), repaired.stdout.decode()  # 1: faults were corrected
        self.mount()

    def close(self) -> None:
        with contextlib.suppress(AssertionError):
            _run("umount", "--lazy", self.folder)


def _run(*command: "str | Path") -> str:
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False, timeout=30)
    assert done.returncode == 0, f"{command}: {done.stderr}"
    return done.stdout.strip()
