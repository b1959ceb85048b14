"""What every supervisor is told, and what is refused before one is started."""

from pathlib import Path

import pytest

from lab.commands.errors import Failure, Misuse
from lab.commands.starting import (
    check_topology,
    prepare_runtime,
    supervised,
    supervisor_log,
    supervisor_options,
)
from lab.topology import DEFAULT_FILE


def test_a_topology_is_read_as_the_lab_will(tmp_path: Path) -> None:
    assert check_topology(None, ("mc1",)) == ("mc1",)
    assert check_topology(None, ()) == ()
    with pytest.raises(Misuse, match="no system mc9; there are mc1, mc2, mc3"):
        check_topology(None, ("mc9",))
    with pytest.raises(Misuse, match="No such file"):
        check_topology(tmp_path / "none.toml", ())


def test_a_topology_without_mc1_and_mc2_comes_up_whole(tmp_path: Path) -> None:
    text = DEFAULT_FILE.read_text().replace("mc1", "home").replace("mc2", "away")
    (tmp_path / "own.toml").write_text(text)
    assert check_topology(tmp_path / "own.toml", ()) == ("home", "away", "mc3")


def test_a_topology_of_ones_own_is_passed_on_whole(tmp_path: Path) -> None:
    told = supervisor_options("ab12", tmp_path, None, "containers")
    assert told == ["--lab-id", "ab12", "--directory", str(tmp_path), "--runtime", "containers"]
    assert supervisor_options("ab12", tmp_path, Path("own.toml"))[-1] == str(Path.cwd() / "own.toml")


def test_containers_without_an_engine_fail_before_a_lab_is_begun(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    prepare_runtime("netns", lambda _: None)
    with pytest.raises(Failure, match=r"^no container engine: podman is not installed; .* installs it$"):
        prepare_runtime("containers", lambda _: None)


def test_a_directory_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with (
        pytest.raises(Misuse, match="file/run: Not a directory"),
        supervised([], tmp_path / "file" / "run", lambda _: None),
    ):
        raise AssertionError("it was started")


def test_ctrl_c_takes_the_lab_down_and_says_so_first(tmp_path: Path) -> None:
    """The supervisor is a real one, with a topology that it refuses: it ends by itself, and is waited for."""
    said: list[str] = []
    options = supervisor_options("zzzz", tmp_path / "run", tmp_path / "none.toml")
    with pytest.raises(KeyboardInterrupt), supervised(options, tmp_path / "run", said.append) as supervisor:
        assert [event["event"] for event in supervisor.events()] == ["failed"]
        raise KeyboardInterrupt
    assert said == ["interrupted: taking the lab down"]
    assert (supervisor.exit_status, supervisor.was_killed, supervisor.is_to_stay) == (1, False, False)


def test_a_supervisor_that_ended_early_is_shown_with_the_end_of_its_log(tmp_path: Path) -> None:
    (tmp_path / "log").mkdir()
    (tmp_path / "log" / "supervisor.log").write_text("one\ntwo\n")
    assert supervisor_log(tmp_path).splitlines()[1:] == ["  one", "  two"]
