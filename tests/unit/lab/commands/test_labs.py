"""Labs asked and changed: what cannot mean anything is named in one line."""

from pathlib import Path

import pytest

from lab.commands import labs
from lab.commands.errors import Misuse


def quiet(_: str) -> None: ...


def test_a_value_that_is_no_assignment_is_named() -> None:
    with pytest.raises(Misuse, match="register: wanted name=value"):
        labs.tell("ab12", "ue1", "register", ("register",))


@pytest.mark.parametrize("lab", ["ffff0", "no such"])
def test_a_lab_that_is_not_there_is_named(lab: str) -> None:
    with pytest.raises(Misuse, match=f"there is no lab {lab}"):
        labs.down(lab, every=False, say=quiet)
    with pytest.raises(Misuse, match=f"there is no lab {lab}"):
        labs.status(lab)


def test_a_request_needs_a_lab() -> None:
    with pytest.raises(Misuse, match=r"there is no lab; mclab up makes one|which of "):
        labs.change("ffff0", {"command": "status"})


def test_a_topology_that_cannot_be_used_is_named_before_anything_starts(tmp_path: Path) -> None:
    with pytest.raises(Misuse, match="no system mc9"):
        labs.up(None, ("mc9",), tmp_path / "run", quiet)
    assert not (tmp_path / "run").exists()
