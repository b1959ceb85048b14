"""A relative path of the file lies beside it; names are in lower case."""

import os
from pathlib import Path

import pytest
from pydantic import TypeAdapter, ValidationError

from diameter_proxy.config_types import ConfigFile, DiameterIdentity, Port, SocketPath, StateFile


def test_paths_lie_beside_the_file(tmp_path):
    context = {"folder": tmp_path}
    assert TypeAdapter(SocketPath).validate_python("a.sock", context=context) == tmp_path / "a.sock"
    assert TypeAdapter(SocketPath).validate_python("/a.sock", context=context) == Path("/a.sock")
    with pytest.raises(ValidationError, match="no such file"):
        TypeAdapter(ConfigFile).validate_python("none.pem", context=context)


def test_diameter_identities_are_compared_in_lower_case():
    assert TypeAdapter(DiameterIdentity).validate_python("HSS.mc1.Lab") == "hss.mc1.lab"
    with pytest.raises(ValidationError):
        TypeAdapter(DiameterIdentity).validate_python("hss mc1")


@pytest.fixture
def places(tmp_path):
    """Something of each kind in a folder."""
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to("file")
    (tmp_path / "locked").symlink_to("locked")
    return tmp_path


def refusal(kind, path, folder):
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(kind).validate_python(path, context={"folder": folder})
    return caught.value.errors()[0]["msg"].removeprefix("Value error, ").replace(f"{folder}/", "")


@pytest.mark.parametrize("kind", [ConfigFile, StateFile])
def test_what_is_no_file_is_refused_and_not_opened(places, kind):
    assert refusal(kind, "fifo", places) == "fifo is a FIFO, not a file"
    assert refusal(kind, ".", places) == f"{places} is a directory, not a file"
    assert refusal(kind, "folder", places) == "folder is a directory, not a file"
    assert refusal(kind, "/dev/zero", places) == "/dev/zero is a character device, not a file"
    assert refusal(kind, "a\0b", places) == "holds a NUL, which no path may have"
    assert refusal(kind, "", places) == "is empty: name a path, or leave it out"
    assert TypeAdapter(kind).validate_python("link", context={"folder": places}) == places / "link"


def test_a_file_that_cannot_be_looked_at_is_said_so(places):
    assert refusal(ConfigFile, "locked", places) == "locked: Too many levels of symbolic links"
    assert refusal(ConfigFile, "file/x", places) == "no such file: file/x"
    assert TypeAdapter(StateFile).validate_python("new", context={"folder": places}) == places / "new"


def test_a_socket_is_refused_where_none_can_be_bound(places):
    assert refusal(SocketPath, "", places) == "is empty: name a path, or leave it out"
    assert refusal(SocketPath, "a\0b", places) == "holds a NUL, which no path may have"
    assert refusal(SocketPath, "no/a.sock", places) == "no such folder: no: make it, or name another path"
    for name, kind in (("folder", "a directory"), ("file", "a file"), ("fifo", "a FIFO")):
        assert refusal(SocketPath, name, places) == f"{name} is {kind}, not a socket: name another path"
    long = "/tmp/" + "x" * 103
    assert refusal(SocketPath, long, places).endswith("has 108 octets, a socket's path 107 at most: name a shorter one")
    assert TypeAdapter(SocketPath).validate_python(long[:-1]) == Path(long[:-1])


def test_a_folder_that_systemd_makes_need_not_be_there():
    path = Path("/run/none-such-diameter-proxy/admin.sock")
    assert TypeAdapter(SocketPath).validate_python(path) == path


@pytest.mark.parametrize("port", [True, "21868", 21868.0])
def test_a_port_is_an_integer_and_nothing_like_it(port):
    with pytest.raises(ValidationError, match="valid integer"):
        TypeAdapter(Port).validate_python(port)
