"""The admin API over HTTP, in memory."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from mmserver.configuration.api import Parts, create_api
from mmserver.configuration.cross_check import CrossCheck
from mmserver.configuration.directory import Directory
from mmserver.configuration.dry_run import Trial
from mmserver.configuration.errors import RefusedElsewhere
from mmserver.configuration.peer import PeerUnreachable
from mmserver.configuration.procedure import PartnerSide, PrimarySide
from mmserver.configuration.tellings import Action, Telling
from mmserver.http.settings import ConfigError
from mmserver.messages import AgreementAtMms, IdentitySet, Role

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
ADMIN = "/admin/v1"
ERIN = {"mc_service_id": "sip:erin@mc1.lab", "migration": True}
ERIN_PATH = f"{ADMIN}/users/sip%3Aerin%40mc1.lab"


DEFAULT = IdentitySet(private_user_identity="a@ims.mc1.lab", public_user_identities=("sip:a@ims.mc1.lab",))


def agreed(name: str, **changes: Any) -> AgreementAtMms:
    table = {
        "name": name,
        "realms": [f"ims.{name}.lab"],
        "migration_management_servers": [f"mms.{name}.lab"],
        "services": ["mcptt", "mcvideo", "mcdata"],
        **changes,
    }
    return AgreementAtMms.model_validate(table)


class Rows:
    """Entries and their audit trail in memory."""

    def __init__(self) -> None:
        self.rows: list[Any] = []

    async def version(self) -> int:
        return len(self.rows)

    async def entries(self):
        return 0, []

    async def put(self, entry) -> int:
        self.rows.append(entry)
        return len(self.rows)

    async def remove(self, entry) -> bool:
        self.rows.append(entry)
        return True

    async def audit_trail(self, kind, name, after: int):
        return []


class Admin:
    """mc1's application as its operator sees it."""

    def __init__(self, make_config, partner, memory_mms, store: bool = True) -> None:
        config = make_config("mc1", partner("mc2"), admin={"clients": ["admin.mc1.lab"]})
        self.loading: Any = config
        self.rows = Rows() if store else None
        self.directory = Directory(config, store=self.rows, load=self._load)
        self.mms = memory_mms("mc1")
        self.tellings: list[Telling] = []
        current = lambda: self.directory.current  # noqa: E731
        primary = PrimarySide(current, self.mms, {})
        nothing: Any = None
        parts = Parts(
            self.directory,
            nothing,
            primary,
            PartnerSide(current, self.mms),
            Trial(current, primary, self.mms, {}),
            self,
            self.mms,
            CrossCheck(self.mms, current),
            nothing,
            audit=self.rows,
            clock=NOW.timestamp,
        )
        app = create_api(config, parts)

        async def as_admin(scope: Any, receive: Any, send: Any) -> None:
            scope.setdefault("extensions", {})["tls"] = {"client_names": frozenset({"admin.mc1.lab"})}
            await app(scope, receive, send)

        self.http = TestClient(as_admin, base_url="https://cms.mc1.lab")

    def _load(self):
        if isinstance(self.loading, Exception):
            raise self.loading
        return self.loading

    async def find(self, partner: str | None, pending: bool | None, after: str) -> list[Telling]:
        return [one for one in self.tellings if pending in (None, one.pending)]


@pytest.fixture
def admin(make_config, partner, memory_mms) -> Admin:
    return Admin(make_config, partner, memory_mms)


def test_a_user_is_set_shown_listed_and_taken_away(admin: Admin) -> None:
    assert admin.http.put(ERIN_PATH, json=ERIN).json()["source"] == "api"
    assert admin.http.get(ERIN_PATH).json()["user"]["migration"] is True
    listed = admin.http.get(f"{ADMIN}/users").json()
    assert [(one["user"]["mc_service_id"], one["source"]) for one in listed][-1] == ("sip:erin@mc1.lab", "api")
    assert len(admin.http.get(f"{ADMIN}/users", params={"after": "sip:dave@mc1.lab"}).json()) == 1
    assert admin.http.delete(ERIN_PATH).status_code == 204
    assert admin.http.get(ERIN_PATH).status_code == 404
    assert admin.rows is not None and admin.rows.rows[0].actor == "admin.mc1.lab"


