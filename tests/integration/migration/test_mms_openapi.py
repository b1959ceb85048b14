"""Whatever the OpenAPI document allows or forbids is answered as it says (schemathesis), over real HTTPS.

The database is filled, and each operation is also asked something that must succeed.
"""

import json
import ssl
from collections.abc import Callable, Iterator
from typing import Any, Final
from urllib.request import Request, urlopen

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

from mmserver.migration.service import openapi_document

JSON_LINES: Final = "application/x-ndjson"


@schemathesis.serializer(JSON_LINES)
def json_lines(_context: Any, value: Any) -> bytes:
    """Send a text as it is, and anything else as one line."""
    return (value if isinstance(value, str) else json.dumps(value)).encode("utf-8", "surrogatepass")


document: Final = openapi_document()
schema: Final = schemathesis.openapi.from_dict(document)
schema.config.phases.coverage.enabled = False  # hundreds of requests an operation; `generate` finds the same here


def problem_conformance(_context: Any, response: Any, case: Any) -> None:
    """Hold a refusal to the problems that the document names for this operation and status."""
    if "application/problem+json" not in response.headers.get("content-type", [""])[0]:
        return
    documented = case.operation.definition.raw["responses"][str(response.status_code)]
    names = documented["content"]["application/problem+json"]["examples"]
    found = response.json()["type"].rpartition(":")[2]
    assert found in names, f"{found} is not documented for {case.operation.label}, only {sorted(names)}"


CHECKS: Final = [
    not_a_server_error,
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
    problem_conformance,
]
OPERATIONS: Final = sorted(one["operationId"] for path in document["paths"].values() for one in path.values())


def identities(name: str, domain: str) -> dict[str, Any]:
    return {"private_user_identity": f"{name}@{domain}", "public_user_identities": [f"sip:{name}@{domain}"]}


def primary(name: str) -> dict[str, Any]:
    default = identities(name, "ims.mc2.lab")
    return {"mc_service_ids": [f"sip:{name}@mc2.lab"], "default_identities": default, "partner_mc_system": "mc1"}


def partner(name: str) -> dict[str, Any]:
    return {
        "primary_mc_system": "mc1",
        "migration_management_server": "mms.mc1.lab",
        "primary_mc_system_sip_identities": identities(f"mig-{name}", "ims.mc1.lab"),
        "mc_service_ids": [f"sip:{name}@mc1.lab"],
    }


def entry(name: str) -> dict[str, Any]:
    return {
        "binding": name,
        "role": "partner",
        "mc_service_ids": [f"sip:{name}@mc1.lab"],
        "other_mc_system": "mc1",
        "migration_management_server": "mms.mc1.lab",
        "identities": identities(f"mig-{name}", "ims.mc2.lab"),
        "counterpart": identities(f"p-{name}", "ims.mc1.lab"),
        "valid_until": "2099-01-01T00:00:00Z",
    }


HANDLES: Final = tuple(f"filled-{number}" for number in range(20))


