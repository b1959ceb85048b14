"""Every refusal stands in the OpenAPI document, with an example."""

import pytest

from mmserver.configuration import errors
from mmserver.configuration.problems import PARTS, responses_of


def refusals(kind: type[errors.Refusal] = errors.Refusal) -> list[type[errors.Refusal]]:
    return [one for below in kind.__subclasses__() for one in (below, *refusals(below))]


def test_no_refusal_is_left_out() -> None:
    documented = {kind.name for kinds in PARTS.values() for kind in kinds}
    named = {one.name for one in refusals() if one is not errors.RefusedElsewhere}
    assert named <= documented


@pytest.mark.parametrize("part", PARTS)
def test_each_problem_has_an_example_of_its_own_status(part: str) -> None:
    for status, response in responses_of(part).items():
        examples = response["content"]["application/problem+json"]["examples"]
        assert examples and all(one["value"]["status"] == status for one in examples.values())
