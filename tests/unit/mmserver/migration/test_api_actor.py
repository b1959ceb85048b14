"""Who asks is who the certificate names; what is for administrators is for nobody else."""

from typing import Any

import pytest
from fastapi import Request
from starlette.testclient import TestClient

from mmserver.messages import Role
from mmserver.migration.api import Parts, create_api
from mmserver.migration.api_actor import actor_of, lifting
from mmserver.migration.config import ClientsTable
from mmserver.migration.errors import BindingUnknown
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
    ("POST", "/csc-x/v1/withdrawals"),
    ("POST", "/csc-x/v1/withdrawals/w%20/restore"),
]
NOT_VALID = {"role": "neither", "after": "-1", "first_line": "0"}


def app_for(name: str, clients: ClientsTable, server: Any = None) -> TestClient:
    """Return a client whose certificate says ``name``; nothing lies behind the API, so what is let in gets a 4xx."""
    nothing: Any = None

    async def ready() -> str | None:
        return None

    parts = Parts(server, nothing, nothing, nothing, nothing, nothing, MmsMetrics.of_nothing(), ready, nothing, nothing)
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


SPLIT = ClientsTable(csc_x=("cms.mc2.lab",), administrators=("admin.mc2.lab",))


def test_the_cms_asks_for_all_else() -> None:
    for path in ("/csc-x/v1/bindings", "/csc-x/v1/withdrawals"):
        assert app_for("cms.mc2.lab", SPLIT).get(path, params=NOT_VALID).status_code == 422
    for path in ("primary-mc-system-sip-identities", "bindings/b-1/confirm", "bindings/b-1/release"):
        assert app_for("cms.mc2.lab", SPLIT).post(f"/csc-x/v1/{path}", json={"surplus": 1}).status_code == 422


@pytest.mark.parametrize(
    ("name", "disabler", "may"),
    [
        ("cms.mc2.lab", "cms.mc2.lab", True),
        ("cms.mc2.lab", "admin.mc2.lab,desk.mc2.lab", False),
        ("admin.mc2.lab", "admin.mc2.lab", True),
        ("admin.mc2.lab", "cms.mc2.lab", True),
    ],
)
def test_what_an_administrator_has_disabled_only_one_enables(name: str, disabler: str, may: bool) -> None:
    assert lifting(("Admin.mc2.lab",), request(name))(disabler) is may


class OneBinding:
    """Knows one binding, of a role."""

    def __init__(self, role: Role) -> None:
        self.role = role

    async def get(self, handle: str) -> "OneBinding":
        if handle != "b-1":
            raise BindingUnknown("no such binding")
        return self


@pytest.mark.parametrize("action", ["disable", "enable"])
@pytest.mark.parametrize(
    ("name", "role", "clients", "status"),
    [
        ("cms.mc2.lab", Role.PARTNER, SPLIT, 422),  # let in: CSC-17 withdraw and restore of a partner's user
        ("cms.mc2.lab", Role.PRIMARY, SPLIT, 403),
        ("admin.mc2.lab", Role.PRIMARY, SPLIT, 422),
        ("cms.mc2.lab", Role.PRIMARY, ClientsTable(csc_x=("cms.mc2.lab",)), 422),
    ],
)
def test_the_cms_decides_for_users_of_a_partner_only(
    action: str, name: str, role: Role, clients: ClientsTable, status: int
) -> None:
    http = app_for(name, clients, OneBinding(role))
    answer = http.post(f"/csc-x/v1/bindings/b-1/{action}", json={"surplus": 1})
    assert answer.status_code == status
    assert status != 403 or answer.json()["type"].endswith(":client-not-allowed")
    if name != "admin.mc2.lab" and clients.administrators:
        assert http.post(f"/csc-x/v1/bindings/b-2/{action}", json={}).status_code == 404
