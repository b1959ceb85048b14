"""Images are built when they are missing or made of another source, and only then."""

from collections.abc import Callable
from pathlib import Path

import pytest

from lab.runtime import images
from lab.runtime.images import SOURCES, TREE, build_command, make_images, sources_digest
from lab.runtime.parts import IMAGES, KAMAILIO, PYTHON
from lab.runtime.runtime import RuntimeFailure

Install = Callable[[str, str], None]
Told = Callable[[], list[str]]


def engine(label: str = "", base: int = 0, build: str = "echo 'STEP 1/2: FROM debian'") -> str:
    """Return an engine whose images have a label, which has the base or not, and builds so."""
    return (
        f'case "$1 $2" in "image inspect") echo "{label}";; "image exists") exit {base};; '
        f"build*) {build};; import*) cat >/dev/null;; esac"
    )


def test_both_images_are_built_where_there_are_none(install: Install, told: Told) -> None:
    install("podman", engine())
    said: list[str] = []
    make_images(said.append)
    built = [line for line in told() if line.startswith("podman build")]
    assert [name for name in IMAGES if any(f"--tag {name} " in line for line in built)] == list(IMAGES)
    assert "  STEP 1/2: FROM debian" in said
    assert told()[-1].startswith("podman image prune --force --filter label=mclab.sources")


def test_nothing_is_built_when_they_are_of_this_source(
    install: Install, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(images, "SOURCES", {KAMAILIO: ("setup.py",)})
    install("podman", engine(label=sources_digest(TREE, ("setup.py",))))
    make_images(lambda _: None)
    assert [line.split()[2] for line in told()] == ["inspect"]


def test_a_base_that_is_missing_is_made_first(install: Install, told: Told) -> None:
    install("podman", engine(base=1))
    install("unshare", 'shift; exec "$@"')
    install("debootstrap", 'mkdir -p "$3"')
    make_images(lambda _: None)
    programs = [line.split()[0] for line in told()]
    first_build = next(number for number, line in enumerate(told()) if line.startswith("podman build"))
    assert programs.index("debootstrap") < first_build


def test_a_build_that_fails_is_told_with_its_last_words(install: Install) -> None:
    install("podman", engine(build="echo 'E: Unable to locate package'; exit 100"))
    with pytest.raises(RuntimeFailure, match=r"image mclab-kamailio: podman build failed\n  E: Unable to locate"):
        make_images(lambda _: None)


def test_an_engine_that_does_not_work_is_told(install: Install) -> None:
    install("podman", "echo 'Error: cannot open storage' >&2; exit 125")
    with pytest.raises(
        RuntimeFailure, match=r"^podman image: cannot open storage; see what podman info says, packaging/set-up"
    ):
        make_images(lambda _: None)


def test_without_an_engine_it_says_so(install: Install) -> None:
    with pytest.raises(RuntimeFailure, match="podman is not installed"):
        make_images(lambda _: None)


def test_the_digest_changes_with_content_and_name_and_not_with_compiled_files(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    file = tmp_path / "a" / "one.py"
    file.write_text("1\n")
    first = sources_digest(tmp_path, ("a",))
    (tmp_path / "a" / "__pycache__").mkdir()
    (tmp_path / "a" / "__pycache__" / "one.pyc").write_text("x")
    (tmp_path / "a" / "fast.so").write_text("x")
    assert sources_digest(tmp_path, ("a",)) == first
    file.write_text("2\n")
    second = sources_digest(tmp_path, ("a",))
    file.rename(tmp_path / "a" / "two.py")
    assert len({first, second, sources_digest(tmp_path, ("a",))}) == 3


@pytest.mark.parametrize("name", IMAGES)
def test_what_an_image_is_made_of_is_there(name: str) -> None:
    assert [source for source in SOURCES[name] if not (TREE / source).exists()] == []
    containerfile = Path(build_command(name, "d")[-2])
    assert "\nFROM debian:bookworm-slim" in containerfile.read_text()
    copied = [line.split()[1] for line in containerfile.read_text().splitlines() if line.startswith("COPY ")]
    inside = [one for one in copied if not one.startswith("--from")]
    assert [one for one in inside if not any(one == s or one.startswith(f"{s}/") for s in SOURCES[name])] == []


def test_an_index_of_ones_own_is_handed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "https://index.example/simple")
    assert "PIP_INDEX_URL=https://index.example/simple" in build_command(PYTHON, "d")