class Filled:
    """A running MMS whose database holds bindings in every state, and a withdrawal."""

    def __init__(self, listen: str, lab: Any) -> None:
        self.base = f"https://{listen}"
        credentials = lab.issue(lab.authority, "cms.mc2.lab", "proxy1.mc2.lab", stem="both")
        self.call_options: dict[str, Any] = {
            "base_url": self.base,
            "verify": str(lab.folder / "mc2-ca.pem"),
            "cert": (str(credentials.certificate), str(credentials.private_key)),
            "session": requests.Session(),  # one handshake, not thousands
        }
        self._context: ssl.SSLContext = lab.context(credentials)
        lines = "\n".join(json.dumps(entry(handle)) for handle in HANDLES)
        self.ask("POST", "/csc-x/v1/import", lines.encode(), JSON_LINES)
        for handle, action in ((HANDLES[1], "disable"), (HANDLES[2], "release")):
            self.ask("POST", f"/csc-x/v1/bindings/{handle}/{action}", b"{}")

    def ask(self, method: str, path: str, body: bytes | None = None, media_type: str = "application/json") -> Any:
        request = Request(self.base + path, body, {"Content-Type": media_type}, method=method)
        with urlopen(request, context=self._context, timeout=30) as response:
            text = response.read()
        return json.loads(text) if text else None

    def held(self) -> str:
        """Return a binding that is held now: a hold lapses while other tests run."""
        body = json.dumps(primary("held")).encode()
        return self.ask("POST", "/csc-x/v1/primary-mc-system-sip-identities", body)["binding"]  # type: ignore[no-any-return]

    def withdrawal(self, name: str) -> str:
        body = {"other_mc_system": "mc1", "mc_service_id": f"sip:{name}@mc2.lab"}
        return self.ask("POST", "/csc-x/v1/withdrawals", json.dumps(body).encode())["withdrawal"]  # type: ignore[no-any-return]

    def version(self) -> int:
        return self.ask("GET", "/feed/v1/changes?limit=1")["version"]  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
def filled(running: tuple[str, Any]) -> Iterator[Filled]:
    filled = Filled(*running)
    yield filled
    filled.call_options["session"].close()


