"""Another time of day for one program: libfaketime's library and settings (Debian: faketime).

Timers are left alone: only the time of day is another one, as on a host whose clock nobody set.
"""

from pathlib import Path
from typing import Final

LIBRARIES: Final = (Path("/usr/lib"), "*/faketime/libfaketimeMT.so.1")
SHARED_MEMORY: Final = Path("/dev/shm")  # noqa: S108 - libfaketime's own choice


class NoFaketime(RuntimeError):
    """libfaketime is not installed."""


def skewed(skew_s: int, libraries: tuple[Path, str] = LIBRARIES) -> dict[str, str]:
    """Return the environment of a program whose clock is ahead by so many seconds.

    Raises:
        NoFaketime: libfaketime is not installed.
    """
    library = next(iter(sorted(libraries[0].glob(libraries[1]))), None)
    if library is None:
        raise NoFaketime("libfaketime is not installed (Debian: faketime): make set-up")
    return {"LD_PRELOAD": str(library), "FAKETIME": f"{skew_s:+d}", "FAKETIME_DONT_FAKE_MONOTONIC": "1"}


def forget_shared_memory(pid: int, folder: Path = SHARED_MEMORY) -> None:
    """Remove what libfaketime leaves when a program of its is killed."""
    for name in (f"faketime_shm_{pid}", f"sem.faketime_sem_{pid}"):
        (folder / name).unlink(missing_ok=True)
