"""What a host runs is a value: nobody changes it, and what is not said is nothing."""

import dataclasses

import pytest

from lab.render.program import Program


def test_a_program_alone_needs_nothing_and_says_on_its_output_that_it_is_ready() -> None:
    program = Program("hss.mc1", ("hss", "run"))
    assert (program.before, program.needs, program.ready, program.commands) == ((), (), "stdout", False)
    with pytest.raises(dataclasses.FrozenInstanceError):
        program.host = "hss.mc2"  # type: ignore[misc]
