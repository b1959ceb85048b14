"""Who asks is who the certificate names; what is for administrators is for nobody else."""

from typing import Any

import pytest
from fastapi import Request
from starlette.testclient import TestClient

from mmserver.migration.api import Parts, create_api
from mmserver.migration.api_actor import actor_of
from mmserver.migration.config import ClientsTable
from mmserver.migration.metrics import MmsMetrics


def request(*names: str) -> Request:
    return Request({"type": "http", "extensions": {"tls": {"client_names": frozenset(names)}}})


def test_the_names_of_the_certificate_are_the_actor() -> None:
    assert actor_of(request("b.lab", "a.lab")) == "a.lab,b.lab"
    assert actor_of(request()) == "nobody"


FOR_ADMINISTRATORS = [
    ("POST", "/csc-x/v1/import"),
    ("GET", "/csc-x/v1/export"),
    ("GET", "/csc-x/v1/audit"),
    ("PUT", "/csc-x/v1/bindings"),
]
NOT_VALID = {"role": "neither", "after": "-1", "first_line": "0"}


def app_for(name: str, clients: ClientsTable) -> TestClient:
    """Return a client whose certificate says ``name``; nothing lies behind the API, so what is let in gets a 4xx."""
    nothing: Any = None

    async def ready() -> str | None:
        return None

    parts = Parts(
        nothing, nothing, nothing, nothing, nothing, nothing, MmsMetrics.of_nothing(), ready, nothing, nothing
    )
    api = create_api(parts, clients)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await api({**scope, "extensions": {"tls": {"client_names": frozenset({name})}}}, receive, send)

    return TestClient(app)


@pytest.mark.parametrize(("method", "path"), FOR_ADMINISTRATORS)
@pytest.mark.parametrize(
    ("name", "administrators", "is_let_in"),
    [
        ("cms.mc2.lab", ("admin.mc2.lab",), False),
        ("admin.mc2.lab", ("Admin.mc2.lab",), True),
        ("cms.mc2.lab", (), True),
        ("admin.mc2.lab", (), False),
    ],
)
def test_what_is_for_administrators_is_not_for_the_cms(
    method: str, path: str, name: str, administrators: tuple[str, ...], is_let_in: bool
) -> None:
    clients = ClientsTable(csc_x=("cms.mc2.lab",), administrators=administrators)
    answer = app_for(name, clients).request(method, path, params=NOT_VALID, json={})
    assert (answer.status_code == 422) is is_let_in
    assert is_let_in or (answer.status_code, answer.json()["type"].rpartition(":")[2]) == (403, "client-not-allowed")


def test_the_cms_asks_for_all_else() -> None:
    clients = ClientsTable(csc_x=("cms.mc2.lab",), administrators=("admin.mc2.lab",))
    for path in ("/csc-x/v1/bindings", "/csc-x/v1/withdrawals"):
        assert app_for("cms.mc2.lab", clients).get(path, params=NOT_VALID).status_code == 422
