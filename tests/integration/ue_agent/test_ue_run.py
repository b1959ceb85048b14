"""The protocol of ``ue-agent run`` and the other commands, as a user's script meets them."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ue_agent.aka.aka import generate_vector
from ue_agent.aka.milenage import Milenage

K = bytes.fromhex("465b5ce8b199b49faa5f0a2ee238a6bc")
OPC = bytes.fromhex("cd63cb71954a9f4e48a5994e37a02baf")


def ue_agent(*arguments: str, stdin: bytes = b"", env: dict[str, str] | None = None):
    return subprocess.run(
        [sys.executable, "-m", "ue_agent.cli", *arguments],
        input=stdin,
        capture_output=True,
        timeout=60,
        env={**os.environ, **(env or {})},
    )


@pytest.fixture
def config(write_config) -> str:
    return str(write_config("sip:127.0.0.1:5060"))


def gone(pid: int, deadline_s: float = 60.0) -> bool:
    end = time.monotonic() + deadline_s
    while time.monotonic() < end:
        stat = Path(f"/proc/{pid}/stat")
        if not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] == "Z":
            return True
        time.sleep(0.02)
    return False


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"\xff\xfe", "not JSON"),
        (b"[1]", "not a JSON object"),
        (b"{" * 5000, "not JSON"),
        (b'{"a":' + b"1" * 70000 + b"}", "over 65536 octets"),
        (b'{"id":7}', "no such command"),
        (b'{"id":7,"command":"dance"}', "no such command"),
        (b'{"id":7,"command":"register"}', "system"),
        (b'{"id":7,"command":"register","system":"../etc"}', "system"),
        (b'{"id":7,"command":"register","system":"mc1","expires":0}', "expires"),
        (b'{"id":7,"command":"status","extra":1}', "no such member"),
        (b'{"id":7,"command":"message","system":"mc1","to":"sip:a@b\\r\\nX: y","text":"t"}', "to"),
        (b'{"id":7,"command":"register","system":"mc9"}', "nothing is known of mc9"),
        (b'{"id":7,"command":"refresh","system":"mc1"}', "not registered at mc1"),
        (b'{"id":7,"command":"deregister","system":"mc1"}', "not registered at mc1"),
        (b'{"id":7,"command":"message","system":"mc1","to":"sip:a@b","text":"t"}', "not registered at mc1"),
    ],
    ids=range(15),
)
def test_bad_lines_are_answered_and_the_next_command_works(ue, line, reason) -> None:
    ue.write(line + b"\n")
    done = ue.wait_for(lambda event: event["event"] == "done")
    assert done["ok"] is False and reason in done["reason"]
    assert done["id"] == (7 if b'"id":7' in line else None)
    assert ue.do("status")["ok"]


def test_each_command_is_answered_once_and_in_order(ue, registrar) -> None:
    numbers = [ue.send("register", system="mc1"), ue.send("status"), ue.send("refresh", system="mc1")]
    ue.wait_for(lambda event: event.get("id") == numbers[-1])
    assert [event["id"] for event in ue.events if event["event"] == "done"] == numbers


def test_stop_ends_cleanly_without_deregistration(ue, registrar) -> None:
    ue.do("register", system="mc1")
    (child,) = ue.children()
    count = len(registrar.requests)
    assert ue.do("stop")["ok"]
    assert ue.wait_for_end() == 0
    assert gone(child) and len(registrar.requests) == count


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_at_once_and_answers_what_waits(ue, registrar, number) -> None:
    registrar.behaviour = "silent"
    running, waiting = ue.send("register", system="mc1"), ue.send("status")
    end = time.monotonic() + 60
    while not registrar.requests and time.monotonic() < end:
        time.sleep(0.02)
    (child,) = ue.children()
    ue.process.send_signal(number)
    assert ue.wait_for_end() == 0
    answers = {event["id"]: event["reason"] for event in ue.events if event["event"] == "done"}
    assert answers == {running: "stopped", waiting: "stopped"}
    assert gone(child)


def test_the_end_of_input_lets_commands_finish(ue, registrar) -> None:
    number = ue.send("register", system="mc1")
    ue.close_input()
    assert ue.wait_for_end() == 0
    (done,) = [event for event in ue.events if event["event"] == "done"]
    assert (done["id"], done["ok"]) == (number, True)


def test_stacks_end_when_their_parent_is_killed(ue, registrar) -> None:
    ue.do("register", system="mc1")
    (child,) = ue.children()
    ue.process.kill()
    ue.wait_for_end()
    assert gone(child)


def test_a_stack_that_dies_is_an_event_and_can_be_replaced(ue, registrar) -> None:
    ue.do("register", system="mc1")
    (child,) = ue.children()
    os.kill(child, signal.SIGKILL)
    ended = ue.wait_for(lambda event: event["event"] == "registration.changed" and event["status"] == 0)
    assert (ended["system"], ended["expires"]) == ("mc1", 0)
    assert ue.do("register", system="mc1")["ok"]


def test_after_a_silent_p_cscf_the_next_is_tried(registrar, write_config, start_ue, request) -> None:
    """TS 24.229 §5.1.1.2.1, when timer F of RFC 3261 §17.1.2.2 has fired after 32 s."""
    silent = type(registrar)()
    request.addfinalizer(silent.close)
    silent.behaviour = "silent"
    config = write_config(f'sip:127.0.0.1:{silent.port}", "sip:127.0.0.1:{registrar.port}')
    ue = start_ue(config)
    number = ue.send("register", system="mc1")
    ended = ue.wait_for(lambda event: event["event"] == "registration.changed", 45)
    assert (ended["status"], ended["expires"]) == (408, 0)
    assert ue.wait_for(lambda event: event.get("id") == number)["status"] == 200


def test_a_p_cscf_that_nothing_routes_to_is_told(write_config, start_ue) -> None:
    ue = start_ue(write_config("sip:no-such-host.invalid:5060"))
    done = ue.do("register", system="mc1")
    assert not done["ok"] and "no route to the P-CSCF" in done["reason"]


def test_commands_from_a_file(config, tmp_path) -> None:
    """Standard input may be a plain file, which no poll can wait for."""
    commands = tmp_path / "commands"
    commands.write_text('{"id":"a","command":"status"}\n{"id":"b","command":"isim"}')
    with commands.open("rb") as file:
        run = subprocess.run(
            [sys.executable, "-m", "ue_agent.cli", "run", "--config", config],
            stdin=file,
            capture_output=True,
            timeout=60,
        )
    assert [json.loads(line).get("id") for line in run.stdout.splitlines()] == [None, "a", "b"]
    assert run.returncode == 0


def test_one_isim_is_in_one_process(ue, tmp_path) -> None:
    run = ue_agent("isim", "--config", str(tmp_path / "ue.toml"))
    assert run.returncode == 1 and run.stdout == b""
    assert run.stderr.decode().startswith("error: ") and "another ue-agent" in run.stderr.decode()


@pytest.mark.parametrize("command", ["run", "check", "isim", "register", "migrate", "return-home"])
def test_a_missing_file_is_misuse(command, tmp_path) -> None:
    run = ue_agent(command, "--config", str(tmp_path / "none.toml"))
    assert run.returncode == 2 and run.stdout == b""
    assert run.stderr.decode().count("\n") == 1 and "No such file" in run.stderr.decode()


def test_a_fault_of_the_configuration_is_one_line(write_config) -> None:
    run = ue_agent("check", "--config", str(write_config("sip:127.0.0.1:5060", sip="port = 70000")))
    assert (run.returncode, run.stderr) == (2, b"error: ue.toml: sip.port: 70000 is more than 65535\n")


def test_check_says_whose_card_it_is(config) -> None:
    run = ue_agent("check", "--config", config)
    assert (run.returncode, run.stdout) == (0, b"ok: ue1: 001010000000001@ims.mc1.lab of mc1\n")


def test_a_damaged_card_state_is_told_and_kept(config, tmp_path) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "state/isim.json").write_text("{")
    run = ue_agent("run", "--config", config)
    assert run.returncode == 1 and b"error: isim.json: damaged" in run.stderr
    assert (tmp_path / "state/isim.json").read_text() == "{"


def test_isim_shows_the_card_and_answers_a_trial(config) -> None:
    vector = generate_vector(Milenage(K, OPC), bytes(16), 64, b"\x80\x00")
    run = ue_agent("isim", "--config", config, "--rand", vector.rand.hex(), "--autn", vector.autn.hex())
    shown = json.loads(run.stdout)
    assert shown["authentication"] == {"outcome": "response", "res": vector.xres.hex()}
    assert (shown["private_user_identity"], shown["sqn"]) == ("001010000000001@ims.mc1.lab", 0)
    assert K.hex().encode() not in run.stdout + run.stderr


def test_isim_refuses_a_foreign_challenge(config) -> None:
    run = ue_agent("isim", "--config", config, "--rand", "00" * 16, "--autn", "00" * 16)
    assert run.returncode == 1 and json.loads(run.stdout)["authentication"]["outcome"] == "refused"


@pytest.mark.parametrize("arguments", [["--rand", "00" * 16], ["--rand", "x", "--autn", "00" * 16]])
def test_isim_misused(config, arguments) -> None:
    run = ue_agent("isim", "--config", config, *arguments)
    assert run.returncode == 2 and run.stderr.startswith(b"error: ")


def test_without_pjsua2_one_clear_line(config, tmp_path) -> None:
    """A pjsua2 that cannot be loaded, found first on the path."""
    (tmp_path / "pjsua2.py").write_text("raise ImportError('no bindings')\n")
    run = ue_agent("run", "--config", config, env={"PYTHONPATH": str(tmp_path)})
    assert run.returncode == 1 and run.stdout == b""
    assert run.stderr.decode().startswith("error: AKA cannot be had from this pjsua2: pjsua2 cannot be loaded")
    assert run.stderr.count(b"\n") == 1


def test_register_for_people(write_config, registrar) -> None:
    config = str(write_config(f"sip:127.0.0.1:{registrar.port}"))
    run = ue_agent("register", "--config", config, "--expires", "120")
    shown = json.loads(run.stdout)
    assert (run.returncode, shown["ok"], shown["system"], shown["expires"]) == (0, True, "mc1", 120)
    registrar.behaviour = "403 Forbidden"
    refused = ue_agent("return-home", "--config", config)
    assert refused.returncode == 1 and json.loads(refused.stdout) == {
        "ok": False, "reason": "Forbidden", "status": 403,
    }  # fmt: skip
    assert b"error: 403: Forbidden" in refused.stderr
