"""An administrator's day at the command line, against a running MMS, over mutual TLS."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.databases import Database, sqlite

Run = Callable[..., subprocess.CompletedProcess[str]]
USER = "sip:bob@mc2.lab"
STEP_4 = ["--user", USER, "--partner", "mc1", "--impi", "bob@ims.mc2.lab", "--impu", "sip:bob@ims.mc2.lab"]
WHOM = ["--partner", "mc1", "--user", USER]


def admin_file(lab: Any, listen: str, name: str = "admin.mc2.lab", ca: str = "mc2-ca.pem") -> Path:
    file: Path = lab.folder / "mms-admin.toml"
    file.write_text(f'url = "https://{listen}"\nca = "{ca}"\ncertificate = "{name}.pem"\nprivate_key = "{name}.key"\n')
    return file


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    """One kind is enough here: nothing of the command line depends on it."""
    yield sqlite(tmp_path)


@pytest.fixture
def run(program: Any, lab: Any) -> Run:
    program.call("upgrade")
    program.start()
    file = admin_file(lab, program.listen[0])

    def call(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "mmserver.cli", "migration", *arguments, "--admin", str(file)]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    return call


def test_allocate_show_withdraw_restore_release_and_the_trail(run: Run) -> None:
    assert run("dry-run", *STEP_4).stdout == "yes: step 10.1.X.1-5 would give a new binding\n"
    allocated = json.loads(run("allocate", *STEP_4, "--json").stdout)
    name = allocated["binding"]
    assert allocated["state"] == "allocated"
    assert run("list", "--user", USER).stdout.startswith(f"{name} primary mc1 {USER}")
    assert json.loads(run("show", allocated["identities"]["private_user_identity"], "--json").stdout)["binding"] == name
    withdrawn = run("withdraw", *WHOM, "--reason", "UE reported lost", "--wait")
    assert "1 disabled, 0 remain" in withdrawn.stdout
    refused = run("dry-run", *STEP_4)
    assert (refused.returncode, "migration-withdrawn" in refused.stdout) == (1, True)
    assert "UE reported lost" in run("withdrawals").stdout
    single = run("restore", name)
    assert (single.returncode, "restore the withdrawal that is named" in single.stderr) == (1, True)
    assert "1 bindings enabled" in run("restore", *WHOM).stdout
    assert "quarantined" in run("release", name, "--reason", "returned").stdout
    events = [json.loads(line)["event"] for line in run("audit", "--user", USER, "--json").stdout.splitlines()]
    assert events == [
        "binding.held",
        "binding.confirmed",
        "migration.withdrawn",
        "binding.withdrawn",
        "binding.restored",
        "migration.restored",
        "binding.released",
    ]
    assert "by admin.mc2.lab" in run("audit", name, "--since", "2020-01-01").stdout


def test_what_is_exported_is_imported_again_and_a_refused_line_is_named(run: Run, lab: Any) -> None:
    run("allocate", *STEP_4)
    file = lab.folder / "bindings.jsonl"
    file.write_text(run("export").stdout)
    assert run("import", str(file)).stdout == "0 entered, 0 changed, 1 unchanged, 0 refused\n"
    file.write_text(file.read_text() + "nonsense\n")
    dry = run("import", str(file), "--dry-run")
    assert (dry.returncode, dry.stdout) == (1, "would be: 0 entered, 0 changed, 1 unchanged, 1 refused\n")
    assert f"{file}:2: invalid-request: " in dry.stderr


@pytest.mark.parametrize(
    ("arguments", "mend"),
    [
        (["show", "b-none"], "`mmserver migration list` shows what there is"),
        (["withdraw", "--partner", "mc9", "--all-users"], "[[partners]] of mms.toml"),
        (["restore", "w-none"], "`mmserver migration withdrawals`"),
        (["audit", "b-none"], "nothing is known of b-none"),
        (["show", "nobody@ims.mc2.lab"], "no binding has the private user identity"),
    ],
)
def test_an_error_names_what_mends_it(run: Run, arguments: list[str], mend: str) -> None:
    done = run(*arguments)
    assert (done.returncode, done.stdout) == (1, "")
    assert mend in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("name", "ca", "mend"),
    [
        ("stranger.mc2.lab", "mc2-ca.pem", "http.clients.csc_x of mms.toml"),
        ("rogue", "mc2-ca.pem", "http.client_ca of mms.toml"),
        ("admin.mc2.lab", "rogue-ca.pem", "is ca the CA of the server"),
    ],
)
def test_a_wrong_certificate_is_told_from_a_wrong_authority(
    run: Run, program: Any, lab: Any, name: str, ca: str, mend: str
) -> None:
    lab.issue(lab.rogue, "admin.mc2.lab", stem="rogue")
    lab.rogue.cert_pem.write_to_path(lab.folder / "rogue-ca.pem")
    admin_file(lab, program.listen[0], name, ca)
    done = run("list")
    assert (done.returncode, mend in done.stderr) == (1, True), done.stderr


def test_a_server_that_is_not_there_is_one_line(run: Run, program: Any) -> None:
    program.end()
    done = run("list")
    assert (done.returncode, "does the server run there?" in done.stderr) == (1, True)
