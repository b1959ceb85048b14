"""The doctor names the right cause first on a real capture of each, and says nothing on a good one (docs/doctor.md).

Every capture is looked at twice: with the facts of its run, and as one of another lab, without any topology.
"""

import json
import re
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
from typer.testing import CliRunner

from lab.cli import app
from lab.evidence.dissect import DissectionFailed
from lab.evidence.doctor.causes import CAUSES
from lab.evidence.doctor.examine import Diagnosis, diagnose
from lab.evidence.doctor.sight import look
from lab.evidence.doctor.view import View
from lab.evidence.facts import load_facts

CAPTURES = Path(__file__).parents[1] / "vectors" / "captures"
GOOD = (
    "both-orders", "home-registered", "migration", "random-set", "refresh", "several-impus", "two-ues",
    "doctor/good-native",
)  # fmt: skip
BEFORE_REGISTRATION = {"server-away", "store-unavailable"}
"""What keeps a user from a registration: none is there that failed."""
RUNNER = CliRunner()
TOKEN = re.compile("<mcptt-access-token[^>]*><mcpttString>([^<]+)<")

# capture                               cause that must come first
ILL = {
    "doctor/wrong-key": "ue-rejects-network",
    "wrong-key": "ue-rejects-network",
    "doctor/op-for-opc": "ue-rejects-network",
    "doctor/wrong-response": "wrong-response",
    "doctor/resynchronisation-loops": "resynchronisation-loops",
    "doctor/md5-chosen": "md5-chosen",
    "doctor/algorithm-missing": "algorithm-missing",
    "doctor/empty-scscf-list": "empty-scscf-list",
    "doctor/capability-of-nobody": "empty-scscf-list",
    "doctor/unknown-user": "unknown-user",
    "doctor/identities-dont-match": "identities-dont-match",
    "doctor/identities-missing": "identities-missing",
    "doctor/peer-refused": "peer-not-open",
    "doctor/peer-silent": "peer-not-open",
    "doctor/peer-unknown": "peer-not-open",
    "doctor/timer-order": "timer-order",
    "doctor/outage-as-refusal": "outage-as-refusal",
    "doctor/database-down": "database-down",
    "resync": "database-down",  # its last REGISTER came while the HSS was away; the resynchronisation healed
    "doctor/database-silent": "database-silent",
    "doctor/pcscf-down": "cscf-silent",
    "doctor/scscf-down": "cscf-silent",
    "doctor/realm-not-served": "realm-not-routed",
    "doctor/realm-not-routed": "realm-not-routed",
    "doctor/certificate-name": "certificate-mismatch",
    "doctor/certificate-untrusted": "certificate-mismatch",
    "doctor/assignment-refused": "assignment-refused",
    "doctor/binding-disabled": "binding-not-in-force",
    "unbound-identity": "binding-not-in-force",
    "cms-killed-after-step-6": "server-away",
    "doctor/disk-full": "store-unavailable",
    "doctor/mc-service-silent": "mc-service-silent",
    "doctor/idms-unreachable": "idms-unreachable",
    "service-authorisation-refused": "access-token-missing",
    "doctor/access-token-issuer": "access-token-issuer",
    "doctor/access-token-audience": "access-token-audience",
    "doctor/access-token-expired": "access-token-expired",
    "doctor/mc-service-id-refused": "mc-service-id-refused",
}


@cache
def seen(name: str) -> View:
    return look(CAPTURES / name / "capture.pcapng")


def as_of(name: str, *, ours: bool) -> Diagnosis:
    view = seen(name)
    facts = load_facts(CAPTURES / name) if ours else None
    return diagnose(replace(view, facts=facts))


@pytest.mark.parametrize("ours", [True, False], ids=["ours", "of-another-lab"])
@pytest.mark.parametrize("name", ILL)
def test_the_right_cause_comes_first(name: str, *, ours: bool) -> None:
    found = as_of(name, ours=ours)
    assert [illness.cause for illness in found.illnesses][:1] == [ILL[name]]
    assert found.verdict == "ill"
    assert found.failed or found.refused or ILL[name] in BEFORE_REGISTRATION
    assert found.illnesses[0].frames


@pytest.mark.parametrize("ours", [True, False], ids=["ours", "of-another-lab"])
@pytest.mark.parametrize("name", GOOD)
def test_a_good_capture_is_healthy(name: str, *, ours: bool) -> None:
    found = as_of(name, ours=ours)
    assert (found.verdict, found.illnesses, found.failed) == ("healthy", (), ())
    assert found.registrations > 0


@pytest.mark.parametrize("ours", [True, False], ids=["ours", "of-another-lab"])
def test_each_refusal_of_a_service_authorisation_has_its_cause(*, ours: bool) -> None:
    """No token, then the home's, then the partner's, which is taken (TS 24.379 §7.3.2)."""
    found = as_of("service-authorisation-refused", ours=ours)
    assert [illness.cause for illness in found.illnesses] == ["access-token-missing", "access-token-issuer"]
    assert (len(found.refused), found.authorisations, found.failed) == (2, 3, ())


def test_every_cause_has_a_capture() -> None:
    assert {cause.id for cause in CAUSES} == set(ILL.values())


