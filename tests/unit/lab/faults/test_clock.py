"""libfaketime's settings, and what it leaves behind."""

from pathlib import Path

import pytest

from lab.faults.clock import NoFaketime, forget_shared_memory, skewed


def test_a_program_is_given_the_library_and_its_skew(tmp_path: Path) -> None:
    library = tmp_path / "x86_64-linux-gnu" / "faketime" / "libfaketimeMT.so.1"
    library.parent.mkdir(parents=True)
    library.touch()
    environment = skewed(-7200, (tmp_path, "*/faketime/libfaketimeMT.so.1"))
    assert environment == {
        "LD_PRELOAD": str(library),
        "FAKETIME": "-7200",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }
    assert skewed(60, (tmp_path, "*/faketime/libfaketimeMT.so.1"))["FAKETIME"] == "+60"


def test_a_machine_without_it_is_told_what_to_install(tmp_path: Path) -> None:
    with pytest.raises(NoFaketime, match="make set-up"):
        skewed(1, (tmp_path, "*"))


def test_shared_memory_of_a_killed_program_goes_and_that_of_others_stays(tmp_path: Path) -> None:
    for name in ("faketime_shm_7", "sem.faketime_sem_7", "faketime_shm_77"):
        (tmp_path / name).touch()
    forget_shared_memory(7, tmp_path)
    forget_shared_memory(8, tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ["faketime_shm_77"]