def test_an_agreement_and_a_group_are_data_too(admin: Admin, partner, files: Path) -> None:
    crew = {"name": "crew", "members": ["sip:alice@mc1.lab"]}
    assert admin.http.put(f"{ADMIN}/groups/crew", json=crew).status_code == 200
    area = {"geojson": {"type": "Polygon", "coordinates": [[[25, 60], [26, 60], [26, 61], [25, 60]]]}}
    mc3 = partner("mc3", ca=(files / "ca.pem").read_text(), service_area=area, outbound_groups=["crew"])
    admin.mms.agreed = [agreed("mc3")]
    answer = admin.http.put(f"{ADMIN}/agreements/mc3", json=mc3)
    assert (answer.status_code, answer.json()["source"], answer.json()["warnings"]) == (200, "api", [])
    assert answer.json()["agreement"]["outbound_groups"] == ["crew"]
    assert sorted(admin.directory.current.partners) == ["mc2", "mc3"]
    assert admin.http.delete(f"{ADMIN}/groups/crew").json()["type"].endswith(":entry-not-usable")


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "name"),
    [
        ("PUT", "/users/sip:alice@mc1.lab", {"mc_service_id": "sip:alice@mc1.lab"}, 409, "in-configuration-file"),
        ("DELETE", "/agreements/mc2", None, 409, "in-configuration-file"),
        ("DELETE", "/agreements/mc9", None, 404, "unknown-entry"),
        ("GET", "/groups/none", None, 404, "unknown-entry"),
        ("PUT", "/groups/a", {"name": "b", "members": []}, 422, "entry-not-usable"),
        ("PUT", "/groups/a", {"name": "a", "members": ["no uri"]}, 422, "invalid-request"),
        ("PUT", "/groups/a", {"name": "a", "members": [], "surplus": 1}, 422, "invalid-request"),
    ],
)
def test_each_refusal_is_named(admin: Admin, method: str, path: str, body: Any, status: int, name: str) -> None:
    answer = admin.http.request(method, ADMIN + path, json=body)
    assert (answer.status_code, answer.json()["type"]) == (status, f"urn:mc-migration:problem:{name}")


def test_a_service_area_that_is_none_is_refused_whole(admin: Admin, partner, files: Path) -> None:
    area = {"geojson": {"type": "Polygon", "coordinates": [[["a"]]]}}
    mc3 = partner("mc3", ca=(files / "ca.pem").read_text(), service_area=area)
    answer = admin.http.put(f"{ADMIN}/agreements/mc3", json=mc3)
    assert (answer.status_code, answer.json()["type"]) == (422, "urn:mc-migration:problem:entry-not-usable")
    assert list(admin.directory.current.partners) == ["mc2"]


def test_an_agreement_that_the_migration_management_server_has_not_is_refused(admin: Admin, partner, files) -> None:
    mc3 = partner("mc3", ca=(files / "ca.pem").read_text())
    answer = admin.http.put(f"{ADMIN}/agreements/mc3", json=mc3)
    assert (answer.status_code, answer.json()["type"]) == (422, "urn:mc-migration:problem:entry-not-usable")
    assert "add it to [[partners]] of its mms.toml" in answer.json()["detail"]
    assert "mmserver migration reload" in answer.json()["detail"]
    assert list(admin.directory.current.partners) == ["mc2"]
    assert admin.rows is not None and admin.rows.rows == []


def test_what_is_wrong_by_itself_is_said_before_the_migration_management_server_is_asked(
    admin: Admin, partner, files
) -> None:
    pem = (files / "ca.pem").read_text()
    for body, name in (
        (partner("mc2", ca=pem), "in-configuration-file"),
        (partner("mc3", ca=pem, outbound_groups=["none"]), "entry-not-usable"),
    ):
        answer = admin.http.put(f"{ADMIN}/agreements/{body['name']}", json=body)
        assert answer.json()["type"] == f"urn:mc-migration:problem:{name}"
    assert admin.http.put(f"{ADMIN}/agreements/mc4", json=partner("mc3", ca=pem)).status_code == 422
    assert admin.mms.calls == []


