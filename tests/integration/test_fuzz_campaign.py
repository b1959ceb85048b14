"""What `make fuzz` runs side by side: how each process ends is kept, a failure names its input, nothing is left."""

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.fuzz import campaign, run, targets
from tests.fuzz.campaign import Step, property_tests, run_side_by_side, steps_of
from tests.waiting import until

FOR_EVER = "import os, signal\nprint('pid', os.getpid(), flush=True)\nsignal.pause()"
MEETS = "import sys\nopen(sys.argv[1], sys.argv[2]).close()"
"""Ends when another has opened the other end of a pipe."""


def python(name: str, code: str, *words: str, limit_s: float = 30.0) -> Step:
    return Step("atheris", name, (sys.executable, "-c", code, *words), limit_s)


async def test_lanes_go_at_once_and_each_in_its_order(tmp_path: Path) -> None:
    pipe, done = str(tmp_path / "pipe"), str(tmp_path / "done")
    os.mkfifo(pipe)
    endings = await run_side_by_side(
        [python("one", MEETS, pipe, "r"), python("last", f"open({done!r}, 'x')")], [python("other", MEETS, pipe, "w")]
    )
    assert [(ending.step.target, ending.status) for ending in endings] == [("one", 0), ("last", 0), ("other", 0)]


async def test_a_failure_stops_nothing_and_says_what_shows_it_again(capsys: pytest.CaptureFixture[str]) -> None:
    said = "prefix='x'; Test unit written to /tmp/a name/wire-crash-1"
    failing = python("wire", f"print({said!r}); raise SystemExit(77)")
    first, second = await run_side_by_side([failing, python("xml", "print('#8\\tpulse'); print('kept')")])
    assert (first.status, first.inputs, second.status) == (77, ["/tmp/a name/wire-crash-1"], 0)
    assert "exit status 77; again: MC_HOT_PATH=plain" in first.told()
    assert first.told().endswith("tests.fuzz.run again wire '/tmp/a name/wire-crash-1'")
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"atheris    wire       | {said}"
    assert [line for line in lines if "xml" in line][:1] == ["atheris    xml        | kept"]


async def test_what_goes_on_all_the_time_is_told_now_and_then(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(campaign, "TOLD_EVERY_S", 0.02)
    async with going([python("wire", "print('#8\\tpulse cov: 3')\n" + FOR_EVER)]):
        await told(capsys, " s: #8\tpulse cov: 3")


async def test_what_does_not_end_is_ended_and_failed() -> None:
    (ending,) = await run_side_by_side([python("peer", FOR_EVER, limit_s=0.1)])
    assert ending.status is None
    assert ending.told().endswith(" s, did not end")


async def test_an_interrupt_leaves_no_process(capsys: pytest.CaptureFixture[str]) -> None:
    async with going([python("one", FOR_EVER)], [python("other", FOR_EVER)]):
        said = await told(capsys, "pid", times=2)
    for line in said.splitlines():
        with pytest.raises(ProcessLookupError):
            os.kill(int(line.rpartition(" ")[2]), 0)


@contextlib.asynccontextmanager
async def going(*lanes: list[Step]) -> AsyncIterator[None]:
    """Run lanes, and interrupt them at the end of the block."""
    running = asyncio.create_task(run_side_by_side(*lanes))
    yield
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


async def told(capsys: pytest.CaptureFixture[str], what: str, times: int = 1) -> str:
    """Wait until something was said, and return all that was."""
    said = ""

    def is_told() -> bool:
        nonlocal said
        said += capsys.readouterr().out
        return said.count(what) >= times

    await until(is_told)
    return said


def test_every_target_is_fuzzed_and_the_property_tests_are_bounded() -> None:
    for engine in campaign.ENGINES:
        assert [step.target for step in steps_of(engine, 5)] == list(targets.TARGETS)
    assert property_tests(600).limit_s == 900 + campaign.GRACE_S


def test_hypothesis_keeps_an_input_that_goes_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def breaks(octets: bytes) -> None:
        if len(octets) > 3:
            raise ZeroDivisionError

    monkeypatch.setattr(run, "FOUND", tmp_path / "found")
    monkeypatch.setitem(targets.TARGETS, "wire", breaks)
    with pytest.raises(ZeroDivisionError):
        run.with_hypothesis("wire", 30)
    (file,) = (tmp_path / "found").iterdir()
    assert len(file.read_bytes()) > 3
    assert f"Test unit written to {file}\n" in capsys.readouterr().out
    with pytest.raises(ZeroDivisionError):
        run.again("wire", file)
