"""``mclab compare`` on real runs: the same, different, and what is no run."""

import json
from pathlib import Path

from typer.testing import CliRunner

from lab.cli import app

CAPTURES = Path(__file__).parents[1] / "vectors" / "captures"
RUNNER = CliRunner()


def test_two_migrations_differ_in_steps_times_and_not_in_secrets() -> None:
    result = RUNNER.invoke(app, ["compare", str(CAPTURES / "migration"), str(CAPTURES / "wrong-key"), "--json"])
    found = json.loads(result.stdout)
    assert (result.exit_code, found["same"]) == (1, False)
    verdicts = {one["what"]: (one["first"], one["second"]) for one in found["verdicts"]}
    assert verdicts["10.6.2-12"] == ("pass", "not-expected")
    times = {one["hop"]: one for one in found["times"]}
    assert times["csc-y MAR"]["ratio"] == round(times["csc-y MAR"]["second_ms"] / times["csc-y MAR"]["first_ms"], 2)
    assert times["hss MAR"]["first_count"] == 4
    shown = {one["name"]: one["value"] for one in found["fields"]}
    assert not any(name.endswith(("nonce", "response", "token")) and value for name, value in shown.items())


def test_a_run_and_itself_have_the_same_verdicts() -> None:
    result = RUNNER.invoke(app, ["compare", str(CAPTURES / "unbound-identity"), str(CAPTURES / "unbound-identity")])
    assert result.exit_code == 0
    assert result.stdout.splitlines()[-1] == "same verdicts"
    assert "only in" not in result.stdout


def test_what_is_no_run_is_one_line(tmp_path: Path) -> None:
    result = RUNNER.invoke(app, ["compare", str(CAPTURES / "migration"), str(tmp_path)])
    assert (result.exit_code, result.stderr.count("\n")) == (2, 1)
