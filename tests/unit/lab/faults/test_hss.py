"""The HSS is told how to answer, and what it says is taken for what it is."""

import asyncio
import json
from pathlib import Path

import pytest

from lab.faults.fault import FaultError
from lab.faults.hss import answer_as


async def told(path: Path, reply: bytes) -> list[dict[str, object]]:
    """Have a HSS of one reply be told to be slow; return what it heard."""
    heard = []

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(json.loads(await reader.readline()))
        writer.write(reply)
        await writer.drain()
        writer.close()

    async with await asyncio.start_unix_server(converse, path=path):
        await answer_as(path, silent=False, after_s=0.3)
    return heard


async def test_it_hears_the_command_of_its_control_socket(tmp_path: Path) -> None:
    heard = await told(tmp_path / "hss.mc1", b'{"ok": true}\n')
    assert heard == [{"command": "answers", "silent": False, "after_s": 0.3}]


@pytest.mark.parametrize(
    ("reply", "reason"), [(b'{"ok": false, "error": "no"}\n', "hss.mc1: no"), (b"\n", "hss.mc1 takes no command")]
)
async def test_a_refusal_is_named(tmp_path: Path, reply: bytes, reason: str) -> None:
    with pytest.raises(FaultError, match=reason):
        await told(tmp_path / "hss.mc1", reply)


async def test_a_hss_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(FaultError, match=r"hss\.mc1 takes no command"):
        await answer_as(tmp_path / "hss.mc1", silent=True, after_s=0.0)
