"""Doors that listen are exchanged one by one; whole reloads are in tests/integration."""

import socket

import pytest

from diameter_proxy.config import parse_config
from diameter_proxy.node.errors import ReloadRefused
from diameter_proxy.side_doors import SideDoors

TABLES = {
    "node": {"origin_host": "p.lab", "origin_realm": "r.lab"},
    "peers": [{"host": "h.lab", "realm": "r.lab", "group": "hss"}],
}


def config(**tables):
    return parse_config({**TABLES, **tables})


@pytest.fixture
async def doors():
    doors = SideDoors(None, None, lambda: None, None, None)
    yield doors
    await doors.close()
    assert doors.metrics_port is None


async def test_nothing_is_open_where_the_file_has_nothing(doors):
    await doors.change(config())
    assert doors.metrics_port is None


async def test_an_unchanged_table_keeps_its_door(doors, tmp_path):
    tables = {"metrics": {"listen": "127.0.0.1:0"}, "admin": {"socket": str(tmp_path / "admin.sock")}}
    await doors.change(config(**tables))
    port = doors.metrics_port
    inode = (tmp_path / "admin.sock").stat().st_ino
    await doors.change(config(**tables))
    assert (doors.metrics_port, (tmp_path / "admin.sock").stat().st_ino) == (port, inode)


async def test_a_door_that_cannot_be_opened_leaves_the_old_one(doors, tmp_path):
    await doors.change(config(admin={"socket": str(tmp_path / "admin.sock")}))
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(tmp_path / "taken.sock"))
        other.listen()
        with pytest.raises(ReloadRefused) as caught:
            await doors.change(config(admin={"socket": str(tmp_path / "taken.sock")}))
    mend = "Address already in use: end the process that listens there, or name another path"
    assert str(caught.value) == f"admin.socket: {tmp_path}/taken.sock: {mend}"
    assert (tmp_path / "admin.sock").is_socket()


async def test_one_port_on_another_address_is_closed_before_it_is_opened(doors):
    await doors.change(config(metrics={"listen": "127.0.0.1:0"}))
    port = doors.metrics_port
    await doors.change(config(metrics={"listen": f"127.0.0.1:{port}"}))
    assert doors.metrics_port == port
