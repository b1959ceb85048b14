"""The base image: debootstrap's folder becomes the image that the Containerfiles begin with, and is gone."""

from collections.abc import Callable
from pathlib import Path

import pytest

from lab.runtime import base_image
from lab.runtime.base_image import BASE, has_image, make_base_image
from lab.runtime.runtime import RuntimeFailure

Install = Callable[[str, str], None]
Told = Callable[[], list[str]]
DEBOOTSTRAP = 'mkdir -p "$3/etc"; echo "I: Retrieving a"; echo "I: Retrieving b"; echo "I: Configuring a"'


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, install: Install) -> Path:
    monkeypatch.setattr(base_image, "FOLDER", tmp_path)
    install("unshare", 'shift; exec "$@"')
    return tmp_path


def left(folder: Path) -> list[str]:
    return [file.name for file in folder.glob("mclab-base-*")]


def test_it_is_made_with_progress_from_a_mirror(install: Install, told: Told, folder: Path) -> None:
    install("debootstrap", DEBOOTSTRAP)
    install("podman", "cat >/dev/null")
    said: list[str] = []
    make_base_image("http://mirror.example/debian", said.append)
    assert said == [
        "base image: fetching packages",
        "base image: configuring",
        "base image: giving it to the engine",
    ]
    made = next(line for line in told() if line.startswith("debootstrap"))
    assert made.startswith("debootstrap --variant=minbase bookworm ")
    assert made.endswith(" http://mirror.example/debian")
    assert told()[-1].endswith(f"- {BASE}")
    assert left(folder) == []


def test_a_debootstrap_that_fails_is_told_with_its_last_words(install: Install, folder: Path) -> None:
    install("debootstrap", "echo 'E: Failed getting release file'; exit 1")
    install("podman", "")
    with pytest.raises(RuntimeFailure, match=r"debootstrap ended with 1\n  E: Failed getting release file"):
        make_base_image("", lambda _: None)
    assert left(folder) == []


def test_an_engine_that_does_not_take_it_is_told(install: Install, folder: Path) -> None:
    install("debootstrap", DEBOOTSTRAP)
    install("podman", "cat >/dev/null; echo 'Error: no space left on device' >&2; exit 125")
    with pytest.raises(RuntimeFailure, match="podman import: no space left on device"):
        make_base_image("", lambda _: None)
    assert left(folder) == []


def test_without_debootstrap_or_engine_one_line_says_what_installs_it(install: Install) -> None:
    with pytest.raises(RuntimeFailure, match="podman is not installed; packaging"):
        make_base_image("", lambda _: None)
    install("podman", "")
    with pytest.raises(RuntimeFailure, match="debootstrap is not installed; packaging"):
        make_base_image("", lambda _: None)


@pytest.mark.parametrize(("status", "there"), [(0, True), (1, False)])
def test_an_image_is_there_or_not(install: Install, status: int, there: bool) -> None:
    install("podman", f"exit {status}")
    assert has_image(BASE) is there


def test_an_engine_that_does_not_work_is_no_answer(install: Install) -> None:
    install("podman", "echo 'Error: cannot open storage' >&2; exit 125")
    with pytest.raises(RuntimeFailure, match="podman image: cannot open storage"):
        has_image(BASE)
