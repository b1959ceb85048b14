"""Make the doctor's captures: a real lab with one thing wrong, and only the frames that a doctor looks at.

    python tests/vectors/captures/doctor/make.py DIRECTORY [CASE...]

Each case is a scenario and a disturbance: a change of what the lab rendered before its programs start.  Root is needed.
The result is DIRECTORY/CASE/capture.pcapng and run.json; copy them here.
"""

import asyncio
import json
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import lab.supervisor.lab as supervisor_lab
from lab.evidence import capture as capturing
from lab.evidence.facts import load_facts
from lab.render import programs as rendering
from lab.render import tls
from lab.render.files import Files
from lab.render.kamailio import CONFIGURATION
from lab.render.programs import PYTHON, Program
from lab.run_directory import RunDirectory, new_lab_id
from lab.runtime.netns import NetnsRuntime
from lab.scenarios.migrations import DETAILS, IN_MC2, migrate
from lab.scenarios.model import Scenario, Step, Wait
from lab.scenarios.record import run_facts
from lab.scenarios.runner import Runner, StepFailed
from lab.scenarios.system_steps import ChangeBindings, Kill, Pause, Start
from lab.scenarios.ue_steps import Authenticate, Deregister, Isim, Move, Register
from lab.supervisor.timeline import Timeline
from lab.topology import PROXIES, load_topology

ANY = (200, 401, 403, 408, 480, 500, 503, 504, 600)
ALICE = "001010000000001@ims.mc1.lab"
IMPI, NOBODY = r'(\[isim\].*?private_user_identity = ")[^"]+', r"\g<1>001010000000099@ims.mc1.lab"
OP_OF_SET_1 = "cdc202d5123e20f62b6d676ac72cb318"  # TS 35.208 §4.3.1: alice's OPc is made from it
NATIVE = {"systems.mc1.through_proxy": False}
MCS = {"systems.mc2.mc_service": True}
KEPT = (
    "sip || (diameter && !(diameter.cmd.code == 280)) || tcp.port == 3868 || tcp.port == 5868 || tcp.port == 3871"
    " || ip.addr == 10.77.2.7 || ip.flags.mf == 1 || ip.frag_offset > 0"
)

Disturbance = Callable[[tuple[Program, ...], Files], tuple[Program, ...]]


def nothing(programs: tuple[Program, ...], _files: Files) -> tuple[Program, ...]:
    """Leave all as it is."""
    return programs


@dataclass(frozen=True)
class Case:
    """One thing wrong."""

    what: str
    steps: tuple[Step, ...] = (Register("ue1", "mc1", status=ANY),)
    disturb: Disturbance = nothing
    systems: tuple[str, ...] = ("mc1",)
    settings: dict[str, Any] = field(default_factory=lambda: dict(NATIVE))
    certificate_names: dict[str, str] = field(default_factory=dict)
    kept_s: float = 1e9  # so long before the last registration begins


def edit(host: str, file: str, pattern: str, text: str) -> Disturbance:
    """Return a disturbance that replaces a pattern in a rendered file."""

    def disturb(programs: tuple[Program, ...], files: Files) -> tuple[Program, ...]:
        path = files.etc(host) / file
        before = path.read_text()
        after = re.sub(pattern, text, before, flags=re.S)
        assert after != before, f"{path}: nothing matches {pattern}"
        path.write_text(after)
        return programs

    return disturb


def hss_with(patch: str) -> Disturbance:
    """Return a disturbance that runs mc1's HSS simulator with a patch."""

    def disturb(programs: tuple[Program, ...], _files: Files) -> tuple[Program, ...]:
        code = f"{patch}\nfrom lab.systems.hss.cli import main\nmain()"
        return tuple(
            replace(p, argv=(*PYTHON, "-c", code, *p.argv[p.argv.index("lab.systems.hss") + 1 :]))
            if p.host == "hss.mc1"
            else p
            for p in programs
        )

    return disturb


def logic_of(host: str, role: str, file: str, pattern: str, text: str) -> Disturbance:
    """Return a disturbance of a CSCF's committed logic, in a copy."""

    def disturb(programs: tuple[Program, ...], files: Files) -> tuple[Program, ...]:
        copy = files.run.path / "kc"
        if not copy.exists():
            shutil.copytree(CONFIGURATION, copy)
        path = copy / role / file
        before = path.read_text()
        after = re.sub(pattern, text, before, flags=re.S)
        assert after != before, f"{path}: nothing matches {pattern}"
        path.write_text(after)
        values = files.etc(host) / "values.cfg"
        values.write_text(values.read_text().replace(f"{CONFIGURATION}/{role}", f"{copy}/{role}"))
        return programs

    return disturb


