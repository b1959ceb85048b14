"""An example that its own model refuses would teach the wrong thing."""

import pytest
from pydantic import BaseModel

from mmserver import messages
from mmserver.migration import bodies
from mmserver.migration.api_examples import EXAMPLES
from mmserver.migration.service import openapi_document


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_is_taken_by_its_model(name: str) -> None:
    model: type[BaseModel] = getattr(messages, name, None) or getattr(bodies, name)
    model.model_validate(EXAMPLES[name])


def test_every_body_has_an_example() -> None:
    for path in openapi_document()["paths"].values():
        for operation in path.values():
            for content in operation.get("requestBody", {}).get("content", {}).values():
                assert "example" in content or "examples" in content, operation["operationId"]