def test_what_brings_an_outage_about_is_named_after_the_refusal() -> None:
    found = as_of("doctor/outage-as-refusal", ours=True)
    assert [illness.cause for illness in found.illnesses] == ["outage-as-refusal", "database-down"]
    assert "not connected: hss.mc1 port 3868" in found.illnesses[1].signs[0]


def test_a_certificate_is_shown_with_the_name_expected() -> None:
    text = " ".join(as_of("doctor/certificate-name", ours=False).illnesses[0].signs)
    assert "shows proxy-old.mc2.lab; expected proxy1.mc2.lab" in text


@pytest.mark.parametrize("name", ["doctor/access-token-expired", "service-authorisation-refused"])
def test_no_access_token_is_told(name: str) -> None:
    told = as_of(name, ours=True).model_dump_json()
    tokens = {part for m in seen(name).capture.sip for token in TOKEN.findall(m.text) for part in token.split(".")}
    assert len(tokens) >= 3
    assert not [part for part in tokens if part in told]


@pytest.mark.parametrize("name", ["doctor/wrong-response", "doctor/good-native", "resync"])
def test_no_vector_and_no_digest_is_told(name: str) -> None:
    """What a diagnosis says holds no XRES, CK, IK, nonce or response of its capture."""
    view, told = seen(name), as_of(name, ours=True).model_dump_json()
    secrets = {avp.octets[24:].rstrip("0") for m in view.capture.diameter for a in m.all(612) for avp in a.children}
    secrets |= {
        value for a in view.attempts for r in a.rounds for k, value in r.authorization.items() if k == "response"
    }
    assert len(secrets) > 3
    assert not [secret for secret in secrets if len(secret) > 12 and secret in told]


def test_diameter_on_another_port_in_a_plain_pcap_is_found_by_its_form() -> None:
    result = RUNNER.invoke(app, ["doctor", str(CAPTURES / "doctor/other-ports/capture.pcap")])
    assert result.exit_code == 1
    assert result.stdout.splitlines()[-1].endswith("first cause: unknown-user")


def test_the_command_prints_json_and_exits_by_the_verdict() -> None:
    ill = RUNNER.invoke(app, ["doctor", str(CAPTURES / "doctor/unknown-user"), "--json"])
    assert (ill.exit_code, json.loads(ill.stdout)["illnesses"][0]["cause"]) == (1, "unknown-user")
    assert RUNNER.invoke(app, ["doctor", str(CAPTURES / "doctor/good-native")]).exit_code == 0
    assert RUNNER.invoke(app, ["doctor", str(CAPTURES / "not-authorised")]).exit_code == 2
    wrong = RUNNER.invoke(app, ["doctor", str(CAPTURES / "doctor/unknown-user"), "--decode-as", "nonsense"])
    assert (wrong.exit_code, wrong.stderr.count("\n")) == (2, 1)


@pytest.mark.parametrize(("opc", "says"), [
    ("cdc202d5123e20f62b6d676ac72cb318", "one side has OP where OPc belongs"),
    ("cd63cb71954a9f4e48a5994e37a02baf", "AUTN fits these keys"),
    ("cd63cb71954a9f4e48a5994e37a02bae", "AUTN fits neither"),
])  # fmt: skip
def test_keys_tell_op_for_opc_from_another_key(tmp_path: Path, opc: str, says: str) -> None:
    """OP and OPc of test set 1 (TS 35.208 §4.3.1), against what the HSS of the lab sent."""
    isim = tmp_path / "ue.toml"
    isim.write_text(f'[isim]\nk = "465b5ce8b199b49faa5f0a2ee238a6bc"\nopc = "{opc}"\n')
    capture = str(CAPTURES / "doctor/op-for-opc/capture.pcapng")
    result = RUNNER.invoke(app, ["doctor", capture, "--isim", str(isim)])
    assert result.exit_code == 1
    assert says in result.stdout
    assert opc not in result.stdout


def test_a_capture_without_secrets_says_what_could_not_be_read(tmp_path: Path) -> None:
    """The TLS secrets are a block of their own in the file (pcapng, Decryption Secrets Block)."""
    octets = (CAPTURES / "unbound-identity" / "capture.pcapng").read_bytes()
    bare = tmp_path / "bare.pcapng"
    bare.write_bytes(_without_secrets(octets))
    found = diagnose(look(bare))
    assert re.match(r"\d+ TLS connections could not be read \(ports .*\): no secrets", found.notes[0])
    assert found.illnesses[0].cause == "binding-not-in-force"


def test_a_capture_cut_short_is_refused(tmp_path: Path) -> None:
    cut = tmp_path / "cut.pcapng"
    cut.write_bytes((CAPTURES / "doctor" / "unknown-user" / "capture.pcapng").read_bytes()[:-7])
    with pytest.raises(DissectionFailed, match="cut short"):
        look(cut)


def _without_secrets(octets: bytes) -> bytes:
    kept, at = b"", 0
    while at < len(octets):
        length = int.from_bytes(octets[at + 4 : at + 8], "little")
        if int.from_bytes(octets[at : at + 4], "little") != 0x0A:
            kept += octets[at : at + length]
        at += length
    return kept
