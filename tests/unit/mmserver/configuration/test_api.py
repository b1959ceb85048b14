"""CSC-4 and CSC-17 over HTTP, in memory."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest
import structlog
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet
from starlette.testclient import TestClient

from mmserver.configuration.api import Parts, create_api
from mmserver.configuration.cross_check import CrossCheck
from mmserver.configuration.directory import Directory
from mmserver.configuration.dry_run import Trial
from mmserver.configuration.errors import MmsUnreachable, PartnerUnreachable, StillWithdrawn
from mmserver.configuration.procedure import PartnerSide, PrimarySide
from mmserver.configuration.ue_configuration import MEDIA_TYPE
from mmserver.http.metrics import Metrics
from mmserver.http.readiness import MMS, Missing
from mmserver.http.tokens import IssuerKeys, KeysUnavailable, TokenRules, TokenVerifier
from mmserver.http.trace import current_traceparent

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
KEY = ECKey.generate_key("P-256", {"kid": "k"})
SCOPE = "3gpp:mc:ptt_config_management_service"
DETAILS = "/csc-4/v1/partner-mc-system-connection-details"
ACCESS = "/csc-17/v1/partner-mc-system-access"
CLAIMS: dict[str, Any] = {
    "iss": "https://idms.mc1.lab",
    "sub": "alice",
    "aud": "cms.mc1.lab",
    "client_id": "mc-client",
    "scope": SCOPE,
    "exp": NOW.timestamp() + 60,
    "mcptt_id": "sip:alice@mc1.lab",
}


def bearer(**changes: Any) -> dict[str, str]:
    claims = {key: value for key, value in {**CLAIMS, **changes}.items() if value is not None}
    return {"Authorization": "Bearer " + jwt.encode({"alg": "ES256", "kid": "k"}, claims, KEY)}


class Servers:
    """mc1's and mc2's configuration management servers as applications."""

    def __init__(self, make_config, partner, memory_mms, direct_partner) -> None:
        area = {"tracking_areas": ["00102-0002"]}
        limits = {"burst": 5, "requests_per_s": 0.001, "body_octets_max": 8192}
        admin = {"clients": ["admin.mc1.lab"]}
        self.directory1 = Directory(make_config("mc1", partner("mc2", service_area=area), limits=limits, admin=admin))
        self.directory2 = Directory(make_config("mc2", partner("mc1")))
        self.mms1, self.mms2 = memory_mms("mc1"), memory_mms("mc2")
        side2, trial2 = self._sides(self.directory2, self.mms2, {})
        self.partner = direct_partner(side2[1], self.directory2.current, "mc1", trial2)
        self.metrics: dict[str, Metrics] = {}
        self.idms_down = False
        self.missing: Missing | None = None
        side1, trial1 = self._sides(self.directory1, self.mms1, {"mc2": self.partner})
        self.mc1 = self._application(self.directory1, side1, trial1, self.mms1)
        self.mc2 = self._application(self.directory2, side2, trial2, self.mms2)

    def _sides(self, directory, mms, partners):
        primary = PrimarySide(lambda: directory.current, mms, partners)
        partner_side = PartnerSide(lambda: directory.current, mms)
        return (primary, partner_side), Trial(lambda: directory.current, primary, mms, partners)

    def _application(self, directory, sides, trial, mms):
        keys = IssuerKeys("https://idms.mc1.lab", self._fetch)
        verifier = TokenVerifier(TokenRules("https://idms.mc1.lab", "cms.mc1.lab", frozenset({SCOPE})), keys)
        metrics = self.metrics[mms.system] = Metrics()
        check = CrossCheck(mms, lambda: directory.current)
        ready, clock = self._ready, NOW.timestamp
        parts = Parts(directory, verifier, *sides, trial, self, mms, check, ready, metrics=metrics, clock=clock)
        return create_api(directory.config, parts)

    async def find(self, partner: str | None, pending: bool | None, after: str) -> list[Any]:
        return []

    async def _ready(self) -> str | None:
        return self.missing

    async def _fetch(self, url: str) -> Any:
        if self.idms_down:
            raise KeysUnavailable("down")
        if url.endswith("openid-configuration"):
            return {"issuer": "https://idms.mc1.lab", "jwks_uri": "https://idms.mc1.lab/jwks"}
        return KeySet([KEY]).as_dict(private=False)


@pytest.fixture
def servers(make_config, partner, memory_mms, direct_partner) -> Servers:
    return Servers(make_config, partner, memory_mms, direct_partner)


@pytest.fixture
def ue(servers: Servers) -> TestClient:
    return TestClient(servers.mc1, base_url="https://cms.mc1.lab")


def as_client(app: Any, *names: str) -> TestClient:
    """Return a client whose certificate has these verified names, as ``mmserver.http.server`` finds them out."""

    async def with_names(scope: Any, receive: Any, send: Any) -> None:
        scope.setdefault("extensions", {})["tls"] = {"client_names": frozenset(names)}
        await app(scope, receive, send)

    return TestClient(with_names, base_url="https://cms.mc2.lab")


def step_1(user: str = "alice", **changes: Any) -> dict[str, Any]:
    return {
        "location_information": {"tracking_area": "00102-0002"},
        "mc_service_ids": [f"sip:{user}@mc1.lab"],
        "default_identities": {
            "private_user_identity": f"{user}@ims.mc1.lab",
            "public_user_identities": [f"sip:{user}@ims.mc1.lab"],
        },
        **changes,
    }


def step_7(**changes: Any) -> dict[str, Any]:
    return {
        "mc_service_ids": ["sip:alice@mc1.lab"],
        "migration_management_server": "mms.mc1.lab",
        "primary_mc_system_sip_identities": {
            "private_user_identity": "mig-1@ims.mc1.lab",
            "public_user_identities": ["sip:mig-1@ims.mc1.lab"],
        },
        **changes,
    }


def test_step_1_is_answered_with_step_13(ue: TestClient) -> None:
    answer = ue.post(DETAILS, json=step_1(), headers=bearer())
    assert answer.status_code == 200
    assert answer.json()["partner_mc_system"] == "mc2"
    assert answer.json()["initial_ue_configuration"]["mc_system"] == "mc2"


def test_step_13_is_xml_for_those_who_ask_for_it(ue: TestClient) -> None:
    answer = ue.post(DETAILS, json=step_1(), headers={**bearer(), "Accept": MEDIA_TYPE})
    assert answer.headers["content-type"] == MEDIA_TYPE
    assert b"private-user-identity>mig-" in answer.content


def test_the_system_s_own_configuration_is_json_or_xml(ue: TestClient) -> None:
    path = "/csc-4/v1/initial-ue-configuration"
    assert ue.get(path, headers=bearer()).json()["mc_system"] == "mc1"
    assert b"<name>mc1</name>" in ue.get(path, headers={**bearer(), "Accept": MEDIA_TYPE}).content
    assert ue.get(path).status_code == 401


def test_a_dry_run_says_where_the_user_could_go(ue: TestClient, servers: Servers) -> None:
    answer = ue.post(DETAILS + "?dry_run=true", json=step_1(), headers=bearer())
    assert answer.json() == {"partner_mc_system": "mc2", "possible": True}
    assert servers.mms1.bindings == servers.mms2.bindings == {}


@pytest.mark.parametrize(
    ("headers", "body", "status", "name", "step"),
    [
        ({}, step_1(), 401, "token-missing", 1),
        ({"Authorization": "Bearer junk"}, step_1(), 401, "token-invalid", 1),
        (bearer(exp=NOW.timestamp() - 60), step_1(), 401, "token-expired", 1),
        (bearer(aud="cms.mc2.lab"), step_1(), 401, "token-invalid", 1),
        (bearer(iss="https://idms.mc2.lab"), step_1(), 401, "token-invalid", 1),
        (bearer(scope="openid"), step_1(), 403, "scope-missing", 1),
        (bearer(mcptt_id="sip:carol@mc1.lab"), step_1(), 403, "token-for-another-user", 1),
        (bearer(mcptt_id=None), step_1(), 403, "token-for-another-user", 1),
        (bearer(), step_1(default_identities=step_1("carol")["default_identities"]), 403, "foreign-isim", 1),
        (bearer(mcptt_id="sip:dave@mc1.lab"), step_1("dave"), 403, "not-authorised-for-migration", 2),
        (bearer(mcptt_id="sip:eve@mc1.lab"), step_1("eve"), 403, "not-authorised-for-migration", 2),
        (bearer(), step_1(location_information={"tracking_area": "00102-0009"}), 404, "no-suitable-partner", 3),
    ],
)
def test_each_refusal_of_steps_1_to_3_names_its_step_and_is_an_event(
    ue: TestClient, headers: dict[str, str], body: dict[str, Any], status: int, name: str, step: int
) -> None:
    with structlog.testing.capture_logs() as events:
        answer = ue.post(DETAILS, json=body, headers=headers)
    problem = answer.json()
    assert answer.headers["content-type"] == "application/problem+json"
    assert (answer.status_code, problem["status"]) == (status, status)
    assert (problem["type"], problem["step"]) == (f"urn:mc-migration:problem:{name}", f"10.1.X.1-{step}")
    assert [event["problem"] for event in events if event["event"] == "request.refused"] == [name]
    assert ("www-authenticate" in answer.headers) is (name.startswith(("token-m", "token-i", "token-e", "scope")))


def test_keys_that_cannot_be_fetched_are_a_503(ue: TestClient, servers: Servers) -> None:
    servers.idms_down = True
    answer = ue.post(DETAILS, json=step_1(), headers=bearer())
    assert (answer.status_code, answer.json()["step"]) == (503, "10.1.X.1-1")
    assert answer.json()["type"].endswith(":identity-management-server-unreachable")


@pytest.mark.parametrize(
    ("where", "name", "failure", "status", "step"),
    [
        ("mms1", "primary_identities", MmsUnreachable(step=4), 503, 4),
        ("partner", "access", PartnerUnreachable(), 504, 7),
        ("mms2", "partner_identities", MmsUnreachable(step=9), 503, 9),
    ],
)
def test_each_failure_after_step_3_names_its_step(
    ue: TestClient, servers: Servers, where: str, name: str, failure: Exception, status: int, step: int
) -> None:
    getattr(servers, where).fail[name] = failure
    answer = ue.post(DETAILS, json=step_1(), headers=bearer())
    assert (answer.status_code, answer.json()["step"]) == (status, f"10.1.X.1-{step}")
    assert servers.mms1.bindings == servers.mms2.bindings == {}


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b"", 422),
        (b"junk", 422),
        (b"[]", 422),
        (b"{}", 422),
        (b'{"mc_service_ids": []}', 422),
        (b"\xff", 400),
        (b"[" * 5000, 400),
    ],
)
def test_a_body_that_is_none_is_the_caller_s_fault(ue: TestClient, content: bytes, status: int) -> None:
    answer = ue.post(DETAILS, content=content, headers={**bearer(), "content-type": "application/json"})
    assert (answer.status_code, answer.json()["status"]) == (status, status)


def test_a_body_over_the_limit_is_a_413(ue: TestClient) -> None:
    answer = ue.post(DETAILS, content=b" " * 9000, headers={**bearer(), "content-type": "application/json"})
    assert answer.status_code == 413


def test_a_caller_who_asks_too_often_is_told_so_and_others_are_not(ue: TestClient) -> None:
    statuses = [ue.post(DETAILS, json=step_1(), headers=bearer()).status_code for _ in range(6)]
    assert statuses == [200] * 5 + [429]
    assert ue.post(DETAILS, json=step_1(), headers=bearer(sub="another")).status_code == 200
    assert {ue.post(DETAILS, json=step_1()).status_code for _ in range(6)} == {401, 429}


def test_a_trace_goes_on_and_one_begins_where_there_is_none(servers: Servers, ue: TestClient) -> None:
    seen: list[str] = []
    access = servers.partner.access

    async def noting(request: Any) -> Any:
        seen.append(current_traceparent())
        return await access(request)

    servers.partner.access = noting
    good = "00-" + "a" * 32 + "-" + "b" * 16 + "-01"
    for parent in (good, "junk"):
        ue.post(DETAILS, json=step_1(), headers={**bearer(), "traceparent": parent})
    continued, begun = seen
    assert continued == good
    assert len(begun) == len(good) and begun[:36] != good[:36]


def test_step_7_is_answered_with_step_12(servers: Servers) -> None:
    answer = as_client(servers.mc2, "cms.mc1.lab").post(ACCESS, json=step_7())
    assert answer.status_code == 200
    assert answer.json()["initial_ue_configuration"]["mc_system"] == "mc2"
    assert [one.state for one in servers.mms2.bindings.values()] == ["held"]


def test_what_was_lent_is_confirmed_and_released(servers: Servers) -> None:
    client = as_client(servers.mc2, "cms.mc1.lab")
    client.post(ACCESS, json=step_7())
    named = {key: value for key, value in step_7().items() if key != "mc_service_ids"}
    assert client.post(f"{ACCESS}/confirm", json=named).status_code == 204
    assert [one.state for one in servers.mms2.bindings.values()] == ["allocated"]
    assert client.post(f"{ACCESS}/release", json={**named, "reason": "x"}).status_code == 204
    assert client.post(f"{ACCESS}/release", json=named).status_code == 404


@pytest.mark.parametrize("names", [(), ("cms.mc3.lab",), ("ue.mc1.lab",)])
@pytest.mark.parametrize("operation", ["", "/confirm", "/release", "/withdraw", "/restore", "/dry-run"])
def test_nobody_but_a_partner_s_server_gets_in(servers: Servers, names: tuple[str, ...], operation: str) -> None:
    answer = as_client(servers.mc2, *names).post(ACCESS + operation, json=step_7())
    assert (answer.status_code, answer.json()["step"]) == (403, "10.1.X.1-8")
    assert answer.json()["type"].endswith(":primary-system-not-trusted")
    assert servers.mms2.bindings == {}


def test_what_was_lent_is_withdrawn_and_restored(servers: Servers) -> None:
    client = as_client(servers.mc2, "cms.mc1.lab")
    client.post(ACCESS, json=step_7())
    named = {key: value for key, value in step_7().items() if key != "mc_service_ids"}
    for operation, enabled in (("withdraw", False), ("restore", True)):
        assert client.post(f"{ACCESS}/{operation}", json=named).status_code == 204
        assert [one.enabled for one in servers.mms2.bindings.values()] == [enabled]


def test_what_the_partner_has_withdrawn_itself_stays_so(servers: Servers) -> None:
    client = as_client(servers.mc2, "cms.mc1.lab")
    client.post(ACCESS, json=step_7())
    servers.mms2.fail["enable"] = StillWithdrawn()
    named = {key: value for key, value in step_7().items() if key != "mc_service_ids"}
    answer = client.post(f"{ACCESS}/restore", json=named)
    assert (answer.status_code, answer.json()["type"]) == (409, "urn:mc-migration:problem:still-withdrawn")


def test_an_inbound_user_of_ours_is_refused_at_step_8(servers: Servers) -> None:
    answer = as_client(servers.mc2, "cms.mc1.lab").post(ACCESS, json=step_7(mc_service_ids=["SIP:Carol@mc2.lab"]))
    assert (answer.status_code, answer.json()["step"]) == (403, "10.1.X.1-8")
    assert answer.json()["type"].endswith(":own-mc-service-id")
    assert servers.mms2.calls == []


def test_a_dry_run_of_a_partner_holds_nothing(servers: Servers) -> None:
    client = as_client(servers.mc2, "cms.mc1.lab")
    good = client.post(f"{ACCESS}/dry-run", json={"mc_service_ids": ["sip:alice@mc1.lab"]})
    assert good.json()["initial_ue_configuration"]["mc_system"] == "mc2"
    bad = client.post(f"{ACCESS}/dry-run", json={"mc_service_ids": ["sip:carol@mc2.lab"]})
    assert (bad.status_code, bad.json()["step"]) == (403, "10.1.X.1-8")
    assert servers.mms2.bindings == {}


def test_refusals_and_answers_are_counted(servers: Servers, ue: TestClient) -> None:
    ue.post(DETAILS, json=step_1(), headers=bearer())
    ue.post(DETAILS, json=step_1("dave"), headers=bearer(mcptt_id="sip:dave@mc1.lab"))
    ue.post(DETAILS, json=step_1())
    text = asyncio.run(servers.metrics["mc1"].expose()).decode()
    assert 'cms_refusals_total{problem="not-authorised-for-migration",step="10.1.X.1-2"} 1.0' in text
    assert 'cms_refusals_total{problem="token-missing",step="10.1.X.1-1"} 1.0' in text
    assert 'cms_connection_details_seconds_count{partner="mc2"} 1.0' in text


def test_the_admin_api_is_closed_to_all_but_those_who_are_named(servers: Servers) -> None:
    for names, status in (((), 403), (("cms.mc2.lab",), 403), (("admin.mc1.lab",), 200)):
        assert as_client(servers.mc1, *names).get("/admin/v1/agreements").status_code == status
    assert as_client(servers.mc2, "admin.mc2.lab").get("/admin/v1/agreements").status_code == 403


def test_a_caller_who_asks_too_often_learns_when_to_come_back(ue: TestClient) -> None:
    answers = [ue.post(DETAILS, json=step_1(), headers=bearer()) for _ in range(6)]
    assert (answers[-1].status_code, int(answers[-1].headers["retry-after"]) > 0) == (429, True)


def test_readiness_and_the_operations_names(ue: TestClient, servers: Servers) -> None:
    assert ue.get("/ready").json() == {"status": "ready"}
    servers.missing = Missing(MMS, "no answer in 2.0 s")
    assert ue.get("/ready").status_code == 503
    paths = ue.get("/openapi.json").json()["paths"]
    operations = {operation["operationId"] for path in paths.values() for operation in path.values()}
    assert {"get_partner_mc_system_connection_details", "partner_mc_system_access"} <= operations
