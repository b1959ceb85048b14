"""A trial of AKA is remembered for the same octets only, and believed only from a folder that is the user's alone."""

from pathlib import Path

import pytest

from ue_agent.trial_memory import digest_of_what_is_tried, own_folder, recall, remember

DIGEST = "0" * 64


def test_a_trial_that_went_well_is_remembered(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "folder"
    assert recall(folder, DIGEST) is None
    remember(folder, DIGEST, "hooked")
    assert recall(folder, DIGEST) == "hooked"
    assert [(file.name, file.stat().st_mode & 0o777) for file in folder.iterdir()] == [(DIGEST, 0o600)]
    assert folder.stat().st_mode & 0o777 == 0o700


def test_it_holds_for_those_octets_only(tmp_path: Path) -> None:
    remember(tmp_path, DIGEST, "native")
    assert recall(tmp_path, "1" * 64) is None


@pytest.mark.parametrize("text", ["", "yes", "hooked or so", "h\u00f6\u00f6ked"])
def test_what_it_would_not_write_it_does_not_read(tmp_path: Path, text: str) -> None:
    remember(tmp_path, DIGEST, "hooked")
    (tmp_path / DIGEST).write_text(text)
    assert recall(tmp_path, DIGEST) is None


def test_a_folder_that_others_may_write_to_is_neither_read_nor_written(tmp_path: Path) -> None:
    remember(tmp_path, DIGEST, "hooked")
    tmp_path.chmod(0o770)
    assert recall(tmp_path, DIGEST) is None
    remember(tmp_path, "1" * 64, "hooked")
    assert not (tmp_path / ("1" * 64)).exists()


def test_a_note_that_others_may_write_to_is_not_read(tmp_path: Path) -> None:
    remember(tmp_path, DIGEST, "hooked")
    (tmp_path / DIGEST).chmod(0o620)
    assert recall(tmp_path, DIGEST) is None


@pytest.mark.parametrize("which", ["folder", "note"])
def test_a_link_is_not_followed(tmp_path: Path, which: str) -> None:
    real = tmp_path / "real"
    remember(real, DIGEST, "hooked")
    linked = tmp_path / "linked"
    if which == "folder":
        linked.symlink_to(real)
    else:
        linked.mkdir(mode=0o700)
        (linked / DIGEST).symlink_to(real / DIGEST)
    assert recall(linked, DIGEST) is None


def test_a_place_where_nothing_can_be_written_costs_the_note_only(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    remember(tmp_path / "file" / "folder", DIGEST, "hooked")
    assert recall(tmp_path / "file" / "folder", DIGEST) is None


def test_the_folder_is_of_the_user_who_runs_us(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/elsewhere")
    monkeypatch.setenv("XDG_CACHE_HOME", "/elsewhere")
    assert not own_folder().is_relative_to("/elsewhere")


def test_the_digest_is_that_of_the_bindings() -> None:
    first = digest_of_what_is_tried()
    assert first is not None
    assert len(first) == 64
    assert digest_of_what_is_tried() == first


@pytest.mark.parametrize("layout", ["package", "module"])
def test_another_build_has_another_digest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, layout: str) -> None:
    folder = tmp_path / "pjsua2" if layout == "package" else tmp_path
    folder.mkdir(exist_ok=True)
    (folder / "__init__.py" if layout == "package" else folder / "pjsua2.py").touch()
    bindings = folder / "_pjsua2.so"
    bindings.write_bytes(b"one build")
    monkeypatch.syspath_prepend(tmp_path)
    module = next(folder.glob("*.py"))
    digests = {digest_of_what_is_tried()}
    bindings.write_bytes(b"another build")
    digests.add(digest_of_what_is_tried())
    module.write_text("raise ImportError('no bindings')\n")  # the same object behind a module that does not load
    digests.add(digest_of_what_is_tried())
    assert len(digests - {None}) == 3


def test_without_pjsua2_there_is_no_digest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "pjsua2").mkdir()
    (tmp_path / "pjsua2" / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    assert digest_of_what_is_tried() is None
