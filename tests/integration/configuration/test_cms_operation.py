"""Operating real configuration management servers: data over the API, withdrawals, dry runs, reload, two instances."""

import json
import signal
import ssl
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.configuration.conftest import PORT, agreement_at_mms
from tests.waiting import wait_until

ADMIN = "/admin/v1"
DETAILS = "/csc-4/v1/partner-mc-system-connection-details"
HERE = {"coordinates": {"latitude": 60.5, "longitude": 26.5}}


@pytest.fixture(scope="module")
def systems(make_system, start_mms, start_for_module):
    """Start what the tests of this module share."""
    mc1, mc2 = make_system("mc1"), make_system("mc2")
    start_mms(mc1, mc1.write_mms(mc2, held_s=10))
    start_mms(mc2, mc2.write_mms(mc1, user="bob", held_s=10))
    start_for_module("idms-mc1", "lab.systems.idms", "run", "--config", str(mc1.write_idms(mc2)))
    return mc1, mc2


def command(*arguments: str) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, "-m", "mmserver.configuration", *arguments]
    return subprocess.run(line, capture_output=True, text=True, timeout=90, check=False)


@pytest.fixture
def start_with_store(systems, start_cms, tmp_path: Path):
    """Start mc1's server with a store of its own for this test; end with no binding left."""
    mc1, mc2 = systems

    def start_one(**changes: str):
        store = f'[store]\nurl = "sqlite+aiosqlite:///{tmp_path}/cms.sqlite"\npoll_s = 0.1'
        file = mc1.write_cms(mc2, **{"store": store, **changes})
        assert command("upgrade", "--config", str(file)).stdout == "ok: schema 0001\n"
        return start_cms(mc1, file)

    yield start_one
    for system in systems:
        release_all(system)


@pytest.fixture
def start_partner(systems, start_cms):
    mc1, mc2 = systems
    return lambda **changes: start_cms(mc2, mc2.write_cms(mc1, user="bob", **changes))


def file_of(system) -> Path:
    return system.folder / "cms" / "cms.toml"


def ask(system, user: str = "alice", **changes: object):
    body = {
        "location_information": HERE,
        "mc_service_ids": [f"sip:{user}@mc1.lab"],
        "default_identities": {
            "private_user_identity": f"{user}@ims.mc1.lab",
            "public_user_identities": [f"sip:{user}@ims.mc1.lab"],
        },
        **changes,
    }
    with system.client() as client:
        headers = {"Authorization": f"Bearer {system.access_token(user)}"}
        return client.post(system.url("cms") + DETAILS, json=body, headers=headers)


def admin(system, method: str, path: str, body: object = None):
    with system.client("cms") as client:
        return client.request(method, system.url("cms") + ADMIN + path, json=body)


def bindings(system) -> list[dict]:
    with system.client("admin") as client:
        return client.get(system.url("mms") + "/csc-x/v1/bindings").json()


def release_all(system) -> None:
    with system.client("admin") as client:
        for one in client.get(system.url("mms") + "/csc-x/v1/withdrawals").json():
            client.post(f"{system.url('mms')}/csc-x/v1/withdrawals/{one['withdrawal']}/restore", json={})
        for one in bindings(system):
            client.post(f"{system.url('mms')}/csc-x/v1/bindings/{one['binding']}/release", json={"reason": "over"})
    assert wait_until(lambda: bindings(system) == [])


def enabled(system) -> list[bool]:
    return [one["enabled"] for one in bindings(system)]


def tellings(system, **query: str) -> list[tuple[str, bool]]:
    with system.client("cms") as client:
        answer = client.get(system.url("cms") + ADMIN + "/withdrawals", params=query).json()
    return [(one["action"], one["told"]) for one in answer["tellings"]]


def test_a_withdrawal_waits_for_a_partner_that_is_down_and_is_restored(systems, start_with_store, start_partner):
    """B.3: refused here at once, kept over a restart, told when the partner is back; then restored."""
    mc1, mc2 = systems
    first, second = start_with_store(partner_timeout_s="2"), start_partner()
    assert ask(mc1).status_code == 200
    second.stop()
    config = str(file_of(mc1))
    done = command(
        "withdrawals", "add", "--config", config, "--partner", "mc2", "--user", "sip:alice@mc1.lab", "--json"
    )
    name = json.loads(done.stdout)["withdrawal"]
    refused = ask(mc1).json()
    assert (refused["type"].rpartition(":")[2], refused["step"]) == ("migration-withdrawn", "10.1.X.1-5")
    assert wait_until(lambda: len(first.events("withdrawal.deferred")) >= 2)
    assert tellings(mc1, told="false") == [("withdraw", False)]
    first.kill()
    assert enabled(mc2) == [True]
    start_with_store(partner_timeout_s="2")
    assert tellings(mc1) == [("withdraw", False)]
    start_partner()
    assert wait_until(lambda: enabled(mc2) == [False])
    assert wait_until(lambda: tellings(mc1) == [("withdraw", True)])
    listed = command("withdrawals", "list", "--config", config)
    assert name in listed.stdout and "\ttold\t" in listed.stdout
    assert command("withdrawals", "restore", name, "--config", config).stdout == "ok: 1 bindings may be used again\n"
    assert wait_until(lambda: enabled(mc2) == [True])
    assert tellings(mc1) in ([("restore", True)], [("restore", False)])
    assert ask(mc1).status_code == 200


