"""The configuration file read again by the running program: agreements, pools and TLS files, and files of no use."""

import json
import signal
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
import trustme

pytestmark = pytest.mark.parametrize("database", ["sqlite"], indirect=True)

POOL = """
[allocation.partner]
mode = "pool"
[[allocation.partner.ranges]]
partner = "mc3"
count = 2
private_user_identity = "mig-mc3-{number:05}@ims.mc2.lab"
public_user_identities = ["sip:mig-mc3-{number:05}@ims.mc2.lab"]

[lifetime]"""
MC3 = """
[[partners]]
name = "mc3"
realms = ["ims.mc3.lab"]
migration_management_servers = ["mms.mc3.lab"]

[[partners]]
name = "mc1"
"""
WITHOUT_MC1 = "[[partners]]\n" + MC3.split("[[partners]]")[1]


class Running:
    """The program, its log as events, and what is asked of it."""

    def __init__(self, program: Any, lab: Any, log: Path) -> None:
        self.program, self.lab, self._log = program, lab, log

    @property
    def address(self) -> tuple[str, int]:
        host, _, port = self.program.listen[0].rpartition(":")
        return host, int(port)

    @contextmanager
    def client(self, name: str = "admin.mc2.lab") -> Iterator[httpx2.Client]:
        context = self.lab.context(self.lab.credentials(name))
        with httpx2.Client(base_url=f"https://{self.program.listen[0]}", verify=context, timeout=60) as client:
            yield client

    def events(self, name: str) -> list[dict[str, Any]]:
        whole, _, _under_way = self._log.read_text().rpartition("\n")
        lines = [json.loads(line) for line in whole.splitlines()]
        return [line for line in lines if line["event"] == name]

    def hang_up(self, outcome: str) -> dict[str, Any]:
        """Send SIGHUP and return the log line that says what came of it."""
        before = len(self.events(outcome))
        self.program.process.send_signal(signal.SIGHUP)
        wait_for(lambda: len(self.events(outcome)) > before)
        return self.events(outcome)[-1]

    def certificate(self, context: ssl.SSLContext) -> bytes:
        with (
            socket.create_connection(self.address) as tcp,
            context.wrap_socket(tcp, server_hostname="127.0.0.1") as tls,
        ):
            found = tls.getpeercert(binary_form=True)
        assert found is not None
        return found


def wait_for(condition: Callable[[], bool], within_s: float = 20.0) -> None:
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, "not within the deadline"
        time.sleep(0.02)


@pytest.fixture
def running(program: Any, lab: Any, tmp_path: Path) -> Iterator[Running]:
    program.call("upgrade")
    log = tmp_path / "mms.log"
    with log.open("w") as stderr:
        program.start(stderr.fileno())
    yield Running(program, lab, log)


def step_9(number: int = 1, system: str = "mc3") -> dict[str, Any]:
    return {
        "primary_mc_system": system,
        "migration_management_server": f"mms.{system}.lab",
        "primary_mc_system_sip_identities": {
            "private_user_identity": f"mig-{number}@ims.{system}.lab",
            "public_user_identities": [f"sip:mig-{number}@ims.{system}.lab"],
        },
        "mc_service_ids": [f"sip:user{number}@{system}.lab"],
    }


def ask_partner_set(client: httpx2.Client, **asked: Any) -> httpx2.Response:
    return client.post("/csc-x/v1/partner-mc-system-sip-identities", json=step_9(**asked))


def test_agreement_pool_and_certificate_are_taken_over_and_open_connections_stay(running: Running) -> None:
    lab = running.lab
    with running.client() as client:
        assert ask_partner_set(client).json()["type"].endswith(":unknown-mc-system")
        old = running.certificate(lab.context(lab.credentials("admin.mc2.lab")))
        lab.issue(lab.authority, "mms.mc2.lab")
        lab.configure(**{"[lifetime]": POOL, '[[partners]]\nname = "mc1"\n': MC3, "held_s = 30": "held_s = 31"})
        done = running.hang_up("reload.done")
        assert (done["by"], done["partners"], done["sets"]) == ("SIGHUP", ["mc3", "mc1"], 2)
        assert done["need_restart"] == ["lifetime.held_s"]
        # over the connection of before
        lent = ask_partner_set(client).json()["partner_mc_system_sip_identities"]["private_user_identity"]
        assert lent == "mig-mc3-00000@ims.mc2.lab"
        assert client.get("/csc-x/v1/agreements").json()[1]["name"] == "mc3"
    new = running.certificate(lab.context(lab.credentials("admin.mc2.lab")))
    assert new != old
    assert new == ssl.PEM_cert_to_DER_cert((lab.folder / "mms.mc2.lab.pem").read_text())


