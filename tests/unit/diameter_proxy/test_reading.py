"""What is no regular file is not waited for; what hangs all the same holds up no end."""

import asyncio
import os
import subprocess
import sys

import pytest

from diameter_proxy.reading import aside, other_kind, read_regular

HANGS = """
import asyncio, os, pathlib, sys
from diameter_proxy.reading import aside

async def main():
    try:
        await asyncio.wait_for(aside(lambda: pathlib.Path(sys.argv[1]).read_bytes()), 0.2)
    except TimeoutError:
        print("given up")

asyncio.run(main())
"""


def test_a_file_is_read_up_to_a_bound(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"octets")
    assert (read_regular(path), read_regular(path, 3)) == (b"octets", b"oct")


@pytest.mark.parametrize(
    ("make", "kind"),
    [
        (os.mkfifo, "a FIFO"),
        (os.mkdir, "a directory"),
        (lambda path: path.symlink_to("/dev/zero"), "a character device"),
    ],
)
def test_what_is_no_regular_file_is_refused_by_name_and_kind(tmp_path, make, kind):
    make(tmp_path / "other")
    assert other_kind(tmp_path / "other") == kind
    with pytest.raises(OSError, match=f"^{tmp_path}/other is {kind}, not a file$"):
        read_regular(tmp_path / "other")


def test_a_file_is_of_no_other_kind(tmp_path):
    (tmp_path / "file").touch()
    assert other_kind(tmp_path / "file") == ""


def test_no_file_is_said_as_open_says_it(tmp_path):
    with pytest.raises(FileNotFoundError):
        read_regular(tmp_path / "none")


async def test_what_work_returns_and_raises_comes_back():
    assert await aside(lambda: 5) == 5
    with pytest.raises(ZeroDivisionError):
        await aside(lambda: 1 // 0)


async def test_work_that_was_given_up_ends_without_a_word(tmp_path):
    os.mkfifo(tmp_path / "fifo")
    reading = asyncio.create_task(aside((tmp_path / "fifo").read_bytes))
    await asyncio.sleep(0)
    reading.cancel()
    await asyncio.wait([reading])
    assert reading.cancelled()
    (tmp_path / "fifo").write_bytes(b"at last")


def test_a_process_ends_while_work_hangs(tmp_path):
    os.mkfifo(tmp_path / "fifo")
    done = subprocess.run(
        [sys.executable, "-c", HANGS, str(tmp_path / "fifo")], capture_output=True, text=True, timeout=20, check=True
    )
    assert (done.stdout, done.stderr) == ("given up\n", "")
