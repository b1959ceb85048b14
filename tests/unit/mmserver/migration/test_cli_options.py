"""What every command takes: a configuration that cannot be used ends it with 2 and one line."""

from pathlib import Path

import pytest
import typer

from mmserver.migration.cli_options import fail, load


def test_a_file_that_is_not_there_is_misuse(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit) as caught:
        load(tmp_path / "none.toml")
    said = capsys.readouterr().err
    assert (caught.value.exit_code, said.startswith("error: "), said.count("\n")) == (2, True, 1)


def test_a_failure_is_one_line_and_its_code(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit) as caught:
        fail(1, "store: full")
    assert (caught.value.exit_code, capsys.readouterr().err) == (1, "error: store: full\n")
