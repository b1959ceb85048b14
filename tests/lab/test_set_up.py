"""Set-up on a system where something is missing: one line that says what, and nothing is installed.

The real script in a mount namespace of its own: another /etc/os-release lies over the machine's, and the folder of
Kamailio's modules is empty.
"""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

pytestmark = pytest.mark.lab
SET_UP = Path(__file__).resolve().parents[2] / "packaging" / "set-up.sh"
FEDORA = 'ID=fedora\nVERSION_ID=40\nPRETTY_NAME="Fedora Linux 40"\n'
MODULES = "/usr/lib/x86_64-linux-gnu/kamailio/modules"
# $1 the release file, $2 the folder to hide or nothing
ENTER = 'mount --bind "$1" /etc/os-release && { [ -z "$2" ] || mount -t tmpfs none "$2"; } && exec bash "$0" "${@:3}"'

# $1 the new root, $2 the project
CHROOT = """
cd "$1" && mkdir -p usr etc dev "./$2" && ln -sfn usr/bin usr/sbin usr/lib usr/lib64 . || exit
for part in usr etc dev; do mount --rbind "/$part" "$part" || exit; done
mount --bind "$2" "./$2" && exec chroot . bash "$2/packaging/set-up.sh" "${@:3}"
"""


def set_up(folder: Path, release: str, hidden: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    assert os.geteuid() == 0, "a mount namespace needs root"
    file = folder / "os-release"
    file.write_text(release)
    command = ["unshare", "--mount", "bash", "-c", ENTER, str(SET_UP), str(file), hidden, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def test_on_another_system_one_line_says_what_is_missing(tmp_path: Path) -> None:
    done = set_up(tmp_path, FEDORA, MODULES, "--packages-only", "lab")
    assert done.returncode == 1
    assert done.stderr == (
        "set-up: error: missing here: kamailio-ims-modules kamailio-presence-modules - install them "
        "(names of Debian 12; this is Fedora Linux 40) and run again\n"
    )


def test_another_system_that_has_everything_will_do(tmp_path: Path) -> None:
    done = set_up(tmp_path, FEDORA, "", "--packages-only", "lab")
    assert (done.returncode, done.stderr) == (0, "set-up: Debian packages for lab: all here\nset-up: ready\n")


def test_a_group_that_is_none_is_named(tmp_path: Path) -> None:
    done = set_up(tmp_path, FEDORA, "", "--packages-only", "labb")
    assert done.returncode == 1
    assert done.stderr.startswith("set-up: error: no such group: labb (known: ")


def test_a_user_whose_path_has_no_sbin_finds_the_labs_tools() -> None:
    shown = subprocess.run(
        ["make", "--no-print-directory", "-n", "demo"],
        cwd=SET_UP.parents[1], env={"PATH": "/usr/bin:/bin"}, capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    command = shown.stdout.splitlines()[-1].split()
    (path,) = [word.removeprefix("PATH=").split(":") for word in command if word.startswith("PATH=")]
    assert command[-5:] == [".venv/bin/mclab", "run", "migration", "--runtime", "netns"]
    assert path[0] == str(SET_UP.parents[1] / ".venv" / "bin")
    assert "/usr/sbin" in path


def test_a_root_that_is_closed_to_other_users_is_opened_for_postgresql(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir(mode=0o700)
    command = ["unshare", "--mount", "bash", "-c", CHROOT, "-", str(root), str(SET_UP.parents[1])]
    command += ["--packages-only", "database"]
    lines = []
    for _ in range(2):
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == 0, done.stderr
        lines.append(done.stderr.splitlines())
    assert [line for line in lines[0] if line.startswith("set-up: / has mode 700")]
    assert root.stat().st_mode & 0o777 == 0o755
    assert lines[1] == ["set-up: Debian packages for database: all here", "set-up: ready"]


def set_up_python(project: Path, **environment: str) -> "subprocess.CompletedProcess[str]":
    """Run the script for a project that pip cannot install, so that it ends once the environment has been made."""
    (project / "packaging").mkdir()
    shutil.copy(SET_UP, project / "packaging")
    (project / "pyproject.toml").write_text("of no use\n")
    command = ["bash", "packaging/set-up.sh", "python"]
    return subprocess.run(
        command, cwd=project, env={**os.environ, **environment}, capture_output=True, text=True, check=False, timeout=60
    )


def test_the_systems_own_python_comes_before_one_in_the_path(tmp_path: Path) -> None:
    other = tmp_path / "bin" / "python3.11"
    other.parent.mkdir()
    other.symlink_to("/usr/bin/python3")
    project = tmp_path / "project"
    project.mkdir()
    done = set_up_python(project, PATH=f"{other.parent}:{os.environ['PATH']}")
    assert "(/usr/bin/python3) and installing" in done.stderr
    assert "set-up: error: pip install failed" in done.stderr
    assert "home = /usr/bin\n" in (project / ".venv" / "pyvenv.cfg").read_text()


def test_another_python_is_taken_where_it_is_named(tmp_path: Path) -> None:
    other = tmp_path / "python3"
    other.symlink_to("/usr/bin/python3")
    project = tmp_path / "project"
    project.mkdir()
    done = set_up_python(project, PYTHON=str(other))
    assert f"({other}) and installing" in done.stderr


def test_an_environment_of_another_python_is_made_anew_where_one_is_named(tmp_path: Path) -> None:
    other = tmp_path / "other" / "bin" / "python3"
    other.parent.mkdir(parents=True)
    other.write_text('#!/bin/sh\nexec /usr/bin/python3 "$@"\n')
    other.chmod(0o755)
    project = tmp_path / "project"
    project.mkdir()
    set_up_python(project)
    (project / ".venv" / "mark").touch()
    shutil.rmtree(project / "packaging")
    done = set_up_python(project, PYTHON=str(other))
    assert (project / ".venv" / "mark").exists(), "it is the same Python by another name"
    assert "bringing .venv (Python 3.1" in done.stderr
    other.write_text('#!/bin/sh\ncase $2 in *base_prefix*) echo /opt 3 11 9; exit;; esac\nexec /usr/bin/python3 "$@"\n')
    shutil.rmtree(project / "packaging")
    done = set_up_python(project, PYTHON=str(other))
    assert f".venv is of another Python than {other}: making it anew" in done.stderr
    assert not (project / ".venv" / "mark").exists()


def test_a_python_that_is_none_is_named(tmp_path: Path) -> None:
    done = set_up_python(tmp_path, PYTHON="/bin/false")
    assert done.returncode == 1
    assert done.stderr.endswith("set-up: error: PYTHON=/bin/false is no Python 3.11 or 3.12 with venv\n")
    assert not (tmp_path / ".venv").exists()
