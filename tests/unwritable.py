"""Descriptors that take no octet: a full disk, and a pipe whose reader has died."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

import pytest

Opener = Callable[[], int]


def full_disk() -> int:
    """Return what answers ENOSPC."""
    return os.open("/dev/full", os.O_WRONLY)


def dead_pipe() -> int:
    """Return what answers EPIPE."""
    read, write = os.pipe()
    os.close(read)
    return write


EACH: Final = pytest.mark.parametrize("opener", [full_disk, dead_pipe], ids=["full", "no reader"])


@contextmanager
def opened(opener: Opener) -> Iterator[int]:
    """Give such a descriptor to a program that is started meanwhile."""
    descriptor = opener()
    try:
        yield descriptor
    finally:
        os.close(descriptor)
