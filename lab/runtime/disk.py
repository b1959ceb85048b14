"""Small file systems for state folders: tmpfs, named after the lab, so that they are found when it is dead."""

import shutil
from pathlib import Path

from lab.runtime.marks import disk_name, disks_of
from lab.runtime.runtime import run_to_end


async def give_small_disk(lab_id: str, folder: Path, octets: int) -> None:
    """Mount a tmpfs of that size over a folder, with what is in the folder.

    Raises:
        RuntimeFailure: the machine refuses.
    """
    kept = folder.with_name(f".{folder.name}.kept")
    shutil.copytree(folder, kept, dirs_exist_ok=True)
    await run_to_end(["mount", "-t", "tmpfs", "-o", f"size={octets},mode=0700", disk_name(lab_id), str(folder)])
    shutil.copytree(kept, folder, dirs_exist_ok=True)
    shutil.rmtree(kept)


async def give_disk_back(folder: Path) -> None:
    """Unmount it; what was on it is in the folder afterwards.

    Raises:
        RuntimeFailure: the machine refuses.
    """
    kept = folder.with_name(f".{folder.name}.kept")
    shutil.copytree(folder, kept, dirs_exist_ok=True)
    await run_to_end(["umount", "--lazy", str(folder)])
    shutil.copytree(kept, folder, dirs_exist_ok=True)
    shutil.rmtree(kept)


async def remove_disks(lab_id: str) -> None:
    """Unmount what a dead lab left.

    Raises:
        RuntimeFailure: the machine refuses.
    """
    for folder in disks_of(lab_id):
        await run_to_end(["umount", "--lazy", folder])