def ue_without_algorithm(programs: tuple[Program, ...], files: Files) -> tuple[Program, ...]:
    """Let ue1's first REGISTER carry no algorithm parameter."""
    folder = files.run.path / "site"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(
        "import ue_agent.pjsua_stack as s\n"
        "made = s._account_config\n"
        "def config(settings, transport):\n"
        "    c = made(settings, transport)\n"
        "    c.sipConfig.authInitialAlgorithm = ''\n"
        "    return c\n"
        "s._account_config = config\n"
    )
    return tuple(replace(p, argv=("env", f"PYTHONPATH={folder}", *p.argv)) if p.host == "ue1" else p for p in programs)


def both(*disturbances: Disturbance) -> Disturbance:
    """Return several as one."""

    def disturb(programs: tuple[Program, ...], files: Files) -> tuple[Program, ...]:
        for one in disturbances:
            programs = one(programs, files)
        return programs

    return disturb


def without_partner_peers(programs: tuple[Program, ...], files: Files) -> tuple[Program, ...]:
    """Take the partner out of the routes of both proxies of mc2."""
    for host in ("proxy1.mc2", "proxy2.mc2"):
        path = files.etc(host) / "proxy.toml"
        head, *peers = path.read_text().split("[[peers]]")
        kept = [peer for peer in peers[:-1] if ".mc1.lab" not in peer]
        last, tail = re.match(r"(.*?)(\n\[(?!\[).*|$)", peers[-1], re.S).groups()  # type: ignore[union-attr]
        if ".mc1.lab" not in last:
            kept.append(last)
        path.write_text("[[peers]]".join([head, *kept]) + tail)
    return programs


SILENT = (
    "import socket,sys,time\n"
    "s=socket.create_server(('10.77.1.13',3868))\n"
    'print(\'{"event":"ready","listen":["10.77.1.13:3868"]}\',flush=True)\n'
    "kept=[]\n"
    "while True: kept.append(s.accept())\n"
)


def after_restart(argv_of: Callable[[Program, Files], tuple[str, ...]]) -> Disturbance:
    """Return a disturbance that puts another program in the place of mc1's HSS once it is started again."""

    def disturb(programs: tuple[Program, ...], files: Files) -> tuple[Program, ...]:
        flag = files.run.path / "started-once"
        script = f'if [ -e {flag} ]; then shift $1; shift; else touch {flag}; set -- "${{@:2:$1}}"; fi; exec "$@"'

        def replaced(program: Program) -> Program:
            if program.host != "hss.mc1":
                return program
            good, bad = program.argv, argv_of(program, files)
            return replace(program, argv=("bash", "-c", script, "hss", str(len(good)), *good, *bad))

        return tuple(replaced(program) for program in programs)

    return disturb


def silent(_program: Program, _files: Files) -> tuple[str, ...]:
    """Return a program that takes connections and says nothing."""
    return (*PYTHON, "-c", SILENT)


def knowing_nobody(program: Program, files: Files) -> tuple[str, ...]:
    """Return the HSS with other peers in its configuration."""
    good = files.etc("hss.mc1") / "hss.toml"
    bad = files.etc("hss.mc1") / "other.toml"
    bad.write_text(re.sub(r'"[is]cscf\.mc1\.lab"', '"cscf.elsewhere.lab"', good.read_text()))
    return (*program.argv[:-1], str(bad))


