"""Commands on a store: what they say and how they end."""

from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from mmserver.migration import cli_options
from mmserver.migration.cli import app


@pytest.fixture
def call(make_config: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    def call(*arguments: str, url: str | None = None) -> tuple[int, str]:
        config = make_config(**({"store__url": url} if url else {}))
        monkeypatch.setattr(cli_options, "load_config", lambda _path: config)
        done = CliRunner().invoke(app, [*arguments, "--config", "mms.toml"])
        return done.exit_code, done.output.replace(f"{tmp_path}/", "")

    return call


def test_a_store_is_backed_up_and_restored(call: Any, tmp_path: Path) -> None:
    code, said = call("backup", str(tmp_path / "b.sqlite"))
    assert (code, said.startswith("ok: b.sqlite: "), said.endswith(" octets\n")) == (0, True, True)
    assert call("backup", str(tmp_path / "b.sqlite")) == (1, "error: store: b.sqlite is there already\n")
    code, said = call("restore-backup", str(tmp_path / "b.sqlite"))
    assert (code, said) == (0, "ok: schema 0005: run `mmserver migration upgrade` next\n")


def test_postgresql_is_told_from_a_file(call: Any, tmp_path: Path) -> None:
    for command in ("backup", "restore-backup"):
        code, said = call(command, str(tmp_path / "b.sqlite"), url="postgresql+psycopg://localhost/mms")
        assert (code, "pg_dump" in said, said.count("\n")) == (2, True, 1)


def test_a_schema_is_named_by_its_number(call: Any) -> None:
    assert call("downgrade", "--to", "base")[0] == 2
    assert call("downgrade", "--to", "0002") == (0, "ok: schema 0002\n")
    assert call("upgrade") == (0, "ok: schema 0005\n")