@pytest.mark.parametrize("inbound", [False, True])
def test_a_whole_agreement_is_withdrawn_in_either_direction(systems, start_with_store, start_partner, inbound: bool):
    mc1, mc2 = systems
    start_with_store()
    start_partner()
    assert ask(mc1).status_code == 200
    operator, other = (mc2, "mc1") if inbound else (mc1, "mc2")
    role = {"role": "partner" if inbound else "primary", "other_mc_system": other, "reason": "ended"}
    done = admin(operator, "POST", "/withdrawals", role)
    assert done.status_code == 200, done.text
    assert wait_until(lambda: enabled(mc2) == [False])
    assert ask(mc1).json()["step"] == ("10.1.X.1-10" if inbound else "10.1.X.1-5")
    restored = admin(operator, "POST", f"/withdrawals/{done.json()['withdrawal']}/restore", {})
    assert restored.json()["enabled"] == 1
    assert wait_until(lambda: enabled(mc2) == [True])


def test_data_set_over_the_api_is_in_force_at_once_in_both_instances_and_survives(
    systems, start_with_store, start_partner, start, tmp_path: Path
) -> None:
    """B.4, B.6: two servers over one store."""
    mc1, _ = systems
    start_partner()
    first = start_with_store()
    twin = mc1.host_folder("cms2", "cms.mc1.lab")
    (twin / "cms.toml").write_text(file_of(mc1).read_text().replace(mc1.address("cms"), mc1.address("cms2")))
    start("cms2", "mmserver.configuration", "run", "--config", str(twin / "cms.toml"))
    erin = tmp_path / "erin.toml"
    erin.write_text('mc_service_id = "sip:alice@mc1.lab"\nmigration = false\n')
    config = str(file_of(mc1))
    taken = command("users", "set", str(erin), "--config", config)
    assert (taken.returncode, taken.stderr.startswith("error: in-configuration-file: ")) == (1, True)
    erin.write_text('mc_service_id = "sip:erin@mc1.lab"\nmigration = true\n')
    assert command("users", "set", str(erin), "--config", config).stdout == "ok: sip:erin@mc1.lab\n"

    def in_second() -> bool:
        with mc1.client("cms") as client:
            answer = client.get(f"https://{mc1.address('cms2')}:8443{ADMIN}/users/sip:erin@mc1.lab")
        return answer.status_code == 200

    assert wait_until(in_second)
    first.kill()
    start_with_store()
    assert "sip:erin@mc1.lab\tapi" in command("users", "list", "--config", config).stdout
    assert command("users", "remove", "sip:erin@mc1.lab", "--config", config).returncode == 0
    assert wait_until(lambda: not in_second())
    rows = admin(mc1, "GET", "/audit").json()
    assert [row["event"] for row in rows] == ["user.set", "user.removed"]
    assert all(len(row["traceparent"]) == 55 and row["actor"] == "cms.mc1.lab" for row in rows)


def agreement_file(system, folder: Path) -> Path:
    (folder / "mc9.toml").write_text(f"""
name = "mc9"
cms = "https://cms.mc9.lab"
ca = "{system.ca_file}"
client_name = "cms.mc9.lab"
migration_management_servers = ["mms.mc9.lab"]
realms = ["ims.mc9.lab"]
""")
    return folder / "mc9.toml"


