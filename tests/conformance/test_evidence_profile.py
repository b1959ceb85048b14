"""The profile of a real run through tshark: every button selects what it says, every wire has its colour and column."""

import re
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from lab.cli import app
from lab.evidence.dissect import stream_tshark
from lab.evidence.report import Report, StepReport
from lab.evidence.steps import STEPS

VECTOR = Path(__file__).parents[1] / "vectors" / "captures" / "migration"
COLUMNS = (
    "number",
    "time",
    "source",
    "arrow",
    "destination",
    "wire",
    "sip",
    "cx",
    "result",
    "end",
    "user",
    "proves",
    "info",
)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the run, judged again: that writes its profile."""
    target = tmp_path_factory.mktemp("profile") / "run"
    shutil.copytree(VECTOR, target)
    assert CliRunner().invoke(app, ["verify", str(target)]).exit_code == 0
    return target


@pytest.fixture(scope="module")
def buttons(run: Path) -> dict[str, str]:
    """Label -> display filter, unescaped as Wireshark does."""
    lines = (run / "wireshark" / "dfilter_buttons").read_text().splitlines()
    rows = [re.findall(r'"((?:[^"\\]|\\.)*)"', line) for line in lines]
    return {row[1]: row[2].replace("\\x22", '"').replace("\\x5c", "\\") for row in rows}


def selected(run: Path, display_filter: str) -> set[int]:
    fields = ("-T", "fields", "-e", "frame.number")
    said = "".join(stream_tshark(run / "capture.pcapng", "-Y", display_filter, *fields, config=run / "wireshark"))
    return {int(number) for number in said.split()}


def step_of(run: Path, step_id: str) -> StepReport:
    return Report.model_validate_json((run / "report.json").read_text()).step(step_id)


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.id)
def test_the_button_of_a_step_selects_the_frames_that_prove_it(
    run: Path, buttons: dict[str, str], step: StepReport
) -> None:
    procedure, _, number = step.id.rpartition("-")
    proved = set(step_of(run, step.id).frames)
    assert proved
    assert proved <= selected(run, buttons[f"{procedure}//{number} {step.title}"])


def test_the_buttons_of_wires_part_all_messages_among_them(run: Path, buttons: dict[str, str]) -> None:
    wires = {label: found for label, found in buttons.items() if label.startswith("wire//")}
    counts = {label: selected(run, display_filter) for label, display_filter in wires.items()}
    assert all(counts.values())
    everything = selected(run, "sip || http || (diameter && !(diameter.cmd.code in {257, 280, 282}))")
    assert set().union(*counts.values()) == everything
    assert sum(map(len, counts.values())) == len(everything)


def test_columns_name_the_wire_the_command_and_the_result(run: Path) -> None:
    arguments = ("--color", "-T", "tabs", "-Y", "frame.comment")
    said = "".join(stream_tshark(run / "capture.pcapng", *arguments, config=run / "wireshark"))
    rows = [
        dict(zip(COLUMNS, re.sub(r"\x1b\[[0-9;]*m", "", line).split("\t"), strict=False)) for line in said.splitlines()
    ]
    wires = {row["number"].strip(): row["wire"] for row in rows}
    assert {wires[str(frame)] for frame in step_of(run, "10.6.2-5").frames} == {"CSC-Y"}
    assert {wires[str(frame)] for frame in step_of(run, "10.6.2-3").frames} == {"AAA-2"}
    answers = [row for row in rows if row["cx"] == "Multimedia-Auth" and row["result"]]
    assert {row["result"] for row in answers} == {"DIAMETER_SUCCESS"}
    assert {"REGISTER", "401", "200"} <= {row["sip"] for row in rows}
    assert all(re.match(r"10\.", row["proves"]) for row in rows)
    assert {"Gm", "Mw", "AAA-2", "CSC-Y", "Cx", "CSC-1", "CSC-4", "CSC-X", "CSC-17"} <= set(wires.values())
