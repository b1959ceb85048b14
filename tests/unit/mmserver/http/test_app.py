"""The application that both servers build on."""

from starlette.testclient import TestClient

from mmserver.http.access import RouteGroup
from mmserver.http.app import create_app, create_metrics_app, no_content
from mmserver.http.metrics import Metrics
from mmserver.http.readiness import STORE, Missing


def client(missing: str | None) -> TestClient:
    async def readiness() -> Missing | None:
        return None if missing is None else Missing(STORE, missing)

    app = create_app(title="T", description="D", groups=(RouteGroup.for_clients("/csc-x", ["x"]),), readiness=readiness)
    return TestClient(app)


def test_health_and_readiness_ask_for_no_name() -> None:
    assert client(None).get("/health").json() == {"status": "up"}
    assert client(None).get("/ready").json() == {"status": "ready"}


def test_readiness_names_what_is_missing() -> None:
    response = client("store: locked").get("/ready")
    assert (response.status_code, response.json()["detail"]) == (503, "store: locked")
    assert response.json()["type"] == "urn:mc-migration:problem:store-unavailable"


def test_the_openapi_document_has_problem_details() -> None:
    document = client(None).get("/openapi.json").json()
    assert "step" in document["components"]["schemas"]["Problem"]["properties"]
    assert "application/problem+json" in document["paths"]["/ready"]["get"]["responses"]["503"]["content"]


def test_there_is_no_documentation_page_from_elsewhere() -> None:
    assert client(None).get("/docs").status_code == 404


def test_a_path_with_one_slash_too_many_is_not_found_and_leads_nowhere() -> None:
    answer = client(None).get("/ready/", headers={"host": "evil.example"}, follow_redirects=False)
    assert (answer.status_code, answer.json()["type"]) == (404, "urn:mc-migration:problem:not-found")
    assert "location" not in answer.headers


def test_no_content_is_empty() -> None:
    assert (no_content().status_code, no_content().body) == (204, b"")


def as_client(name: str) -> TestClient:
    async def readiness() -> Missing | None:
        return None

    app = create_app(title="T", description="D", groups=(), readiness=readiness, metrics_clients=["prometheus.mc1.lab"])

    async def with_name(scope, receive, send) -> None:
        scope.setdefault("extensions", {})["tls"] = {"client_names": frozenset({name})}
        await app(scope, receive, send)

    return TestClient(with_name)


def test_metrics_are_for_those_who_are_named() -> None:
    assert client(None).get("/metrics").status_code == 403
    assert as_client("cms.mc1.lab").get("/metrics").status_code == 403
    scrape = as_client("prometheus.mc1.lab")
    scrape.get("/health")
    scrape.get("/made-up")
    text = scrape.get("/metrics").text
    assert 'http_requests_total{operation="health",status="200"} 1.0' in text
    assert 'http_requests_total{operation="none",status="404"} 1.0' in text
    assert 'http_request_seconds_count{operation="health"} 1.0' in text


def test_a_listener_of_its_own_serves_metrics_and_nothing_of_the_api() -> None:
    async def readiness() -> Missing | None:
        return Missing(STORE, "store")

    metrics = Metrics()
    metrics.counter("things", "Things.").add()
    listener = TestClient(create_metrics_app(metrics, readiness))
    assert "things_total 1.0" in listener.get("/metrics").text
    assert (listener.get("/health").status_code, listener.get("/ready").status_code) == (200, 503)
    assert (listener.get("/openapi.json").status_code, listener.get("/csc-x").status_code) == (404, 404)


def test_every_operation_has_an_example_of_each_problem() -> None:
    document = client(None).get("/openapi.json").json()
    examples = document["paths"]["/health"]["get"]["responses"]["413"]["content"]["application/problem+json"][
        "examples"
    ]
    assert examples["body-too-large"]["value"]["status"] == 413
