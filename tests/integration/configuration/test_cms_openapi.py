"""Whatever the CMS's OpenAPI document allows or forbids is answered as it says (schemathesis), over real HTTPS.

A token and client certificates that let in, users and bindings on both sides, and each operation is also asked
something that must succeed.
"""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from mmserver.configuration.server import openapi_document
from tests.integration.configuration.conftest import agreement_at_mms

document: Final = openapi_document()
schema: Final = schemathesis.openapi.from_dict(document)
schema.config.phases.coverage.enabled = False  # hundreds of requests an operation; `generate` finds the same here
CHECKS: Final = [not_a_server_error, content_type_conformance, response_schema_conformance, status_code_conformance]
OPERATIONS: Final = sorted(one["operationId"] for path in document["paths"].values() for one in path.values())
LIMITS: Final = (
    "[limits]\nrequests_per_s = 100000\nburst = 100000\npartner_requests_per_s = 100000\npartner_burst = 100000"
)
INBOUND: Final = {"primary_mc_system": "mc2", "mc_service_ids": ["sip:a@b"]}
RING: Final = [[25, 60], [26, 60], [26, 61], [25, 60]]


def identities(name: str, domain: str = "ims.mc1.lab") -> dict[str, Any]:
    return {"private_user_identity": f"{name}@{domain}", "public_user_identities": [f"sip:{name}@{domain}"]}


STEP_1: Final[dict[str, Any]] = {
    "location_information": {"coordinates": {"latitude": 60.5, "longitude": 26.5}},
    "mc_service_ids": ["sip:alice@mc1.lab"],
    "default_identities": identities("alice"),
}
STEP_7: Final[dict[str, Any]] = {
    "mc_service_ids": ["sip:bob@mc2.lab"],
    "migration_management_server": "mms.mc2.lab",
    "primary_mc_system_sip_identities": identities("mig-7", "ims.mc2.lab"),
}
NAMED: Final = {key: value for key, value in STEP_7.items() if key != "mc_service_ids"}


class World:
    """mc1's server with data on both sides, and callers that it lets in."""

    def __init__(self, mc1: Any, mc2: Any) -> None:
        self.mc1 = mc1
        self.base = mc1.url("cms")
        self.session = requests.Session()
        self.certificates = {
            name: tuple(str(system.folder / "cms" / file) for file in ("certificate.pem", "private_key.pem"))
            for name, system in (("operator", mc1), ("partner", mc2))
        }
        self.ca = mc1.ca_file.read_text()
        self.token = ""
        self.token_until = 0.0
        for path, body in (
            ("/admin/v1/groups/crew", {"name": "crew", "members": ["sip:alice@mc1.lab"]}),
            ("/admin/v1/users/sip:erin@mc1.lab", {"mc_service_id": "sip:erin@mc1.lab"}),
            ("/admin/v1/agreements/mc9", self.agreement("mc9")),
        ):
            assert self.ask("PUT", path, body).status_code == 200
        assert self.ask("POST", "/csc-4/v1/partner-mc-system-connection-details", STEP_1).status_code == 200
        assert self.ask("POST", "/csc-17/v1/partner-mc-system-access", STEP_7).status_code == 200

    def agreement(self, name: str) -> dict[str, Any]:
        return {
            "name": name,
            "cms": f"https://cms.{name}.lab",
            "ca": self.ca,
            "client_name": f"cms.{name}.lab",
            "realms": [f"ims.{name}.lab"],
            "service_area": {"geojson": {"type": "Polygon", "coordinates": [RING]}},
        }

    def options(self, path: str) -> dict[str, Any]:
        """Return how to call a path: as the UE, the partner or the operator."""
        if time.time() > self.token_until:
            self.token, self.token_until = self.mc1.access_token(), time.time() + 30
        return {
            "base_url": self.base,
            "verify": str(self.mc1.ca_file),
            "cert": self.certificates["partner" if path.startswith("/csc-17") else "operator"],
            "headers": {"Authorization": f"Bearer {self.token}"},
            "session": self.session,
        }

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        options = self.options(path)
        base = options.pop("base_url")
        session = options.pop("session")
        return session.request(method, base + path, json=body, timeout=30, **options)

    def restored(self, asked: dict[str, Any]) -> dict[str, Any]:
        """Lift what the tests have withdrawn, so that ``asked`` can succeed."""
        for one in self.ask("GET", "/admin/v1/withdrawals").json()["standing"]:
            self.ask("POST", f"/admin/v1/withdrawals/{one['withdrawal']}/restore", {})
        return asked

    def withdrawal(self, user: str) -> str:
        asked = {"other_mc_system": "mc2", "mc_service_id": f"sip:{user}@mc1.lab"}
        return self.ask("POST", "/admin/v1/withdrawals", asked).json()["withdrawal"]  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