def test_an_agreement_is_held_against_the_migration_management_server(systems, start_with_store, tmp_path) -> None:
    """B.4: one that the MMS has not is refused and names the mend; one that it has otherwise is taken and said."""
    mc1, _ = systems
    first = start_with_store()
    assert wait_until(lambda: len(first.events("agreements.checked")) == 1)
    assert first.events("agreement.differs") == []
    put = ("agreements", "set", str(agreement_file(mc1, tmp_path)), "--config", str(file_of(mc1)))
    refused = command(*put)
    assert (refused.returncode, refused.stderr) == (
        1,
        "error: entry-not-usable: the migration management server has no agreement with mc9: add it to [[partners]] of "
        "its mms.toml, then have that read (mmserver migration reload)\n",
    )
    assert admin(mc1, "GET", "/audit").json() == []
    at_mms = mc1.folder / "mms" / "mms.toml"
    at_mms.write_text(at_mms.read_text() + agreement_at_mms("mc9", '["mcptt"]'))
    with mc1.client("admin") as client:
        assert client.post(mc1.url("mms") + "/csc-x/v1/reload").status_code == 200
    differs = "services: mcdata, mcptt, mcvideo here, mcptt in mms.toml"
    taken = command(*put)
    assert (taken.stdout, taken.stderr) == ("ok: mc9\n", f"warning: agreement mc9: {differs}\n")
    assert [(event["partner"], event["why"]) for event in first.events("agreement.differs")] == [("mc9", differs)]
    first.popen.send_signal(signal.SIGHUP)
    assert wait_until(lambda: len(first.events("agreement.differs")) == 2)
    assert admin(mc1, "POST", "/reload").json()["warnings"] == [f"agreement mc9: {differs}"]


def test_an_agreement_is_taken_unchecked_while_the_migration_management_server_is_away(
    systems, start_with_store, tmp_path
) -> None:
    """B.4: in the answer and in the log; `check` says so of the file, and names each difference where it can ask."""
    mc1, mc2 = systems
    file = mc1.write_cms(mc2, partner='services = ["mcptt"]')
    found = command("check", "--config", str(file), "--json")
    assert (
        "agreement mc2: services: mcptt here, mcdata, mcptt, mcvideo in mms.toml"
        in json.loads(found.stdout)["warnings"]
    )
    nobody = "https://127.0.0.1:1"
    first = start_with_store(mms_url=nobody)
    taken = command("agreements", "set", str(agreement_file(mc1, tmp_path)), "--config", str(file_of(mc1)))
    unchecked = f"not checked against the migration management server: {nobody}: "
    assert (taken.stdout, taken.stderr.startswith(f"warning: {unchecked}")) == ("ok: mc9\n", True)
    assert admin(mc1, "GET", "/agreements/mc9").json()["source"] == "api"
    assert [event["partner"] for event in first.events("agreement.unchecked")] == ["mc9"]
    assert len(first.events("agreements.unchecked")) == 1
    assert f"warning: {unchecked}" in command("check", "--config", str(file_of(mc1))).stderr


def test_a_reload_takes_a_good_file_and_leaves_a_bad_one(systems, start_with_store, start_partner) -> None:
    mc1, _ = systems
    first = start_with_store()
    start_partner()
    good = file_of(mc1).read_text()
    file_of(mc1).write_text(good.replace('outbound_users = "*"', "outbound_users = []"))
    first.popen.send_signal(signal.SIGHUP)
    assert wait_until(lambda: len(first.events("reload.done")) == 1)
    assert ask(mc1).json()["step"] == "10.1.X.1-3"
    file_of(mc1).write_text(good + "\n[surplus]\n")
    refused = command("reload", "--config", str(file_of(mc1)))
    assert refused.returncode == 2  # the command reads the same file
    answer = admin(mc1, "POST", "/reload")
    assert (answer.status_code, answer.json()["detail"]) == (409, "cms.toml: surplus: no such setting")
    assert [event["why"] for event in first.events("reload.refused")] == ["cms.toml: surplus: no such setting"]
    assert ask(mc1).json()["step"] == "10.1.X.1-3"
    file_of(mc1).write_text(good)
    assert command("reload", "--config", str(file_of(mc1))).stdout.startswith("ok: ")
    assert ask(mc1).status_code == 200


def test_a_user_who_may_no_longer_migrate_loses_the_binding_on_both_sides(
    systems, start_with_store, start_partner
) -> None:
    """B.4: a reload that takes the user's right away ends what there is; given back, the user migrates anew."""
    mc1, mc2 = systems
    first = start_with_store()
    start_partner()
    assert ask(mc1).status_code == 200
    assert (enabled(mc1), enabled(mc2)) == ([True], [True])
    good = file_of(mc1).read_text()
    file_of(mc1).write_text(good.replace("migration = true", "migration = false", 1))
    first.popen.send_signal(signal.SIGHUP)
    assert wait_until(lambda: bindings(mc1) == [])  # quarantine_s is 0 here
    assert wait_until(lambda: bindings(mc2) == [])
    assert wait_until(lambda: [event["role"] for event in first.events("authorisation.ended")] == ["primary"])
    assert ask(mc1).json()["step"] == "10.1.X.1-2"
    file_of(mc1).write_text(good)
    first.popen.send_signal(signal.SIGHUP)
    assert wait_until(lambda: len(first.events("reload.done")) == 2)
    assert ask(mc1).status_code == 200