def test_an_agreement_is_taken_with_a_warning_where_nobody_could_be_asked(admin: Admin, partner, files) -> None:
    admin.mms.fail["agreements"] = PeerUnreachable("https://mms.mc1.lab: no answer in 2.0 s")
    answer = admin.http.put(f"{ADMIN}/agreements/mc3", json=partner("mc3", ca=(files / "ca.pem").read_text()))
    (warning,) = answer.json()["warnings"]
    assert (answer.status_code, warning.endswith(": https://mms.mc1.lab: no answer in 2.0 s")) == (200, True)
    assert sorted(admin.directory.current.partners) == ["mc2", "mc3"]


def test_without_a_store_the_api_says_so(make_config, partner, memory_mms) -> None:
    admin = Admin(make_config, partner, memory_mms, store=False)
    assert admin.http.put(ERIN_PATH, json=ERIN).json()["type"].endswith(":no-store")
    assert admin.http.get(f"{ADMIN}/audit").json()["type"].endswith(":no-store")
    assert admin.http.get(f"{ADMIN}/agreements").status_code == 200


def test_a_reload_that_is_refused_says_why(admin: Admin) -> None:
    admin.mms.agreed = [agreed("mc2", services=["mcptt"])]
    done = admin.http.post(f"{ADMIN}/reload").json()
    (warning,) = done.pop("warnings")
    assert warning == "agreement mc2: services: mcdata, mcptt, mcvideo here, mcptt in mms.toml"
    assert done == {"users": 3, "groups": 0, "agreements": 1}
    admin.loading = ConfigError("cms.toml: http.port: 70000 is more than 65535")
    answer = admin.http.post(f"{ADMIN}/reload")
    assert (answer.status_code, answer.json()["detail"]) == (409, "cms.toml: http.port: 70000 is more than 65535")


def test_withdrawals_stand_at_the_migration_management_server(admin: Admin) -> None:
    asked = {"other_mc_system": "mc2", "mc_service_id": "sip:alice@mc1.lab", "reason": "lost"}
    done = admin.http.post(f"{ADMIN}/withdrawals", json=asked).json()
    listed = admin.http.get(f"{ADMIN}/withdrawals").json()
    assert [one["withdrawal"] for one in listed["standing"]] == [done["withdrawal"]]
    assert admin.http.post(f"{ADMIN}/withdrawals/{done['withdrawal']}/restore", json={}).json()["enabled"] == 1
    assert admin.http.get(f"{ADMIN}/withdrawals").json()["standing"] == []


def test_what_a_partner_was_not_told_is_shown_with_its_reason_and_no_identity(admin: Admin) -> None:
    binding = admin.mms._lend(Role.PRIMARY, "mc2", "mms.mc1.lab", DEFAULT)
    admin.tellings = [
        Telling(binding, Action.WITHDRAW, since=NOW.timestamp()).failed(NOW.timestamp(), "partner-unreachable")
    ]
    answer = admin.http.get(f"{ADMIN}/withdrawals", params={"told": False})
    (shown,) = answer.json()["tellings"]
    assert (shown["told"], shown["attempts"], shown["why"]) == (False, 1, "partner-unreachable")
    assert "mig-" not in answer.text


def test_what_the_migration_management_server_refuses_is_passed_on(admin: Admin) -> None:
    admin.mms.fail["withdraw"] = RefusedElsewhere("unknown-partner", "No such agreement", 403, None, "the MMS")
    answer = admin.http.post(f"{ADMIN}/withdrawals", json={"other_mc_system": "mc9"})
    assert (answer.status_code, answer.json()["type"]) == (403, "urn:mc-migration:problem:unknown-partner")


def test_a_dry_run_needs_no_token(admin: Admin) -> None:
    asked = {"mc_service_ids": ["sip:alice@mc1.lab"], "location_information": {"tracking_area": "00102-0009"}}
    report = admin.http.post(f"{ADMIN}/dry-run", json=asked).json()
    assert (report["possible"], report["refusal"]["step"]) == (False, "10.1.X.1-3")
    assert report["considered"][0]["why_not"] == "its service area does not hold the location"
    inbound = admin.http.post(
        f"{ADMIN}/dry-run/inbound", json={"primary_mc_system": "mc2", "mc_service_ids": ["sip:bob@mc2.lab"]}
    )
    assert inbound.json()["possible"] is True


def test_the_audit_trail_is_read(admin: Admin) -> None:
    assert admin.http.get(f"{ADMIN}/audit", params={"kind": "user", "after": 0}).json() == []
