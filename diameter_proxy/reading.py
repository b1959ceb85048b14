"""Reading files that may be anything: neither a FIFO nor a disk that hangs may hold up the program or its end."""

import asyncio
import concurrent.futures
import os
import stat
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeVar

T = TypeVar("T")

KINDS: Final = {
    stat.S_IFDIR: "a directory",
    stat.S_IFIFO: "a FIFO",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a character device",
    stat.S_IFBLK: "a block device",
}


def other_kind(path: Path) -> str:
    """Return what a path leads to if it is no regular file, in words ("a FIFO"), else nothing; opens nothing.

    Raises:
        OSError: there is nothing, or it is not ours to look at.
        ValueError: there is a NUL in it.
    """
    return _other_kind(path.stat())


def _other_kind(status: os.stat_result) -> str:
    return KINDS.get(stat.S_IFMT(status.st_mode), "")


def read_regular(path: Path, octets_max: int = -1) -> bytes:
    """Return a file's octets, at most so many; nothing is waited for.

    Raises:
        OSError: it cannot be read, or is a FIFO, a device or a directory.
    """
    number = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        if kind := _other_kind(os.fstat(number)):
            raise OSError(f"{path} is {kind}, not a file")
        with os.fdopen(number, "rb", closefd=False) as file:
            return file.read(octets_max)
    finally:
        os.close(number)


async def aside(work: Callable[[], T]) -> T:
    """Return what work returns that may hang; a process that ends does not wait for its thread.

    ``asyncio.to_thread`` would: its threads are joined at the end of the event loop.
    """
    promise: concurrent.futures.Future[T] = concurrent.futures.Future()
    promise.set_running_or_notify_cancel()  # from here on a cancellation does not reach it: it may be set in any case

    def run() -> None:
        try:
            promise.set_result(work())
        except Exception as exc:  # noqa: BLE001 - raised where it is awaited
            promise.set_exception(exc)

    threading.Thread(target=run, daemon=True).start()
    return await asyncio.wrap_future(promise)