RESTARTED = (Kill("hss.mc1"), Start("hss.mc1"), Wait(5.0), Register("ue1", "mc1", status=ANY))
MIGRATE = (Authenticate("ue1", "mc1"), *migrate("ue1", "mc2", IN_MC2)[:-1])
MC2 = Register("ue1", "mc2", status=ANY)
ARRIVED = (
    Authenticate("ue1", "mc1"), replace(DETAILS, patience_s=30.0), Move("ue1", "mc2"), Authenticate("ue1", "mc2")
)  # fmt: skip
VOUCHED = Register("ue1", "mc2", vouched_by="mc2")
NO_CAPABILITIES = (
    "import dataclasses, lab.systems.hss.cx as cx\n"
    "decide = cx.authorize_user\n"
    "cx.authorize_user = lambda *a: dataclasses.replace(decide(*a), server_name=None, with_capabilities=False)"
)
CAPABILITY_99 = (
    "import lab.systems.hss.cx as cx\n"
    "from diameter_proxy.diameter import dictionary as d\n"
    "class Caps:\n"
    "    def encode(self, names): return d.SERVER_CAPABILITIES.encode(d.MANDATORY_CAPABILITY.encode(99))\n"
    "class D:\n"
    "    SERVER_CAPABILITIES = Caps()\n"
    "    def __getattr__(self, name): return getattr(d, name)\n"
    "cx.d = D()"
)
DEAF = "import lab.systems.hss.authentication_centre as a\na.AuthenticationCentre.resynchronise = lambda *a: None"
SLOW = (
    "import time, lab.systems.hss.cx as cx\n"
    "n, mar = cx._PROCEDURES[303]\n"
    "cx._PROCEDURES[303] = (n, lambda self, m: (time.sleep(1.2), mar(self, m))[1])"
)
NO_ASSIGNMENT = (
    "import lab.systems.hss.cx as cx\n"
    "def sar(self, m): raise cx.Refusal('no', experimental=5005)\n"
    "cx._PROCEDURES[301] = ('SAR', sar)"
)
NAMELESS = "import lab.systems.hss.cx as cx\ncx._echoed = lambda m: ()"

