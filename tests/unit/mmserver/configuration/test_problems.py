"""Every refusal stands in the OpenAPI document, with an example."""

from typing import Any

import pytest

from mmserver.configuration import errors
from mmserver.configuration.problems import PARTS, responses_of
from mmserver.migration import errors as migration
from mmserver.migration.api import STATUSES


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


OF_OTHER_OPERATIONS = {
    "unknown-binding",
    "binding-exists",
    "identities-not-paired",
    "unknown-withdrawal",
    "still-withdrawn",
    "reload-refused",
}


def test_what_the_migration_management_server_refuses_is_documented_where_it_is_passed_on() -> None:
    def below(kind: type[Any]) -> list[type[Any]]:
        return [one for child in kind.__subclasses__() for one in (child, *below(child))]

    passed_on = {
        one.code: STATUSES[one.kind] for one in below(migration.Refusal) if one.code not in OF_OTHER_OPERATIONS
    }
    documented = {(kind.name, kind.status) for kind in PARTS["csc-4"]}
    assert set(passed_on.items()) <= documented