def test_certificate_and_key_are_exchanged_by_a_reload(systems, start_with_store, start_partner) -> None:
    mc1, _ = systems
    first = start_with_store()
    start_partner()
    assert ask(mc1).status_code == 200

    def shown() -> str:
        return ssl.get_server_certificate((mc1.address("cms"), PORT))

    before = shown()
    mc1.host_folder("cms")  # writes a new certificate and a new key
    on_disk = (mc1.folder / "cms" / "certificate.pem").read_text().partition("-----END")[0]
    assert shown() == before
    first.popen.send_signal(signal.SIGHUP)
    assert wait_until(lambda: len(first.events("reload.done")) == 1)
    assert shown().partition("-----END")[0].split() == on_disk.split() != before.partition("-----END")[0].split()
    assert ask(mc1).status_code == 200  # toward its MMS and the partner it is the new one too
    (mc1.folder / "cms" / "private_key.pem").write_text("junk")
    first.popen.send_signal(signal.SIGHUP)
    assert wait_until(lambda: len(first.events("reload.refused")) == 1)
    assert "certificate.pem" in str(first.events("reload.refused")[0]["why"])
    assert ask(mc1).status_code == 200


def test_a_dry_run_is_asked_of_both_sides_and_holds_nothing(systems, start_with_store, start_partner) -> None:
    mc1, mc2 = systems
    start_with_store()
    second = start_partner(inbound_users='["sip:alice@mc1.lab"]')
    config, there = str(file_of(mc1)), json.dumps(HERE)
    yes = command("dry-run", "--config", config, "--user", "sip:alice@mc1.lab", "--location", there)
    assert (yes.returncode, yes.stdout) == (0, "possible: yes, mc2\nconsidered: mc2: fits\n"), yes.stderr
    no = command(
        "dry-run", "--config", config, "--user", "sip:alice@mc1.lab", "--location", '{"ecgi": "00199-0000001"}'
    )
    assert (no.returncode, no.stdout.splitlines()) == (
        1,
        [
            "possible: no",
            "refused: 10.1.X.1-3 no-suitable-partner: "
            "no partner MC system with a migration agreement for the user serves that location",
            "considered: mc2: its service area does not hold the location",
        ],
    )
    at_partner = ("dry-run", "--config", str(file_of(mc2)), "--from", "mc1", "--json", "--user")
    assert json.loads(command(*at_partner, "sip:alice@mc1.lab").stdout)["possible"] is True
    refused = json.loads(command(*at_partner, "sip:carol@mc1.lab").stdout)["refusal"]
    assert (refused["step"], refused["type"]) == ("10.1.X.1-8", "urn:mc-migration:problem:inbound-user-refused")
    second.stop()
    down = command("dry-run", "--config", config, "--user", "sip:alice@mc1.lab", "--location", there)
    assert "refused: 10.1.X.1-7 partner-unreachable" in down.stdout
    assert bindings(mc1) == bindings(mc2) == []


def test_a_trace_goes_from_the_ue_through_both_systems(systems, start_with_store, start_partner) -> None:
    """B.8: CSC-4, CSC-X, CSC-17, back into the logs and the audit trail of both migration management servers."""
    mc1, _ = systems
    first = start_with_store()
    start_partner()
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    with mc1.client() as client:
        headers = {
            "Authorization": f"Bearer {mc1.access_token()}",
            "traceparent": f"00-{trace}-00f067aa0ba902b7-01",
        }
        body = {
            "location_information": HERE,
            "mc_service_ids": ["sip:alice@mc1.lab"],
            "default_identities": {
                "private_user_identity": "alice@ims.mc1.lab",
                "public_user_identities": ["sip:alice@ims.mc1.lab"],
            },
        }
        assert client.post(mc1.url("cms") + DETAILS, json=body, headers=headers).status_code == 200
    assert [event["traceparent"][3:35] for event in first.events("details.sent")] == [trace]
    for system in systems:
        (binding,) = bindings(system)
        with system.client("admin") as client:
            rows = client.get(system.url("mms") + "/csc-x/v1/audit", params={"binding": binding["binding"]}).json()
        found = {row["traceparent"][3:35] for row in (rows if isinstance(rows, list) else rows["rows"])}
        assert found == {trace}, rows
    with mc1.client("cms") as client:
        text = client.get(mc1.url("cms") + "/metrics").text
    assert 'cms_connection_details_seconds_count{partner="mc2"} 1.0' in text
    with mc1.client("admin") as client:
        assert client.get(mc1.url("cms") + "/metrics").status_code == 403
