"""The supervisor's socket: a command gets one answer, and nothing that is sent breaks it."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from lab.render.files import Files
from lab.run_directory import RunDirectory
from lab.runtime.netns import NetnsRuntime
from lab.supervisor.control import ControlServer
from lab.supervisor.lab import Lab
from lab.supervisor.timeline import Timeline
from lab.topology import load_topology


async def ask(path: Path, lines: Sequence[bytes]) -> list[Mapping[str, Any]]:
    reader, writer = await asyncio.open_unix_connection(path)
    answers = []
    for line in lines:
        writer.write(line + b"\n")
        answers.append(json.loads(await asyncio.wait_for(reader.readline(), 60)))
    writer.close()
    return answers


async def test_each_line_gets_its_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lab.render.files.SOCKETS", tmp_path)
    files = Files(RunDirectory(tmp_path / "run"), "ab12")
    files.run.make()
    files.sockets.mkdir()
    topology = load_topology().restricted_to(("mc1",), ("ue1",))
    timeline = Timeline(files.run.timeline)
    lab = Lab(topology, NetnsRuntime("ab12", topology, files.run.hosts_file), files, timeline)
    stop = asyncio.Event()
    async with ControlServer(lab, stop):
        path = files.socket("supervisor")
        assert path.stat().st_mode & 0o077 == 0
        status, *refused, down = await ask(
            path,
            [
                b'{"command": "status"}',
                b"not JSON",
                b"[]",
                b'{"command": "dance"}',
                b'{"command": "ue"}',
                b'{"command": "kill", "host": "hss.mc9"}',
                b'{"command": "move", "ue": "ue1", "system": "mc9"}',
                b'{"command": "attach", "ue": "ue9", "system": "mc1"}',
                b'{"command": "cut", "system": "mc9"}',
                b'{"command": "mend", "system": "mc9"}',
                b'{"command": "ue", "ue": "hss.mc1", "values": {}}',
                b'{"command": "begin-fault", "fault": {"kind": "kill", "target": "hss.mc9"}}',
                b'{"command": "begin-fault"}',
                b'{"command": "end-fault", "kind": "kill", "target": "hss.mc1"}',
                b'{"command": "down"}',
            ],
        )
    timeline.close()
    assert (status["ok"], status["lab"]) == (True, "ab12")
    assert [answer["ok"] for answer in refused] == [False] * 13
    reasons = [answer["reason"] for answer in refused]
    assert "no program on hss.mc9" in reasons[4]
    assert reasons[5] == reasons[7] == reasons[8] == "no system mc9 in this lab; there are mc1"
    assert reasons[9] == "no UE hss.mc1; there are ue1"
    assert reasons[10].startswith("no host hss.mc9 in this lab")
    assert reasons[12] == "hss.mc1 has no kill; faults now: none"
    assert status["faults"] == []
    assert reasons[6] == "no UE ue9; there are ue1"
    assert down["ok"]
    assert stop.is_set()
