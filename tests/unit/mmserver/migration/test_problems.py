"""Every refusal is documented where it can occur, with its status and an example."""

from typing import Any

import pytest

from mmserver.http.problems import MEDIA_TYPE
from mmserver.migration.errors import Refusal
from mmserver.migration.problems import OF_THE_STORE, OPERATIONS, responses_of
from mmserver.migration.service import openapi_document

OPERATION_IDS = [one["operationId"] for path in openapi_document()["paths"].values() for one in path.values()]


def refusals(kind: type[Refusal]) -> set[str]:
    return {code for below in kind.__subclasses__() for code in {below.code} | refusals(below)}


def test_every_refusal_belongs_to_an_operation() -> None:
    documented = {kind.name for kinds in OPERATIONS.values() for kind in (*kinds, *OF_THE_STORE)}
    assert documented >= refusals(Refusal)


def test_every_operation_of_ours_has_its_row() -> None:
    assert set(OPERATION_IDS) - {"health", "ready", "metrics"} == set(OPERATIONS)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_problem_is_shown_under_its_status_with_an_example(operation: str) -> None:
    documented: dict[Any, Any] = responses_of(operation)
    for kind in OPERATIONS[operation]:
        value = documented[kind.status]["content"][MEDIA_TYPE]["examples"][kind.name]["value"]
        assert (value["type"].rpartition(":")[2], value["status"]) == (kind.name, kind.status)
    assert {"client-not-allowed"} <= set(documented[403]["content"][MEDIA_TYPE]["examples"])
