"""The engine is asked with the lab's settings, and its refusals are one line."""

import os
from collections.abc import Callable

import pytest

from lab.runtime import engine
from lab.runtime.runtime import RuntimeFailure

Install = Callable[[str, str], None]
Told = Callable[[], list[str]]
ROOT: Callable[[], int] = lambda: 0  # noqa: E731


async def test_it_has_the_labs_settings(install: Install) -> None:
    install("podman", 'echo "$CONTAINERS_CONF"')
    assert (await engine.engine("info")).strip() == str(engine.SETTINGS)
    assert engine.SETTINGS.is_file()


async def test_without_an_engine_one_line_says_how_to_get_one(install: Install) -> None:
    with pytest.raises(RuntimeFailure, match=r"^no container engine: podman is not installed; packaging/set-up\.sh"):
        await engine.engine("info")


async def test_its_refusal_is_one_line_without_its_warnings(install: Install) -> None:
    install("podman", "echo 'level=warning msg=x' >&2; echo 'Error: no space left' >&2; exit 125")
    with pytest.raises(RuntimeFailure, match=r"^podman rm: no space left$"):
        await engine.engine("rm", "x")


def test_a_refusal_without_a_word_has_its_status() -> None:
    assert engine.refusal(("rm",), "", 137) == "podman rm: exit 137"


def test_containers_are_known_by_their_label(install: Install, told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", ROOT)
    install("podman", "echo mclab-ab12-ue1 ab12; echo stranger")
    assert engine.containers_of("ab12") == {"mclab-ab12-ue1": "ab12"}
    assert "--filter label=mclab=ab12 " in told()[0]


def test_where_there_is_no_engine_there_are_no_containers(install: Install) -> None:
    assert engine.containers_of("ab12") == {}


async def test_a_labs_containers_are_removed_and_no_others(
    install: Install, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", ROOT)
    install("podman", '[ "$1" != ps ] || { echo mclab-ab12-ue1 ab12; echo mclab-ab12-hss.mc1 ab12; }')
    await engine.remove_containers("ab12")
    assert told()[-1] == "podman rm --force --ignore --time 0 mclab-ab12-ue1 mclab-ab12-hss.mc1"


async def test_where_there_is_none_nothing_is_removed(
    install: Install, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", ROOT)
    install("podman", "")
    await engine.remove_containers("ab12")
    assert [line.split()[1] for line in told()] == ["ps"]


def test_an_engine_that_never_answers_is_one_line(install: Install, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", ROOT)
    monkeypatch.setattr(engine, "ANSWER_S", 0.2)
    install("podman", "exec /bin/sleep 60")
    with pytest.raises(RuntimeFailure, match=r"^podman ps: no answer in 0\.2 s; see what podman info says, packaging"):
        engine.containers_of("ab12")
