"""The program: upgrade, run, its ready line, its clean and its sudden end."""

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx2
import pytest

SQLITE = pytest.mark.parametrize("database", ["sqlite"], indirect=True)


def test_run_refuses_a_store_that_was_not_upgraded(program: Any, lab: Any) -> None:
    run = program.call("run")
    assert run.returncode == 1
    wanted = "error: schema none, wanted 0005: run `mmserver migration upgrade`"
    if lab.database.name == "sqlite":
        path = lab.database.url.partition("///")[2]
        wanted = f"error: store: {path}: there is no such file; `upgrade` makes the store"
        assert not Path(path).exists()
    assert run.stderr.splitlines()[-1] == wanted
    assert "Traceback" not in run.stderr


def test_run_refuses_the_schema_of_another_version(program: Any, lab: Any) -> None:
    program.call("upgrade")
    lab.database.execute("UPDATE alembic_version SET version_num = '9999'")
    run = program.call("run")
    assert (run.returncode, run.stderr.splitlines()[-1]) == (
        1,
        "error: schema 9999, wanted 0005: a newer version was here; run that one's `downgrade`",
    )
    for command in (("upgrade",), ("downgrade", "--to", "0002")):
        run = program.call(*command)
        assert (run.returncode, run.stderr.count("\n"), "9999" in run.stderr) == (1, 1, True)


def test_run_refuses_an_older_schema_and_goes_on_after_an_upgrade(program: Any) -> None:
    program.call("upgrade")
    run = program.call("downgrade", "--to", "0002")
    assert (run.returncode, run.stdout) == (0, "ok: schema 0002\n")
    run = program.call("run")
    assert (run.returncode, run.stderr.splitlines()[-1]) == (
        1,
        "error: schema 0002, wanted 0005: run `mmserver migration upgrade`",
    )
    assert program.call("upgrade").stdout == "ok: schema 0005\n"
    program.start()


@SQLITE
def test_upgrade_may_run_twice_and_makes_its_folder(program: Any, lab: Any) -> None:
    lab.configure(**{f"{lab.folder}/mms.sqlite": f"{lab.folder}/state/deep/mms.sqlite"})
    for _ in range(2):
        run = program.call("upgrade")
        assert (run.returncode, run.stdout) == (0, "ok: schema 0005\n")


def test_it_says_ready_and_ends_cleanly(program: Any) -> None:
    program.call("upgrade")
    program.start()
    assert len(program.listen) == 2
    program.process.send_signal(signal.SIGTERM)
    stdout, stderr = program.process.communicate(timeout=60)
    assert (program.process.returncode, stdout) == (0, "")
    events = [json.loads(line)["event"] for line in stderr.splitlines()]
    assert events[0] == "program.started"
    assert events[-1] == "program.stopping"


def test_check_and_its_faults(program: Any, lab: Any) -> None:
    run = program.call("check")
    first = run.stdout.splitlines()[0]
    assert (run.returncode, first) == (0, "ok: mms.mc2.lab: CSC-X on 127.0.0.1:0, Cx on 127.0.0.1:0, mc1")
    assert "failed: store: " in run.stdout
    assert "run `mmserver migration upgrade`" in run.stdout
    assert not (lab.folder / "mms.sqlite").exists()  # looking makes none
    assert program.call("check", "--strict").returncode == 1
    program.call("upgrade")
    strict = program.call("check", "--strict", "--json")
    found = json.loads(strict.stdout)
    assert (strict.returncode, found["partners"]) == (0, ["mc1"])
    assert {probe["what"] for probe in found["probes"]} >= {"tls.certificate", "store", "http", "diameter"}
    lab.configure(**{'address = "127.0.0.1"\nport = 0\nclients': 'address = "127.0.0.1"\nport = 70000\nclients'})
    run = program.call("check")
    assert (run.returncode, run.stderr) == (2, "error: mms.toml: http.port: 70000 is more than 65535\n")
    lab.configure(**{"mms.mc2.lab.key": "cms.mc2.lab.key"})
    run = program.call("check")
    assert (run.returncode, run.stderr.startswith("error: mms.toml: tls: ")) == (2, True)


def test_an_address_in_use_is_one_line(program: Any, lab: Any) -> None:
    program.call("upgrade")
    program.start()
    taken = program.listen[0].rpartition(":")[2]
    lab.configure(**{"port = 0\nclients": f"port = {taken}\nclients"})
    run = program.call("run")
    assert run.returncode == 1
    assert run.stderr.splitlines()[-1].startswith(f"error: 127.0.0.1:{taken}: Address already in use, by process ")


def test_running_loads_neither_alembic_nor_the_other_server() -> None:
    script = (
        "import sys, mmserver.migration.cli, mmserver.migration.service\n"
        "print([m for m in sys.modules if m.split('.')[0] in ('alembic', 'mako', 'joserfc', 'shapely', 'httpx2')"
        " or m.startswith('mmserver.configuration')])"
    )
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    assert run.stdout == "[]\n"


@pytest.mark.parametrize("arguments", [[], ["--help"], ["run", "--help"]])
def test_help_teaches(arguments: list[str]) -> None:
    command = [sys.executable, "-m", "mmserver.cli", "migration", *arguments]
    run = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert run.returncode in (0, 2)
    assert "Usage" in run.stdout + run.stderr


def test_a_store_from_before_is_kept_by_an_upgrade(program: Any, lab: Any) -> None:
    program.call("upgrade")
    before = lab.database.one("SELECT v FROM feed_version")
    program.call("upgrade")
    assert lab.database.one("SELECT v FROM feed_version") == before


def test_metrics_health_and_readiness_have_a_listener_of_their_own(program: Any, lab: Any) -> None:
    lab.configure(**{"[lifetime]": '[metrics]\naddress = "127.0.0.1"\nport = 0\n\n[lifetime]'})
    program.call("upgrade")
    program.start()
    base = f"http://{program.listen[-1]}"
    assert httpx2.get(f"{base}/health").json() == {"status": "up"}
    missing = httpx2.get(f"{base}/ready")
    assert (missing.status_code, "proxy1.mc2.lab" in missing.json()["detail"]) == (503, True)
    text = httpx2.get(f"{base}/metrics").text
    assert 'mms_diameter_peer_open{peer="proxy1.mc2.lab"} 0.0' in text
    assert httpx2.get(f"{base}/csc-x/v1/bindings").status_code == 404
