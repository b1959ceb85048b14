"""Errors of commands are one line and an exit status, signals too; results go to standard output."""

import json
import signal

import pytest
import typer

from lab.answers import errors, print_json
from lab.commands.errors import Failure, Misuse
from lab.interruption import Interrupted, Told


@pytest.mark.parametrize(
    ("raised", "status", "line"),
    [
        (Misuse("no such lab"), 2, "error: no such lab\n"),
        (Failure("it did not come up"), 1, "error: it did not come up\n"),
    ],
)
def test_a_failure_is_one_line_and_its_status(
    raised: BaseException, status: int, line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(typer.Exit) as ended, errors():
        raise raised
    assert ended.value.exit_code == status
    assert capsys.readouterr().err == line


def test_what_was_interrupted_says_what_is_left(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(Told) as ended, errors("interrupted; the lab is down"):
        raise Interrupted(signal.SIGTERM)
    assert ended.value.code == 143
    assert capsys.readouterr().err == "error: interrupted; the lab is down\n"


def test_a_result_is_json_on_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"a": 1})
    assert json.loads(capsys.readouterr().out) == {"a": 1}
