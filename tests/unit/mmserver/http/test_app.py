"""The application that both servers build on."""

from starlette.testclient import TestClient

from mmserver.http.access import RouteGroup
from mmserver.http.app import create_app, no_content


def client(missing: str | None) -> TestClient:
    async def readiness() -> str | None:
        return missing

    app = create_app(title="T", description="D", groups=(RouteGroup.for_clients("/csc-x", ["x"]),), readiness=readiness)
    return TestClient(app)


def test_health_and_readiness_ask_for_no_name() -> None:
    assert client(None).get("/health").json() == {"status": "up"}
    assert client(None).get("/ready").json() == {"status": "ready"}


def test_readiness_names_what_is_missing() -> None:
    response = client("store: locked").get("/ready")
    assert (response.status_code, response.json()["detail"]) == (503, "store: locked")


def test_the_openapi_document_has_problem_details() -> None:
    document = client(None).get("/openapi.json").json()
    assert "step" in document["components"]["schemas"]["Problem"]["properties"]
    assert "application/problem+json" in document["paths"]["/ready"]["get"]["responses"]["503"]["content"]


def test_there_is_no_documentation_page_from_elsewhere() -> None:
    assert client(None).get("/docs").status_code == 404


def test_no_content_is_empty() -> None:
    assert (no_content().status_code, no_content().body) == (204, b"")