def test_another_authority_of_the_clients_is_taken_over(running: Running) -> None:
    lab = running.lab
    newer = trustme.CA()
    stranger = lab.issue(newer, "admin.mc2.lab", stem="newer")
    of_newer = lab.context(stranger)
    url = f"https://{running.program.listen[0]}/csc-x/v1/bindings"
    with pytest.raises(httpx2.HTTPError):
        httpx2.get(url, verify=of_newer, timeout=60)
    with running.client() as client:
        assert client.get("/csc-x/v1/bindings").status_code == 200
        newer.cert_pem.write_to_path(lab.folder / "newer-ca.pem")
        lab.configure(**{'client_ca = "mc2-ca.pem"': 'client_ca = "newer-ca.pem"'})
        running.hang_up("reload.done")
        assert httpx2.get(url, verify=of_newer, timeout=60).status_code == 200
        assert client.get("/csc-x/v1/bindings").status_code == 403  # judged again on the open connection
    with pytest.raises(httpx2.HTTPError), running.client() as client:
        client.get("/csc-x/v1/bindings")


def test_a_file_of_no_use_keeps_the_old_one_and_says_where(running: Running) -> None:
    lab = running.lab
    faults = {
        "mms.toml: http.port: 70000 is more than 65535": {"port = 0\nclients": "port = 70000\nclients"},
        "mms.toml: file: partners: a name stands twice": {"[lifetime]": WITHOUT_MC1 + WITHOUT_MC1 + "\n[lifetime]"},
        "mms.toml: allocation.partner.ranges.0: no partner 'mc3'": {"[lifetime]": POOL},
        "mms.toml: tls: ": {"mms.mc2.lab.key": "cms.mc2.lab.key"},
        "mms.toml: allocation.partner.prefix: the proxies hold the old one: restart to change it": {
            "[lifetime]": '[allocation]\nprimary.prefix = "x-"\npartner.prefix = "x-"\n[lifetime]'
        },
        "mms.toml: sip_database: an allocation of mode sip-database asks it: restart to add it": {
            "[lifetime]": '[allocation.primary]\nmode = "sip-database"\n[sip_database]\nhost = "hss.mc2.lab"\n'
            'address = "127.0.0.1"\n[lifetime]'
        },
    }
    before = running.certificate(lab.context(lab.credentials("admin.mc2.lab")))
    with running.client() as client:
        for why, changes in faults.items():
            lab.configure(**changes)
            assert running.hang_up("reload.refused")["why"].startswith(why)
            refused = client.post("/csc-x/v1/reload")
            assert (refused.status_code, refused.json()["type"]) == (409, "urn:mc-migration:problem:reload-refused")
            assert refused.json()["detail"].startswith(why)
            assert running.events("reload.refused")[-1]["by"] == "admin.mc2.lab"
        assert ask_partner_set(client, system="mc1").status_code == 200
    assert running.certificate(lab.context(lab.credentials("admin.mc2.lab"))) == before
    assert running.events("reload.done") == []


def test_an_agreement_does_not_go_while_its_bindings_may_be_used(running: Running) -> None:
    with running.client() as client:
        binding = ask_partner_set(client, system="mc1").json()["binding"]
        client.post(f"/csc-x/v1/bindings/{binding}/confirm", json={"reason": ""})
        running.lab.configure(**{'[[partners]]\nname = "mc1"\n': MC3})  # with both it is taken
        assert client.post("/csc-x/v1/reload").json()["partners"] == ["mc3", "mc1"]
        running.lab.configure(**{'[[partners]]\nname = "mc1"\n': '[[partners]]\nname = "mc9"\n'})
        refused = client.post("/csc-x/v1/reload").json()
        assert refused["detail"] == (
            "mms.toml: partners: mc1 is gone and bindings with it are in use: keep it, or first "
            "`mmserver migration withdraw --partner mc1 --role partner --all-users`"
        )
        asked = {"role": "partner", "other_mc_system": "mc1", "reason": "the agreement has ended"}
        assert client.post("/csc-x/v1/withdrawals", json=asked).status_code == 200
        wait_for(lambda: client.get(f"/csc-x/v1/bindings/{binding}").json()["enabled"] is False)
        assert client.post("/csc-x/v1/reload").json()["partners"] == ["mc9"]


def test_the_command_asks_the_running_server(running: Running) -> None:
    lab = running.lab
    admin = lab.folder / "mms-admin.toml"
    admin.write_text(
        f'url = "https://{running.program.listen[0]}"\nca = "mc2-ca.pem"\n'
        'certificate = "admin.mc2.lab.pem"\nprivate_key = "admin.mc2.lab.key"\n'
    )
    config, running.program._config = running.program._config, ["--admin", str(admin)]
    try:
        lab.configure(**{"held_s = 30": "held_s = 31"})
        run = running.program.call("reload")
        assert (run.returncode, run.stdout) == (
            0,
            "ok: 1 partners, 0 + 0 sets in force\nchanged, and waits for a restart: lifetime.held_s\n",
        )
        lab.configure(**{"held_s = 30": "held_s = 0"})
        run = running.program.call("reload")
        assert run.returncode == 1
        assert "mms.toml: lifetime.held_s: 0 is not more than 0" in run.stderr
        assert "the old configuration stays in force" in run.stderr
    finally:
        running.program._config = config
