"""The Wireshark profile: a button for each step and wire, a colour a wire, in the formats that Wireshark reads."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from lab.evidence.profile import WIRES, button_lines, colour_lines, step_filter, wire_filter, write_profile
from lab.evidence.report import Report, StepReport, Verdict
from lab.evidence.steps import STEPS


@pytest.fixture
def report() -> Report:
    given = {"verdict": Verdict.PASS, "frames": (1, 2), "filter": 'sip.Call-ID == "x"', "detail": ""}
    steps = tuple(StepReport(id=s.id, title=s.title, wire=s.wire, **given) for s in STEPS)  # type: ignore[arg-type]
    return Report(
        scenario="s", what="w", verdict=Verdict.PASS, steps=steps, checks=(), expectations=(), capture="", run="",
        environment={},
    )  # fmt: skip


def step(**changes: object) -> StepReport:
    given = {
        "id": "10.6.2-5",
        "title": "t",
        "wire": "CSC-Y",
        "verdict": "pass",
        "frames": (),
        "filter": "",
        "detail": "",
    }
    return StepReport.model_validate(given | changes)


@pytest.mark.parametrize(("changes", "wanted"), [
    ({"filter": "sip", "frames": (1, 2)}, "(sip) || frame.number in {1, 2}"),
    ({"filter": "frame.number in {1}", "frames": (1,)}, "frame.number in {1}"),
    ({"frames": (3,)}, "frame.number in {3}"),
    ({"filter": "sip"}, "sip"),
    ({}, 'frame.comment contains "10.6.2-5 "'),
])  # fmt: skip
def test_a_step_is_selected_with_all_its_frames(changes: dict[str, object], wanted: str) -> None:
    assert step_filter(step(**changes)) == wanted


def test_each_step_has_its_button_in_the_menu_of_its_procedure(report: Report, make: SimpleNamespace) -> None:
    lines = list(button_lines(report, make.facts()))
    labels = [json.loads(f"[{line}]".replace("\\x22", "'"))[1] for line in lines]
    assert sum(label.startswith(("10.6.1//", "10.1.X.1//", "10.6.2//")) for label in labels) == 30
    assert "10.6.2//5 get SIP authentication information request to the primary" in labels
    assert {"wire//CSC-Y", "wire//Gm", "wire//CSC-X"} <= set(labels)
    assert all('""' not in line and "\\x22x\\x22" in line for line in lines[1:31])


def test_a_wire_is_between_its_hosts_in_both_directions(make: SimpleNamespace) -> None:
    wires = {wire.name: wire_filter(wire, make.facts()) for wire in WIRES}
    assert wires["Cx MMS"].endswith(
        "((ip.src in {10.77.1.14, 10.77.2.14} && ip.dst in {10.77.1.16}) || "
        "(ip.src in {10.77.1.16} && ip.dst in {10.77.1.14, 10.77.2.14}))"
    )
    assert wires["CSC-Y"].endswith("&& (ip.src in {10.77.1.14, 10.77.2.14} && ip.dst in {10.77.1.14, 10.77.2.14})")
    assert "!(diameter.cmd.code in {257, 280, 282})" in wires["AAA-2"]


def test_a_wire_that_the_run_has_not_has_no_button_and_no_colour(report: Report, make: SimpleNamespace) -> None:
    bare = make.facts(hosts={"10.77.2.10": "pcscf.mc2.lab"})
    assert [line.split("@")[1] for line in colour_lines(bare)] == ["failure", "Gm", "Mw"]
    assert not any("CSC-Y" in line.split(",")[1] for line in button_lines(report, bare) if "wire//" in line)


def test_a_colour_is_sixteen_bits_a_channel(make: SimpleNamespace) -> None:
    for line in colour_lines(make.facts()):
        ground = line.rpartition("@")[2][1:].split("]")[0]
        assert all(0 <= int(value) <= 65535 for value in ground.split(","))


def test_the_folder_is_ours_with_what_the_run_adds(report: Report, make: SimpleNamespace, tmp_path: Path) -> None:
    folder = write_profile(report, make.facts(), tmp_path)
    assert {"preferences", "decode_as_entries", "disabled_protos", "dfilter_buttons", "colorfilters"} <= {
        file.name for file in folder.iterdir()
    }
    assert '"%Cus:frame.coloring_rule.name:0:U"' in (folder / "preferences").read_text()
