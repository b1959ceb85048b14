"""Every refusal is problem details (RFC 9457), what a library would have said included."""

from dataclasses import replace

from fastapi import FastAPI
from starlette.testclient import TestClient

from mmserver.http.problems import (
    MEDIA_TYPE,
    TOO_MANY_REQUESTS,
    ProblemFound,
    ProblemKind,
    install_problem_handlers,
    install_translation,
    problem_responses,
)
from mmserver.messages import Coordinates, Problem


class Trouble(Exception):
    """Something of a program's own."""


def client() -> TestClient:
    app = FastAPI()
    install_problem_handlers(app)
    install_translation(app, Trouble, lambda exc: Problem(type="urn:x", title="t", status=503, detail=str(exc)))

    @app.get("/refused")
    async def refused() -> None:
        raise ProblemFound(409, "no-free-partner-set", "No free set", "all taken", step="10.1.X.1-10")

    @app.get("/trouble")
    async def trouble() -> None:
        raise Trouble("the store is gone")

    @app.post("/point")
    async def point(_body: Coordinates) -> None:
        return None

    return TestClient(app)


def test_a_refusal_has_type_step_and_detail() -> None:
    response = client().get("/refused")
    assert response.headers["content-type"] == MEDIA_TYPE
    assert response.json() == {
        "type": "urn:mc-migration:problem:no-free-partner-set",
        "title": "No free set",
        "status": 409,
        "detail": "all taken",
        "step": "10.1.X.1-10",
    }


def test_a_programs_own_exception_is_translated_and_may_be_tried_again() -> None:
    response = client().get("/trouble")
    assert (response.status_code, response.headers["retry-after"]) == (503, "1")
    assert response.json()["detail"] == "the store is gone"


def test_an_invalid_body_is_named_by_place_and_never_repeated() -> None:
    response = client().post("/point", json={"latitude": 1, "longitude": "secret"})
    assert (response.status_code, response.headers["content-type"]) == (422, MEDIA_TYPE)
    assert "body.longitude" in response.json()["detail"]
    assert "secret" not in response.text


def test_an_unknown_route_and_a_wrong_method_are_problems() -> None:
    for response, name in ((client().get("/nowhere"), "not-found"), (client().put("/point"), "method-not-allowed")):
        assert response.headers["content-type"] == MEDIA_TYPE
        assert response.json()["type"] == f"urn:mc-migration:problem:{name}"


def test_a_problem_of_two_steps_has_an_example_of_each() -> None:
    fourth, ninth = (replace(TOO_MANY_REQUESTS, step=f"10.1.X.1-{step}") for step in ("4", "9"))
    examples = problem_responses(TOO_MANY_REQUESTS, fourth, ninth, fourth)[429]["content"][MEDIA_TYPE]["examples"]
    assert {name: one["value"].get("step") for name, one in examples.items()} == {
        "too-many-requests": None,
        "too-many-requests-10.1.X.1-4": "10.1.X.1-4",
        "too-many-requests-10.1.X.1-9": "10.1.X.1-9",
    }


def test_each_problem_is_documented_with_an_example() -> None:
    other = ProblemKind(429, "quota-reached", "No more users", step="10.1.X.1-3")
    documented = problem_responses(TOO_MANY_REQUESTS, other)
    assert list(documented) == [429]
    examples = documented[429]["content"][MEDIA_TYPE]["examples"]
    assert set(examples) == {"too-many-requests", "quota-reached"}
    assert examples["quota-reached"]["value"] == {
        "type": "urn:mc-migration:problem:quota-reached",
        "title": "No more users",
        "status": 429,
        "detail": "",
        "step": "10.1.X.1-3",
    }