# fmt: off
CASES: dict[str, Case] = {
    "good-native": Case("registered, refreshed by a resynchronisation, de-registered", (
        Register("ue1", "mc1"), Isim("ue1", "old"), Register("ue1", "mc1"), Deregister("ue1", "mc1"))),
    "wrong-key": Case("the ISIM has another K", settings={**NATIVE, "ues.ue1.wrong_key": True}),
    "op-for-opc": Case("the ISIM has OP where OPc belongs",
        disturb=edit("ue1", "ue.toml", r'opc = "[0-9a-f]+"', f'opc = "{OP_OF_SET_1}"')),
    "wrong-response": Case("the HSS expects another RES", settings={**NATIVE, "systems.mc1.corrupt_res_for": [ALICE]}),
    "resynchronisation-loops": Case("the HSS takes no AUTS", (
        Register("ue1", "mc1"), Isim("ue1", "old"), Register("ue1", "mc1", status=ANY)), hss_with(DEAF)),
    "md5-chosen": Case("the S-CSCF challenges with MD5",
        disturb=logic_of("scscf.mc1", "scscf", "route/register.cfg", '"AKAv1-MD5"', '"MD5"')),
    "algorithm-missing": Case("no algorithm in the first REGISTER, and the S-CSCF's default is MD5", disturb=both(
        ue_without_algorithm,
        logic_of("scscf.mc1", "scscf", "route/register.cfg", r'ims_www_challenge\("MAA", HOME_DOMAIN, "AKAv1-MD5"\);',
            'if ($hdr(Authorization) =~ "algorithm=.?AKA") ims_www_challenge("MAA", HOME_DOMAIN, "AKAv1-MD5");'
            ' else ims_www_challenge("MAA", HOME_DOMAIN, "MD5");'))),
    "empty-scscf-list": Case("UAA with neither Server-Name nor Server-Capabilities, no S-CSCF listed", disturb=both(
        hss_with(NO_CAPABILITIES), edit("icscf.mc1", "db/s_cscf", r"\n\d.*", "\n"))),
    "capability-of-nobody": Case("UAA with a capability that no S-CSCF has", disturb=hss_with(CAPABILITY_99)),
    "unknown-user": Case("an IMPI that the HSS does not know", disturb=edit("ue1", "ue.toml", IMPI, NOBODY)),
    "identities-dont-match": Case("alice's IMPI with carol's IMPU",
        disturb=edit("ue1", "ue.toml", "sip:alice@ims", "sip:carol@ims")),
    "identities-missing": Case("MAA without User-Name and Public-Identity", disturb=hss_with(NAMELESS)),
    "peer-refused": Case("the HSS refuses connections", (
        Kill("hss.mc1"), Wait(5.0), Register("ue1", "mc1", status=ANY))),
    "database-silent": Case("the HSS answers nothing", (Pause("hss.mc1"), Register("ue1", "mc1", status=ANY))),
    "pcscf-down": Case("nobody answers at the P-CSCF", (Kill("pcscf.mc1"), Register("ue1", "mc1", status=ANY))),
    "peer-silent": Case("no CEA", RESTARTED, after_restart(silent)),
    "peer-unknown": Case("the HSS knows no such peer: CEA with an error", RESTARTED, after_restart(knowing_nobody)),
    "scscf-down": Case("the S-CSCF has died", (Kill("scscf.mc1"), Register("ue1", "mc1", status=ANY))),
    "timer-order": Case("the P-CSCF gives up before the database may answer", (
        Register("ue1", "mc1", status=ANY), Wait(2.0)), disturb=both(
        hss_with(SLOW),
        logic_of("pcscf.mc1", "pcscf", "kamailio.cfg", '"fr_timer", 12000', '"fr_timer", 700'),
        logic_of("pcscf.mc1", "pcscf", "route/register.cfg", r'\tt_on_failure\("REGISTER_FAILED"\);\n', ""))),
    "outage-as-refusal": Case("the HSS is down, and the P-CSCF passes the 403 on", (
        Kill("hss.mc1"), Register("ue1", "mc1", status=ANY)), settings={},
        disturb=logic_of("pcscf.mc1", "pcscf", "route/outage.cfg", r"reply_route \{.*?\n\}\n", "")),
    "database-down": Case("the HSS behind the proxies is down", (
        Kill("hss.mc1"), Register("ue1", "mc1", status=ANY)), settings={}),
    "realm-not-routed": Case("the partner's proxies have no way to the primary's realm", (*MIGRATE, MC2),
        without_partner_peers, ("mc1", "mc2"), {}, kept_s=1.0),
    "realm-not-served": Case("the CSCFs ask for another realm than the HSS serves", disturb=edit(
        "icscf.mc1", "values.cfg", r'(DIAMETER_REALM) "[^"]+"', r'\1 "ims.mc9.lab"')),
    "certificate-name": Case("the certificates of mc2's proxies bear another name", (*MIGRATE, MC2),
        # Only CSC-Y is spoilt: the feed takes that name.
        edit("mms.mc2", "mms.toml", r"(\[http\.clients\].*?feed = )\[", r'\1["proxy-old.mc2.lab", '), kept_s=1.5,
        systems=("mc1", "mc2"), settings={},
        certificate_names={"proxy1.mc2.lab": "proxy-old.mc2.lab", "proxy2.mc2.lab": "proxy-old.mc2.lab"}),
    "certificate-untrusted": Case("mc1's proxies trust another CA than the one that signed mc2's certificates", (
        *MIGRATE, MC2), both(*(edit(f"{proxy}.mc1", "proxy.toml", r"mc2-ca\.pem", "mc1-ca.pem") for proxy in PROXIES)),
        systems=("mc1", "mc2"), settings={}, kept_s=1.0),
    "assignment-refused": Case("the HSS answers SAR with 5005", disturb=hss_with(NO_ASSIGNMENT)),
    "binding-disabled": Case("the partner's binding was disabled",
        (*MIGRATE, ChangeBindings("mc2", "disable", "partner"), MC2), systems=("mc1", "mc2"), settings={}, kept_s=0.5),
    "mc-service-silent": Case("the MC service server was killed",
        (*ARRIVED, Kill("mcs.mc2"), VOUCHED, Wait(2.0)), systems=("mc1", "mc2"), settings=MCS, kept_s=2.0),
    "idms-unreachable": Case("the partner's IdMS was killed before the MC service server had its keys",
        (*ARRIVED, Kill("idms.mc2"), VOUCHED, Wait(1.0)), systems=("mc1", "mc2"), settings=MCS, kept_s=0.5),
    "access-token-issuer": Case("REGISTER carries the token of the home's IdMS", (
        *ARRIVED, replace(VOUCHED, vouched_by="mc1"), Wait(1.0)), systems=("mc1", "mc2"), settings=MCS, kept_s=0.5),
    "access-token-audience": Case("the partner's IdMS issues tokens for its CMS alone", (*ARRIVED, VOUCHED, Wait(1.0)),
        systems=("mc1", "mc2"), settings={**MCS, "systems.mc2.mc_service_audience": False}, kept_s=0.5),
    "access-token-expired": Case("access tokens live for a second", (*ARRIVED, Wait(7.0), VOUCHED, Wait(1.0)),
        edit("idms.mc2", "idms.toml", r"\Z", "\n[lifetimes]\naccess_token_s = 1\n"), ("mc1", "mc2"), MCS, kept_s=0.5),
    "mc-service-id-refused": Case("the MC service server serves carol alone", (*ARRIVED, VOUCHED, Wait(1.0)),
        edit("mcs.mc2", "mcs.toml", r"\A", 'mc_service_ids = ["sip:carol@mc1.lab"]\n'), ("mc1", "mc2"), MCS,
        kept_s=0.5),
    "other-ports": Case("an unknown user, Diameter on port 3871, a .pcap", disturb=both(
        edit("ue1", "ue.toml", IMPI, NOBODY),
        edit("hss.mc1", "hss.toml", "port = 3868", "port = 3871"),
        edit("icscf.mc1", "cdp.xml", 'port="3868"', 'port="3871"'),
        edit("scscf.mc1", "cdp.xml", 'port="3868"', 'port="3871"'))),
}
# fmt: on


