"""``mclab verify RUN`` on copies of a real run with one octet changed in the file: it fails and names the step.

And on what is no whole run: one clear line, exit 1 or 2, no traceback.
"""

import base64
import json
import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
from typer.testing import CliRunner

from lab.cli import app
from lab.evidence.checks.authentication import SIP_AUTHENTICATE, SIP_AUTHORIZATION, member
from lab.evidence.dissect import dissect
from lab.evidence.facts import load_facts
from lab.evidence.messages import DiameterMessage, SipMessage
from lab.evidence.story import Evidence, Hop, Registration, Story, read_stories
from lab.evidence.texts import digest_parameters

VECTOR = Path(__file__).parents[1] / "vectors" / "captures" / "migration"
Place = Callable[[], tuple[int, bytes]]


@cache
def evidence() -> Evidence:
    return read_stories(dissect(VECTOR / "capture.pcapng"), load_facts(VECTOR))


def story() -> Story:
    return next(one for one in evidence().stories if one.partner is not None)


def partner() -> Registration:
    registration = story().partner
    assert registration is not None
    return registration


@pytest.fixture
def run(tmp_path: Path) -> Path:
    target = tmp_path / "run"
    shutil.copytree(VECTOR, target)
    return target


def verify(run: Path) -> tuple[int, str, dict[str, str]]:
    """Return the exit status, what was printed, and the verdict of each step that did not pass."""
    done = CliRunner().invoke(app, ["verify", str(run)])
    assert done.exception is None or isinstance(done.exception, SystemExit)
    written = run / "report.json"
    steps = json.loads(written.read_text())["steps"] if written.is_file() else []
    return done.exit_code, done.output, {s["id"]: s["verdict"] for s in steps if s["verdict"] != "pass"}


def change_octet(run: Path, message: SipMessage | DiameterMessage, text: bytes, at: int) -> None:
    """Flip one bit of one octet of the file: octet ``at`` of ``text`` in the frame of ``message``."""
    (payload,) = [p for p in evidence().capture.payloads if p.frame.number == message.frame.number]
    file = run / "capture.pcapng"
    octets = bytearray(file.read_bytes())
    assert octets.count(payload.octets) == 1
    offset = octets.index(payload.octets) + payload.octets.index(text) + at
    octets[offset] ^= 1
    file.write_bytes(octets)


def hop_of(leg: str) -> tuple[DiameterMessage, DiameterMessage]:
    hop: Hop | None = getattr(story(), leg)
    assert hop is not None and hop.answer is not None
    return hop.request, hop.answer


def in_partner(command: int) -> DiameterMessage:
    """Return the first request of a command for the partner set on AAA-2."""
    found = evidence().index.requests_for(command, partner().identities, partner().first.frame.number, 1 << 60)
    return next(m for m in found if evidence().index.leg(m) == "aaa-2")


def nonce_of_the_401() -> tuple[SipMessage, bytes, int]:
    challenge = partner().challenge
    assert challenge is not None
    nonce = digest_parameters(challenge.header("www-authenticate"))["nonce"].encode()
    return challenge, nonce, 20


def response_of_the_ue() -> tuple[SipMessage, bytes, int]:
    answer = partner().answer
    assert answer is not None
    return answer, digest_parameters(answer.header("authorization"))["response"].encode(), 5


def vector_at(leg: str, code: int) -> Callable[[], tuple[DiameterMessage, bytes, int]]:
    def place() -> tuple[DiameterMessage, bytes, int]:
        answer = hop_of(leg)[1]
        octets = member(answer, code)
        return answer, octets, len(octets) - 1

    return place


def user_name_of(message: Callable[[], DiameterMessage]) -> Callable[[], tuple[DiameterMessage, bytes, int]]:
    return lambda: (message(), partner().identities[0].encode(), 6)


# fmt: off
OCTETS: dict[str, tuple[Callable[[], tuple[SipMessage | DiameterMessage, bytes, int]], set[str]]] = {
    "nonce of the 401":             (nonce_of_the_401,                          {"10.6.2-11"}),
    "response of the UE":           (response_of_the_ue,                        {"10.6.2-12"}),
    "IMPI of the REGISTER":         (lambda: (partner().first, partner().identities[0].encode(), 6), {"10.6.2-2"}),
    "User-Name of the UAR":         (user_name_of(lambda: in_partner(300)),     {"10.6.2-3"}),
    "User-Name of the MAR":         (user_name_of(lambda: hop_of("aaa_2")[0]),  {"10.6.2-3"}),
    "User-Name of the SAR":         (user_name_of(lambda: in_partner(301)),     {"10.6.2-13"}),
    "610 on AAA-2":                 (vector_at("aaa_2", SIP_AUTHORIZATION),     {"10.6.2-10"}),
    "609 on AAA-2":                 (vector_at("aaa_2", SIP_AUTHENTICATE),      {"10.6.2-10"}),
    "610 at the HSS":               (vector_at("hss", SIP_AUTHORIZATION),       {"10.6.2-8", "10.6.2-10", "10.6.2-12"}),
    "609 at the HSS":               (vector_at("hss", SIP_AUTHENTICATE),        {"10.6.2-8", "10.6.2-10", "10.6.2-11"}),
}
# fmt: on


