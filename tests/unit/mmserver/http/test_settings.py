"""Configuration errors are one line that names file, key and fault."""

from pathlib import Path
from typing import Annotated

import pytest
from pydantic import Field

from mmserver.http.settings import (
    ConfigError,
    ConfigFile,
    ConfigPath,
    Port,
    Seconds,
    Table,
    changed_settings,
    load_toml,
    missing_store,
    store_fault,
)


class Http(Table):
    """A table."""

    port: Port = 443
    workers: Annotated[int, Field(gt=0)] = 1
    requests_per_s: Annotated[float, Field(gt=0)] = 1.0
    wait_s: Seconds = 1.0
    ca: ConfigFile | None = None
    state: ConfigPath | None = None


class Whole(Table):
    """A file."""

    http: Http


def load(folder: Path, text: str) -> Whole:
    path = folder / "mms.toml"
    path.write_text(text)
    return load_toml(path, Whole)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("[http]\nport = 70000", "mms.toml: http.port: 70000 is more than 65535"),
        ("[http]\nport = -1", "mms.toml: http.port: -1 is less than 0"),
        ("[http]\nworkers = 0", "mms.toml: http.workers: 0 is not more than 0"),
        ("[http]\nrequests_per_s = inf", "mms.toml: http.requests_per_s: inf is no finite number"),
        ("[http]\nwait_s = nan", "mms.toml: http.wait_s: nan is no finite number"),
        ("[http]\ntls = 1", "mms.toml: http.tls: no such setting"),
        ("", "mms.toml: http: is missing"),
        ("[http", "mms.toml: Expected"),
        ('[http]\nca = "no.pem"', "mms.toml: http.ca: no such file: "),
        ('[http]\nport = "x"', "mms.toml: http.port: Input should be a valid integer"),
    ],
)
def test_a_fault_is_one_line(tmp_path: Path, text: str, fault: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, text)
    assert str(caught.value).startswith(fault)
    assert "\n" not in str(caught.value)


def test_a_relative_path_lies_beside_the_file(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").touch()
    loaded = load(tmp_path, '[http]\nca = "ca.pem"\nstate = "/var/lib/x"')
    assert (loaded.http.ca, loaded.http.state) == (tmp_path / "ca.pem", Path("/var/lib/x"))


def test_a_missing_file_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        load_toml(tmp_path / "no.toml", Whole)


def test_text_that_is_no_utf_8_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.toml").write_bytes(b"\xff")
    with pytest.raises(ConfigError, match=r"x\.toml"):
        load_toml(tmp_path / "x.toml", Whole)


def test_what_changed_is_named_with_its_table() -> None:
    class Two(Table):
        a: int = 1
        b: int = 2

    class File(Table):
        one: Two = Two()
        other: Two | None = None
        third: Two = Two()

    old, new = File(), File(one=Two(a=5, b=6), other=Two(), third=Two(b=9))
    assert changed_settings(old, new, ("one", "other", "third")) == ["one.a", "one.b", "other", "third.b"]
    assert changed_settings(old, new, ("one", "other"), but=("one.a", "other")) == ["one.b"]
    assert changed_settings(old, old, ("one", "other", "third")) == []


def test_a_store_that_cannot_be_used_is_named_without_a_secret(tmp_path: Path) -> None:
    url = f"sqlite+aiosqlite:///{tmp_path}/mms.sqlite"
    assert store_fault(url, "disk I/O error") == f"store: {tmp_path}/mms.sqlite: disk I/O error"
    assert store_fault("postgresql+psycopg://mms:SECRET@db/mms", "refused") == "store: refused"


def test_a_store_that_is_not_there_is_told_before_a_server_makes_an_empty_file(tmp_path: Path) -> None:
    here, nowhere = tmp_path / "mms.sqlite", tmp_path / "none/mms.sqlite"
    assert missing_store(f"sqlite+aiosqlite:///{here}") == (
        f"store: {here}: there is no such file; `upgrade` makes the store"
    )
    assert missing_store(f"sqlite+aiosqlite:///{nowhere}") == (
        f"store: {nowhere}: there is no such folder; `upgrade` makes the store"
    )
    here.touch()
    assert missing_store(f"sqlite+aiosqlite:///{here}") is None
    assert missing_store("postgresql+psycopg://mms:SECRET@db/mms") is None
