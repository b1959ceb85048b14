"""The timeline: one line an event, told to a listener too."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lab.supervisor.timeline import Timeline


def test_each_event_is_a_line_and_is_told(tmp_path: Path) -> None:
    told: list[Mapping[str, Any]] = []
    timeline = Timeline(tmp_path / "timeline.jsonl", told.append)
    timeline.note("lab.up")
    timeline.note("program.ready", host="hss.mc1")
    timeline.close()
    lines = [json.loads(line) for line in (tmp_path / "timeline.jsonl").read_text().splitlines()]
    assert [line["event"] for line in lines] == [event["event"] for event in told] == ["lab.up", "program.ready"]
    assert lines[1]["host"] == "hss.mc1"
    assert lines[0]["after_s"] <= lines[1]["after_s"]
