"""Orders that cannot be carried out are named in one line; a run does not write over what is there."""

from pathlib import Path

import pytest

from lab.commands import runs
from lab.commands.errors import Misuse
from lab.commands.runs import RunOrder


def test_every_scenario_is_listed_with_what_it_proves() -> None:
    listed = {one["name"]: one for one in runs.scenarios()}
    assert len(listed["migration"]["proves"]) == 30
    assert (listed["migration"]["long"], listed["dead-hops"]["long"]) == (False, True)


@pytest.mark.parametrize(
    ("order", "said"),
    [
        (RunOrder(names=()), "which scenario"),
        (RunOrder(names=("native",), every=True), "either --all or names"),
        (RunOrder(names=("migraton",)), "did you mean migration"),
        (RunOrder(names=("native", "migration"), directory=Path("x")), "for one run only"),
        (RunOrder(names=("native",), topology=Path("none.toml")), "No such file"),
    ],
)
def test_an_order_that_cannot_be_carried_out_is_named(order: RunOrder, said: str) -> None:
    with pytest.raises(Misuse, match=said):
        runs.run(order, lambda _: None, show=False)


def test_a_run_does_not_write_over_what_is_there(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("keep me")
    with pytest.raises(Misuse, match="not empty"):
        runs.run(RunOrder(names=("native",), directory=tmp_path), lambda _text: None, show=False)
    assert [file.name for file in tmp_path.iterdir()] == ["mine.txt"]
