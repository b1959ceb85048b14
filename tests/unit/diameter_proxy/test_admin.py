"""The admin socket: who cannot be asked is said so; whoever asks wrongly hears it, and holds nothing after that."""

import asyncio
import contextlib
import gc
import json
import select
import socket
from pathlib import Path

import pytest
import structlog

from diameter_proxy.admin import LINE_OCTETS_MAX, AdminError, AdminSocket, _remove_stale_socket, ask
from diameter_proxy.config import parse_config
from diameter_proxy.server import ProxyServer
from diameter_proxy.trace import FOLLOWED_MAX
from tests.waiting import until


@pytest.fixture
async def admin(tmp_path):
    """An admin socket of a proxy that has not been started; nothing may go wrong unseen behind it."""
    tables = {
        "node": {"origin_host": "p.lab", "origin_realm": "r.lab"},
        "peers": [{"host": "h.lab", "realm": "r.lab", "group": "hss"}],
    }
    server, unseen = ProxyServer(parse_config(tables)), []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: unseen.append(context))
    admin = AdminSocket(tmp_path / "admin.sock", server.proxy, server.node, reload=server._reload_again)
    await admin.start()
    yield admin
    await admin.stop()
    gc.collect()
    await asyncio.sleep(0)
    assert unseen == []


async def said(admin, octets):
    """Return all that is answered until the connection is closed."""
    reader, writer = await asyncio.open_unix_connection(admin._path)
    writer.write(octets)
    with contextlib.suppress(OSError):  # closed before all was read
        await writer.drain()
    lines = []
    with contextlib.suppress(OSError):
        async with asyncio.timeout(10):
            while line := await reader.readline():
                lines.append(json.loads(line))
    writer.close()
    return lines


def open_files():
    return len(list(Path("/proc/self/fd").iterdir()))


def trace(seconds, identity='"al@mc1.lab"'):
    return f'{{"command": "trace", "identity": {identity}, "seconds": {seconds}}}\n'.encode()


@pytest.mark.parametrize(
    ("octets", "reason"),
    [
        (b"garbage\n", "a line is a JSON object"),
        (b"\0\xff\n", "a line is a JSON object"),
        (b"[]\n", "a line is a JSON object"),
        (b"null\n", "a line is a JSON object"),
        (b"[" * 200_000 + b"\n", "a line is a JSON object"),
        (b'{"command": ' + b"9" * 5000 + b"}\n", "a line is a JSON object"),
        (b"x" * 300_000 + b"\n", f"a line has {LINE_OCTETS_MAX} octets at most"),
        (b"x" * 2_000_000, f"a line has {LINE_OCTETS_MAX} octets at most"),
        (b'{"command": "trace", "seconds": []}\n', "identity: 1 to 255 characters are wanted"),
        (trace("2", '"\\ud800"'), "identity: 1 to 255 characters are wanted"),
        *(
            (trace(seconds), "seconds: a number from 1 to 300 is wanted")
            for seconds in ("[]", "null", '"x"', "NaN", "Infinity", "-1", "1e300")
        ),
    ],
)
async def test_what_cannot_be_understood_is_said_and_is_the_last(admin, octets, reason):
    assert await said(admin, octets) == [{"ok": False, "reason": reason}]
    assert not admin._proxy.tracer.is_active


async def test_a_command_that_is_none_is_said_and_the_next_is_heard(admin):
    reader, writer = await asyncio.open_unix_connection(admin._path)
    for command in ('["peers"]', "{}", '"x"'):
        writer.write(f'{{"command": {command}}}\n'.encode())
        assert json.loads(await reader.readline())["reason"].startswith("commands are peers, map")
    writer.write(b'{"command": "map"}\n')
    assert json.loads(await reader.readline())["ok"]
    writer.close()


async def test_a_fault_of_ours_is_logged_and_said(admin):
    def fails():
        raise ZeroDivisionError

    admin._commands["map"] = fails
    with structlog.testing.capture_logs() as events:
        answers = await said(admin, b'{"command": "map"}\n')
    assert answers == [{"ok": False, "reason": "a fault of the proxy; it is in its log"}]
    assert [event["event"] for event in events] == ["admin.fault"]


async def test_who_hangs_up_in_the_middle_of_anything_leaves_nothing_open(admin):
    await said(admin, b"[]\n")  # what is opened once
    before = open_files()
    for octets in (b'{"comm', b'{"command": "trace", "seconds": []}\n', trace("[]"), b'{"command": "map"}\n', b""):
        for _ in range(20):
            _, writer = await asyncio.open_unix_connection(admin._path)
            writer.write(octets)
            writer.close()
    gc.disable()
    try:
        await until(lambda: open_files() <= before)
    finally:
        gc.enable()


def taken_unread():
    """Return how many octets a socket takes of which nobody reads one."""
    writing, reading = socket.socketpair()
    with writing, reading:
        writing.setblocking(False)
        return writing.send(bytes(1 << 24))


@pytest.mark.parametrize("more", [1 << 22, 1 << 13], ids=["waits in drain", "waits in close"])
async def test_who_never_reads_is_dropped_in_time(admin, monkeypatch, more):
    monkeypatch.setattr("diameter_proxy.admin.WRITE_S", 0.1)
    admin._commands["map"] = lambda: "x" * (taken_unread() + more)
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(admin._path))
        client.send(b'{"command": "map"}\n')
        client.shutdown(socket.SHUT_WR)
        hung_up = select.poll()
        hung_up.register(client, 0)  # that the other side is closed is told without being asked for
        await until(lambda: hung_up.poll(0), 10)


async def test_a_trace_ends_when_its_client_goes(admin):
    """Ctrl-C, and the same again: at once, and for more than are followed at a time."""
    for _ in range(FOLLOWED_MAX + 1):
        reader, writer = await asyncio.open_unix_connection(admin._path)
        writer.write(trace("300"))
        assert json.loads(await reader.readline()) == {"ok": True, "trace": 300.0}
        assert admin._proxy.tracer.is_active
        writer.close()
        await until(lambda: not admin._proxy.tracer.is_active)


async def test_who_is_followed_already_is_said(admin):
    reader, writer = await asyncio.open_unix_connection(admin._path)
    writer.write(trace("300"))
    await reader.readline()
    (answer,) = await said(admin, trace("5"))
    assert "each once" in answer["reason"]
    assert admin._proxy.tracer.is_active, "the first goes on"
    writer.close()
    await until(lambda: not admin._proxy.tracer.is_active)


async def test_a_reload_without_a_file_is_said(admin):
    with pytest.raises(AdminError, match="there is no file to read again"):
        await asyncio.to_thread(ask, admin._path, "reload")


def test_nobody_there_is_an_admin_error(tmp_path):
    with pytest.raises(AdminError, match=r"No such file.*does the proxy of this file run.*opens at SIGHUP"):
        ask(tmp_path / "none.sock", "peers")


def test_only_a_socket_that_nobody_listens_on_is_taken_away(tmp_path: Path) -> None:
    key = tmp_path / "private_key.pem"
    key.write_text("secret")
    path = tmp_path / "admin.sock"
    _remove_stale_socket(key)
    _remove_stale_socket(path)  # nothing there
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        listening.listen()
        _remove_stale_socket(path)
        assert path.is_socket()  # a living process has it
    _remove_stale_socket(path)
    assert not path.exists()
    assert key.read_text() == "secret"