@pytest.mark.parametrize("operation_id", [one for one in OPERATIONS if one not in ("ready", "metrics")])
def test_every_answer_is_documented(operation_id: str, filled: Filled) -> None:
    # One test for each operation: those of schema.parametrize() share one name, and xdist runs a name once.
    # What /ready and /metrics answer depends on who is connected.
    operation = schema.find_operation_by_id(operation_id)

    @given(case=operation.as_strategy())
    @settings(max_examples=6, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
    def is_documented(case: Any) -> None:
        if case.query and "wait_s" in case.query:
            case.query["wait_s"] = 0  # what waits is tested elsewhere
        if case.path_parameters and "binding" in case.path_parameters and len(str(case.body)) % 2:
            case.path_parameters["binding"] = HANDLES[len(str(case.body)) % len(HANDLES)]
        case.call_and_validate(checks=CHECKS, **filled.call_options)

    is_documented()


def send(body: Any, **path: str) -> dict[str, Any]:
    return {"body": body, "path_parameters": path} if path else {"body": body}


def at(**path: str) -> dict[str, Any]:
    return {"path_parameters": path}


def query(**parameters: Any) -> dict[str, Any]:
    return {"query": parameters}


EVENT: Final = {"event": "home-deregistration", "private_user_identity": "nobody@ims.mc2.lab"}

# operation                                          what is asked, made from the filled server
# fmt: off
SUCCESSES: Final[dict[str, Callable[[Filled], dict[str, Any]]]] = {
    "health":                               lambda _: {},
    "get_primary_mc_system_sip_identities": lambda _: send(primary("one")),
    "try_primary_mc_system_sip_identities": lambda _: send(primary("two")),
    "get_partner_mc_system_sip_identities": lambda _: send(partner("one")),
    "try_partner_mc_system_sip_identities": lambda _: send(partner("two")),
    "list_bindings":                        lambda _: query(role="partner", state="allocated", enabled=True),
    "enter_binding":                        lambda _: send(entry("by-hand")),
    "get_binding_changes":                  lambda _: query(limit=3),
    "get_binding":                          lambda _: at(binding=HANDLES[0]),
    "confirm_binding":                      lambda f: send({"reason": "step 12"}, binding=f.held()),
    "release_binding":                      lambda _: send({}, binding=HANDLES[10]),
    "disable_binding":                      lambda _: send({"reason": "lost"}, binding=HANDLES[11]),
    "enable_binding":                       lambda _: send({}, binding=HANDLES[12]),
    "withdraw_migration":                   lambda _: send({"other_mc_system": "mc1", "mc_service_id": "sip:x@b"}),
    "list_withdrawals":                     lambda _: query(role="primary", mc_service_id="sip:y@mc2.lab"),
    "get_withdrawal":                       lambda f: at(withdrawal=f.withdrawal("z")),
    "restore_migration":                    lambda f: send({}, withdrawal=f.withdrawal("w")),
    "reload":                               lambda _: query(),
    "list_agreements":                      lambda _: query(),
    "import_bindings":                      lambda _: {"body": json.dumps(entry("imported")), "media_type": JSON_LINES},
    "export_bindings":                      lambda _: query(role="partner"),
    "get_audit_trail":                      lambda _: query(binding=HANDLES[0], since="2020-01-01T00:00:00Z"),
    "get_feed_changes":                     lambda _: query(after=0),
    "get_feed_rows":                        lambda _: query(after=0, limit=5),
    "look_up_identity":                     lambda _: at(identity=f"mig-{HANDLES[3]}@ims.mc2.lab"),
    "acknowledge_feed":                     lambda f: send({"proxy": "proxy1.mc2.lab", "version": f.version()}),
    "report_proxy_event":                   lambda _: send(EVENT),
    "report_uses":                          lambda _: send({"proxy": "proxy1.mc2.lab", "bindings": [HANDLES[1]]}),
}
# fmt: on
ELSEWHERE: Final = {
    "ready": "test_health_is_for_anybody_and_readiness_asks_for_a_proxy",
    "metrics": "test_metrics_health_and_readiness_have_a_listener_of_their_own",
}
"""Operations that succeed only with a proxy connected, or for another client, and where they do."""


def test_no_operation_is_forgotten() -> None:
    assert sorted([*SUCCESSES, *ELSEWHERE]) == OPERATIONS


@pytest.mark.parametrize("operation_id", SUCCESSES)
def test_each_operation_succeeds_as_documented(operation_id: str, filled: Filled) -> None:
    operation = schema.find_operation_by_id(operation_id)
    case = operation.Case(**SUCCESSES[operation_id](filled))
    response = case.call_and_validate(checks=CHECKS, **filled.call_options)
    assert response.status_code in (200, 204), response.text


TRICKS: Final = {
    "nul": "a\x00b", "newline": "a\nb", "unicode": "ä\u202e\U0001f600", "percent": "a%00%0a%2f..%252f", "space": "a b",
    "long": "a" * 10_000, "quotes": "a'\"--;b", "markup": "<a>&b", "case": "MiXeD",
    "path": "../../etc/passwd", "empty": "",
}  # fmt: skip


@pytest.mark.parametrize("operation_id", sorted(set(SUCCESSES) - {"health"}))
def test_no_trick_in_any_text_is_a_server_error(operation_id: str, filled: Filled) -> None:
    """Every text of a good request is replaced in turn; the answer is documented, and the server goes on."""
    operation = schema.find_operation_by_id(operation_id)
    good = SUCCESSES[operation_id](filled)
    bad_ones = [bad for trick in TRICKS.values() for bad in tricked(good, trick)]
    bad_ones += [good | {"body": bad} for bad in tricked(good.get("body"), "\ud800")]  # no URL can hold it
    for bad in bad_ones:
        operation.Case(**bad).call_and_validate(checks=CHECKS, **filled.call_options)
    assert filled.ask("GET", f"/csc-x/v1/bindings/{HANDLES[0]}")["binding"] == HANDLES[0]


OTHER_PATHS: Final = ("", TRICKS["path"])
"""In a path they name another operation."""


def tricked(good: Any, trick: str) -> Iterator[Any]:
    """Yield copies of ``good``, each with one text changed; an identity keeps its form around the trick."""
    if isinstance(good, dict):
        for key, value in good.items():
            if key == "media_type" or (key == "path_parameters" and trick in OTHER_PATHS):
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


def test_the_document_in_use_is_the_one_tested(filled: Filled) -> None:
    assert filled.ask("GET", "/openapi.json") == json.loads(json.dumps(document))
