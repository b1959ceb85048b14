"""A lab's small file systems are found by their name; tests/lab/test_lab_faults.py mounts one."""

from pathlib import Path

from lab.runtime.disk import remove_disks
from lab.runtime.marks import disks_of

MOUNTS = """\
sysfs /sys sysfs rw 0 0
mclab-ab12-disk /runs/a\\040b/state/mms.mc1 tmpfs rw,size=16384k 0 0
mclab-cd34-disk /runs/c/state/mms.mc1 tmpfs rw,size=16384k 0 0
"""


def test_only_the_labs_own_are_found(tmp_path: Path) -> None:
    mounts = tmp_path / "mounts"
    mounts.write_text(MOUNTS)
    assert disks_of("ab12", mounts) == ["/runs/a b/state/mms.mc1"]
    assert disks_of("ffff", mounts) == []


async def test_where_there_is_none_nothing_is_unmounted() -> None:
    await remove_disks("ffff")
