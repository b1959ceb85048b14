"""Each example of the OpenAPI document is one that the operation would take."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from mmserver import messages
from mmserver.configuration import api_admin, dry_run, terms
from mmserver.configuration.api_examples import ADMITTED_AGREEMENT, EXAMPLES
from mmserver.configuration.server import openapi_document

MODELS: dict[str, type[BaseModel]] = {
    name: model
    for module in (messages, terms, dry_run, api_admin)
    for name, model in vars(module).items()
    if isinstance(model, type) and issubclass(model, BaseModel)
}


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_is_a_good_request(name: str, files: Path) -> None:
    value = dict(EXAMPLES[name])
    if "ca" in value:
        value["ca"] = (files / "ca.pem").read_text()
    MODELS[name].model_validate(value)


def test_the_answer_to_an_agreement_is_one_that_is_given(files: Path) -> None:
    agreement = {**ADMITTED_AGREEMENT["agreement"], "ca": (files / "ca.pem").read_text()}
    api_admin.AgreementSet.model_validate({**ADMITTED_AGREEMENT, "agreement": agreement})


def test_every_request_body_has_one() -> None:
    bodies: list[dict[str, Any]] = [
        operation["requestBody"]["content"]["application/json"]
        for item in openapi_document()["paths"].values()
        for operation in item.values()
        if "requestBody" in operation
    ]
    assert len(bodies) > 10
    assert all("examples" in body for body in bodies)