async def make(name: str, case: Case, directory: Path) -> None:
    """Run one case and cut its capture."""
    shutil.rmtree(directory, ignore_errors=True)
    scenario = Scenario(name, case.what, case.steps, case.systems, ("ue1",), case.settings)
    files = Files(RunDirectory(directory), new_lab_id())
    files.run.make()
    topology = load_topology(settings=case.settings).restricted_to(case.systems, ("ue1",))
    timeline = Timeline(files.run.timeline, lambda event: print(json.dumps(event, default=str)[:200]))
    lab = supervisor_lab.Lab(topology, NetnsRuntime(files.lab_id, topology, files.run.hosts_file), files, timeline)
    facts = run_facts(topology, scenario, files)
    failure = None
    try:
        await lab.up()
        await Runner(lab).run(case.steps)
    except (StepFailed, supervisor_lab.UpFailed) as exc:
        failure = str(exc)
        print("failed:", failure)
    finally:
        await lab.finish_capture()
        await lab.down()
        timeline.close()
    environment = {**facts["environment"], "kernel": "blanked"}
    files.run.write_run(
        facts | {"completed": failure is None, "failure": failure, "run": "run", "environment": environment}
    )


def cut(directory: Path, kept_s: float) -> None:
    """Keep only what a doctor looks at, with the TLS secrets of that and no others."""
    raw = directory / capturing.RAW
    whole = directory / "whole.pcapng"
    raw.rename(whole)
    registers = _fields(whole, 'sip.Method == "REGISTER"', "frame.time_epoch")
    times = [float(time) for (time,) in registers]
    first_s = min(time for time in times if time > times[-1] - 1.0) - kept_s if times else 0.0
    kept = f"({KEPT}) && frame.time_epoch >= {first_s:.6f}"
    subprocess.run(["tshark", "-n", "-r", str(whole), "-Y", kept, "-w", str(raw)], check=True)
    randoms = {random for (random,) in _fields(raw, "tls.handshake.type == 1", "tls.handshake.random")}
    for file in (directory / "keys").glob("*.keys"):
        lines = [
            line for line in file.read_text().splitlines() if line.split(" ")[1:2] and line.split(" ")[1] in randoms
        ]
        file.write_text("".join(f"{line}\n" for line in lines))
    finished = capturing.finish(directory, load_facts(directory).names())
    kernel = f"Linux {platform.release()}".encode()
    finished.write_bytes(finished.read_bytes().replace(kernel, b"Linux".ljust(len(kernel))))


def _fields(capture: Path, display_filter: str, *names: str) -> list[list[str]]:
    fields = [argument for name in names for argument in ("-e", name)]
    said = subprocess.run(
        ["tshark", "-n", "-r", str(capture), "-Y", display_filter, "-T", "fields", *fields],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    return [line.replace(":", "").split("\t") for line in said.stdout.splitlines()]


def main() -> None:
    """Make the cases named, or all."""
    target, names = Path(sys.argv[1]).absolute(), sys.argv[2:] or list(CASES)
    render, issue = rendering.render_lab, tls.SystemAuthority.issue
    for name in names:
        case = CASES[name]

        def render_disturbed(topology: Any, files: Files, case: Case = case) -> tuple[Program, ...]:
            return case.disturb(render(topology, files), files)

        def issue_renamed(self: Any, *names: str, folder: Path, case: Case = case) -> None:
            issue(self, *(case.certificate_names.get(name, name) for name in names), folder=folder)

        rendering.render_lab = render_disturbed
        tls.SystemAuthority.issue = issue_renamed  # type: ignore[method-assign]
        print(f"=== {name}")
        asyncio.run(make(name, case, target / name))
        cut(target / name, case.kept_s)


if __name__ == "__main__":
    main()