@pytest.mark.parametrize("what", OCTETS)
def test_one_octet_in_the_file_fails_the_step_that_holds_it(what: str, run: Path) -> None:
    place, steps = OCTETS[what]
    change_octet(run, *place())
    status, output, failed = verify(run)
    assert status == 1
    assert steps <= {step for step, verdict in failed.items() if verdict == "fail"}
    for step in steps:
        assert step in output


def test_one_octet_of_csc_y_inside_tls_takes_the_message_away(run: Path) -> None:
    """What cannot be decrypted was not seen: the steps that need it fail."""
    request = hop_of("csc_y")[0]
    (payload,) = [p for p in evidence().capture.payloads if p.frame.number == request.frame.number]
    change_octet(run, request, payload.octets, len(payload.octets) - 1)
    status, output, failed = verify(run)
    assert status == 1
    assert failed["10.6.2-5"] == "fail"
    assert "10.6.2-5" in output


def test_the_unchanged_run_passes(run: Path) -> None:
    status, output, failed = verify(run)
    assert (status, failed) == (0, {})
    assert "verdict: pass" in output
    assert base64.b64encode(member(hop_of("hss")[1], SIP_AUTHORIZATION)).decode() not in output


# --- what is no whole run -------------------------------------------------------------------------------------


def one_error_line(run: Path) -> tuple[int, str]:
    status, output, _ = verify(run)
    lines = [line for line in output.splitlines() if line.strip()]
    assert len(lines) == 1, output
    assert lines[0].startswith("error: ")
    assert "Traceback" not in output
    return status, lines[0]


def test_a_missing_capture_is_named(run: Path) -> None:
    (run / "capture.pcapng").unlink()
    status, line = one_error_line(run)
    assert status == 1
    assert "no such capture" in line


def test_a_truncated_capture_is_named(run: Path) -> None:
    file = run / "capture.pcapng"
    file.write_bytes(file.read_bytes()[:200_001])
    status, line = one_error_line(run)
    assert status == 1
    assert "cut short" in line


@pytest.mark.parametrize("octets", [b"", b"this is no capture\n" * 40])
def test_a_file_that_is_no_capture_is_named(run: Path, octets: bytes) -> None:
    (run / "capture.pcapng").write_bytes(octets)
    status, line = one_error_line(run)
    assert status == 1
    assert "capture.pcapng" in line


def test_a_capture_of_another_network_proves_nothing(run: Path) -> None:
    facts = json.loads((run / "run.json").read_text())
    text = json.dumps(facts).replace("10.77.", "10.99.")
    (run / "run.json").write_text(text)
    status, line = one_error_line(run)
    assert status == 1
    assert "capture.pcapng: another network's: 10.77." in line
    assert not (run / "report.json").exists()


def test_an_empty_directory_is_no_run(tmp_path: Path) -> None:
    status, line = one_error_line(tmp_path)
    assert status == 2
    assert "not a run directory" in line


@pytest.mark.parametrize(
    "edit",
    [
        lambda text: text[: len(text) // 2],
        lambda text: "[]",
        lambda text: "{}",
        lambda text: json.dumps({key: value for key, value in json.loads(text).items() if key != "systems"}),
        lambda text: json.dumps(json.loads(text) | {"ues": 3}),
        lambda text: json.dumps(json.loads(text) | {"checks": [{}]}),
        lambda text: json.dumps(json.loads(text) | {"checks": 3}),
        lambda text: "\x00\xff" + text,
    ],
    ids=["half", "list", "empty", "no-systems", "ues", "checks", "checks-number", "no-text"],
)
def test_a_half_written_run_json_is_named(run: Path, edit: Callable[[str], str]) -> None:
    file = run / "run.json"
    file.write_text(edit(file.read_text()), encoding="latin-1")
    status, line = one_error_line(run)
    assert status in (1, 2)
    assert "run.json" in line


def test_a_run_that_failed_is_no_pass_whatever_its_capture_shows(run: Path) -> None:
    facts = json.loads((run / "run.json").read_text())
    (run / "run.json").write_text(json.dumps(facts | {"failure": "step 9 Message: no answer"}))
    status, _, failed = verify(run)
    assert (status, failed) == (1, {})
