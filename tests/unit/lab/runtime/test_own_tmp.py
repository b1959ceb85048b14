"""A /tmp of its own: in a real mount namespace, what is kept is seen and what is left behind goes."""

import os
import subprocess
from pathlib import Path

import pytest

from lab.runtime.own_tmp import litters, own_tmp


def _in_it(kept: list[Path], script: str) -> str:
    root = [] if os.geteuid() == 0 else ["--map-root-user"]
    argv = ["unshare", *root, "--mount", "sh", "-c", f"{own_tmp(kept)} && {script}"]
    return subprocess.run(argv, check=True, capture_output=True, text=True, timeout=10).stdout


def test_what_a_program_leaves_in_tmp_goes_with_it(tmp_path: Path) -> None:
    name = tmp_path.name
    assert _in_it([], f"mkfifo /tmp/{name}.pipe && ls -A /tmp && stat -c %a /tmp") == f"{name}.pipe\n1777\n"
    assert not Path(f"/tmp/{name}.pipe").exists()


@pytest.mark.parametrize("name", ["run", "a run's folder"])
def test_folders_in_tmp_are_kept_at_their_place(tmp_path: Path, name: str) -> None:
    folder = tmp_path / name
    folder.mkdir()
    (folder / "values.cfg").write_text("here\n")
    place = f'"{folder}"'
    assert _in_it([folder, tmp_path], f"cat {place}/values.cfg && echo new > {place}/table") == "here\n"
    assert (folder / "table").read_text() == "new\n"


def test_folders_elsewhere_are_untouched() -> None:
    assert "--bind" not in own_tmp([Path("/srv/run"), Path("/tmpfiles")])


def test_kamailio_litters_and_others_do_not() -> None:
    assert litters(["kamailio", "-DD"]) and litters(["/usr/sbin/kamailio"])
    assert not litters(["mmserver", "kamailio"])