def world(make_system, start_mms, start_for_module, tmp_path_factory) -> Iterator[World]:
    mc1, mc2 = make_system("mc1"), make_system("mc2")
    start_mms(mc1, mc1.write_mms(mc2, more=agreement_at_mms("mc8") + agreement_at_mms("mc9")))
    start_mms(mc2, mc2.write_mms(mc1, user="bob"))
    start_for_module("idms-mc1", "lab.systems.idms", "run", "--config", str(mc1.write_idms(mc2)))
    store = f'[store]\nurl = "sqlite+aiosqlite:///{tmp_path_factory.mktemp("store")}/cms.sqlite"'
    for system, file in (
        (mc1, mc1.write_cms(mc2, store=store, limits=LIMITS)),
        (mc2, mc2.write_cms(mc1, user="bob", limits=LIMITS)),
    ):
        if system is mc1:
            upgrade(file)
        start_for_module(f"cms-{system.name}", "mmserver.configuration", "run", "--config", str(file))
    world = World(mc1, mc2)
    yield world
    world.session.close()


def upgrade(file: Path) -> None:
    line = [sys.executable, "-m", "mmserver.configuration", "upgrade", "--config", str(file)]
    subprocess.run(line, check=True, capture_output=True, timeout=90)


@pytest.mark.parametrize("operation_id", OPERATIONS)
def test_every_answer_is_documented(operation_id: str, world: World) -> None:
    # One test for each operation: those of schema.parametrize() share one name, and xdist runs a name once.
    operation = schema.find_operation_by_id(operation_id)

    @given(case=operation.as_strategy())
    @settings(max_examples=6, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
    def is_documented(case: Any) -> None:
        case.call_and_validate(checks=CHECKS, **world.options(operation.path))

    is_documented()


def send(body: Any, **path: str) -> dict[str, Any]:
    return {"body": body, "path_parameters": path} if path else {"body": body}


def at(**path: str) -> dict[str, Any]:
    return {"path_parameters": path}


# operation                                   what is asked, made from the filled servers; in this order
# fmt: off
SUCCESSES: Final[dict[str, Callable[[World], dict[str, Any]]]] = {
    "health":                                   lambda _: {},
    "ready":                                    lambda _: {},
    "metrics":                                  lambda _: {},
    "get_partner_mc_system_connection_details": lambda w: w.restored({**send(STEP_1), "query": {"dry_run": True}}),
    "get_initial_ue_configuration":             lambda _: {},
    "dry_run_partner_mc_system_access":         lambda _: send({"mc_service_ids": ["sip:bob@mc2.lab"]}),
    "partner_mc_system_access":                 lambda _: send(STEP_7),
    "confirm_partner_mc_system_access":         lambda _: send({**NAMED, "reason": "step 12"}),
    "withdraw_partner_mc_system_access":        lambda _: send(NAMED),
    "restore_partner_mc_system_access":         lambda _: send(NAMED),
    "release_partner_mc_system_access":         lambda _: send(NAMED),
    "list_agreements":                          lambda _: {"query": {"after": "mc2"}},
    "get_agreement":                            lambda _: at(name="mc2"),
    "put_agreement":                            lambda w: send(w.agreement("mc8"), name="mc8"),
    "delete_agreement":                         lambda _: at(name="mc8"),
    "list_users":                               lambda _: {},
    "get_user":                                 lambda _: at(name="sip:alice@mc1.lab"),
    "put_user":                                 lambda _: send({"mc_service_id": "sip:f@b"}, name="sip:f@b"),
    "delete_user":                              lambda _: at(name="sip:f@b"),
    "list_groups":                              lambda _: {},
    "get_group":                                lambda _: at(name="crew"),
    "put_group":                                lambda _: send({"name": "g", "members": ["sip:a@b"]}, name="g"),
    "delete_group":                             lambda _: at(name="g"),
    "list_withdrawals":                         lambda _: {"query": {"partner": "mc2", "told": False}},
    "withdraw_migration":                       lambda _: send({"other_mc_system": "mc2", "mc_service_id": "sip:x@b"}),
    "restore_migration":                        lambda w: send({}, withdrawal=w.withdrawal("w")),
    "dry_run":                                  lambda _: send({k: STEP_1[k] for k in list(STEP_1)[:2]}),
    "dry_run_inbound":                          lambda _: send(INBOUND),
    "reload":                                   lambda _: {},
    "audit_trail":                              lambda _: {"query": {"kind": "user"}},
}
# fmt: on


def test_no_operation_is_forgotten() -> None:
    assert sorted(SUCCESSES) == OPERATIONS


@pytest.mark.parametrize("operation_id", SUCCESSES)
def test_each_operation_succeeds_as_documented(operation_id: str, world: World) -> None:
    operation = schema.find_operation_by_id(operation_id)
    case = operation.Case(**SUCCESSES[operation_id](world))
    response = case.call_and_validate(checks=CHECKS, **world.options(operation.path))
    assert response.status_code in (200, 204), response.text


TRICKS: Final = {
    "nul": "a\x00b", "newline": "a\nb", "unicode": "ä\u202e\U0001f600", "percent": "a%00%0a%2f..%252f", "space": "a b",
    "long": "a" * 10_000, "quotes": "a'\"--;b", "markup": "<a>&b", "case": "MiXeD",
    "path": "../../etc/passwd", "empty": "", "far": "9999-12-31T23:59:59-14:00", "surrogate": "\ud800",
}  # fmt: skip
NO_PATH: Final = ("", TRICKS["path"], TRICKS["surrogate"])
"""In a path they name another operation, or no URL can hold them."""


@pytest.mark.parametrize("operation_id", sorted(set(SUCCESSES) - {"health", "ready", "metrics", "reload"}))
def test_no_trick_in_any_text_is_a_server_error(operation_id: str, world: World) -> None:
    """Every text of a good request is replaced in turn; the answer is documented, and the server goes on."""
    operation = schema.find_operation_by_id(operation_id)
    good = SUCCESSES[operation_id](world)
    for trick in TRICKS.values():
        for bad in tricked(good, trick):
            operation.Case(**bad).call_and_validate(checks=CHECKS, **world.options(operation.path))
    assert world.ask("GET", "/admin/v1/agreements/mc2").status_code == 200


def tricked(good: Any, trick: str) -> Iterator[Any]:
    """Yield copies of ``good``, each with one text changed; an identity keeps its form around the trick."""
    if isinstance(good, dict):
        for key, value in good.items():
            if key in ("path_parameters", "query") and trick in NO_PATH:
                continue
            for changed in tricked(value, trick):
                yield good | {key: changed}
    elif isinstance(good, list):
        for index, value in enumerate(good):
            for changed in tricked(value, trick):
                yield [*good[:index], changed, *good[index + 1 :]]
    elif isinstance(good, str):
        user, at_sign, domain = good.partition("@")
        yield f"{user}{trick}@{domain}" if at_sign else trick


AREAS: Final = (
    "x", [], {"type": "Point", "coordinates": [1, 1]}, {"type": "Polygon", "coordinates": [[]]},
    {"type": "Polygon", "coordinates": [[[1e308, 1e308], [-1e308, 0], [0, 1e308], [1e308, 1e308]]]},
    {"type": "Polygon", "coordinates": [[["a", None], [{}, []], [True, 1], ["a", 1]]]},
    {"type": "GeometryCollection", "geometries": [{"type": "GeometryCollection", "geometries": []}] * 20_000},
    {"type": "Feature", "geometry": {"type": "Feature", "geometry": {"type": "Feature"}}},
)  # fmt: skip


@pytest.mark.parametrize("area", AREAS, ids=lambda area: json.dumps(area)[:50])
def test_invalid_geojson_is_the_callers_fault(area: Any, world: World) -> None:
    agreement = {**world.agreement("mc7"), "service_area": {"geojson": area}}
    answer = world.ask("PUT", "/admin/v1/agreements/mc7", agreement)
    assert (answer.status_code, answer.headers["content-type"]) in (
        (422, "application/problem+json"),
        (413, "application/problem+json"),
    )
    assert world.ask("GET", "/admin/v1/agreements/mc7").status_code == 404


def test_the_document_in_use_is_the_one_tested(world: World) -> None:
    assert world.ask("GET", "/openapi.json").json() == json.loads(json.dumps(document))
