"""``mclab``: the lab's command line.  Standard output is the result, standard error is for people."""

import os
from pathlib import Path
from typing import Annotated

import typer

from lab import fault_cli
from lab.answers import errors as _errors
from lab.answers import fail as _fail
from lab.answers import need_root as _need_root
from lab.answers import print_json as _print_json
from lab.answers import say as _say
from lab.interruption import Told, exit_status
from mmserver.version_option import add_version

app = typer.Typer(
    help="Two IMS cores and all that migration needs, on this machine, each host in a network namespace.\n\n"
    "mclab run migration brings a lab up, migrates one user, and proves each step from the capture.  "
    "mclab up leaves a lab to work in.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
add_version(app, "mclab")
drill_app = typer.Typer(help="Long trials of the whole.", no_args_is_help=True)
app.add_typer(drill_app, name="drill")
app.add_typer(fault_cli.app, name="fault")

LabId = Annotated[str | None, typer.Argument(help="Which lab; needed only when there are several.")]
AsJson = Annotated[bool, typer.Option("--json", help="The result as JSON on standard output.")]
TopologyFile = Annotated[Path | None, typer.Option("--topology", help="Another topology than the lab's own.")]
Runtime = Annotated[str, typer.Option("--runtime", help="netns: namespaces of this machine; containers: podman.")]

LAB_DOWN = "interrupted; the lab is down"
HALF_DOWN = "interrupted; mclab down takes the rest down"
INTERRUPTED = 130
"""typer's exit status after a signal that no command took, without a word."""


@app.command()
def up(
    topology: TopologyFile = None,
    system: Annotated[
        list[str] | None, typer.Option("--system", help="A system to bring up; default mc1 and mc2.")
    ] = None,
    directory: Annotated[
        Path | None, typer.Option("--directory", help="Run directory; default runs/up-<time>-<id>.")
    ] = None,
    runtime: Runtime = "netns",
    as_json: AsJson = False,
) -> None:
    """Bring a lab up and leave it running.

    mclab up --system mc1 --system mc2; then mclab status, mclab tell, mclab down.
    """
    from lab.commands.labs import up as bring_up

    _need_root()
    _need_runtime(runtime)
    with _errors(LAB_DOWN):
        result = bring_up(topology, tuple(system or ()), directory, _say, runtime)
    if as_json:
        _print_json(result)
    else:
        typer.echo(f"lab {result['lab']} is up: {result['run']}")
        tell = f"mclab tell --lab {result['lab']} ue1"
        first, then = f"{tell} authenticate system=mc1", f"{tell} register system=mc1"
        _say(f"next: mclab status; {first}; {then}; mclab down {result['lab']}")


@app.command()
def down(
    lab: LabId = None,
    every: Annotated[bool, typer.Option("--all", help="Take every lab down.")] = False,
    as_json: AsJson = False,
) -> None:
    """Take a lab down: programs, capture, namespaces, containers; a lab whose supervisor is dead too.

    mclab down; mclab down a1b2; mclab down --all
    """
    from lab.commands.labs import down as take_down

    _need_root()
    with _errors(HALF_DOWN):
        gone = take_down(lab, every=every, say=_say)
    if as_json:
        _print_json({"down": gone})
    else:
        typer.echo(f"down: {', '.join(gone)}" if gone else "there is no lab")


@app.command()
def status(lab: LabId = None, as_json: AsJson = False) -> None:
    """Show the labs that are up, and what runs on which host.

    mclab status; mclab status a1b2 --json
    """
    from lab.commands.labs import status as ask_labs

    _need_root()
    with _errors():
        labs = ask_labs(lab)
    if as_json:
        _print_json({"labs": labs})
        return
    if not labs:
        typer.echo("there is no lab; mclab up makes one")
    for one in labs:
        typer.echo("  ".join(filter(None, (f"lab {one['lab']}", one.get("run"), one.get("reason")))))
        for host in one.get("hosts", []):
            places = " ".join(host["listen"])
            typer.echo(f"  {host['host']:<12} {host['address']:<12} {host['state']:<12} {places}")


@app.command()
def scenarios(as_json: AsJson = False) -> None:
    """List the scenarios and what each proves; those marked long are not in make test, only in make test-all.

    mclab scenarios; then mclab run NAME.
    """
    from lab.commands.runs import scenarios as list_scenarios

    listed = list_scenarios()
    if as_json:
        _print_json({"scenarios": listed})
        return
    for one in listed:
        typer.echo(f"{one['name']:<30} {'long' if one['long'] else '':<4}  {one['what']}")


@app.command()
def run(
    scenario: Annotated[list[str] | None, typer.Argument(help="Scenarios, one lab each.")] = None,
    every: Annotated[bool, typer.Option("--all", help="Every scenario.")] = False,
    repeat: Annotated[int, typer.Option("--repeat", min=1, help="So many times each.")] = 1,
    check_clean: Annotated[
        bool, typer.Option("--check-clean", help="Compare namespaces, containers, processes, files before and after.")
    ] = False,
    keep: Annotated[bool, typer.Option("--keep", help="Leave the lab up afterwards.")] = False,
    topology: TopologyFile = None,
    directory: Annotated[Path | None, typer.Option("--directory", help="Run directory, for one run only.")] = None,
    runtime: Runtime = "netns",
    as_json: AsJson = False,
) -> None:
    """Run scenarios, each in a lab of its own, and judge each from its capture.  Exit 0 when all passed.

    mclab run migration; mclab run --all --repeat 10 --check-clean; mclab run native --keep leaves the lab up.
    """
    from lab.commands.runs import RunOrder
    from lab.commands.runs import run as run_scenarios

    _need_root()
    _need_runtime(runtime)
    with _errors(LAB_DOWN):
        order = RunOrder(
            names=tuple(scenario or ()),
            every=every,
            repeat=repeat,
            check_clean=check_clean,
            keep=keep,
            topology=topology,
            directory=directory,
            runtime=runtime,
        )
        outcomes = run_scenarios(order, _say, show=not as_json)
    if as_json:
        reports = [outcome.as_json() for outcome in outcomes]
        _print_json(reports[0] if len(reports) == 1 else {"runs": reports})
    elif len(outcomes) > 1:
        for outcome in outcomes:
            typer.echo(outcome.line())
    raise typer.Exit(0 if all(outcome.passed for outcome in outcomes) else 1)


@app.command()
def storm(
    users: Annotated[int, typer.Option("--users", min=1, max=100_000, help="So many subscribers.")] = 200,
    rate: Annotated[float, typer.Option("--rate", min=0.1, max=10_000, help="Registrations a second.")] = 50.0,
    for_s: Annotated[
        float | None, typer.Option("--for", min=0.1, help="Seconds; without it everybody registers once.")
    ] = None,
    migrated: Annotated[bool, typer.Option("--migrated", help="At the partner, through both proxies.")] = False,
    native: Annotated[bool, typer.Option("--native", help="At home. With --migrated: first this, then that.")] = False,
    ramp: Annotated[float, typer.Option("--ramp", min=0, max=600, help="Seconds in which the rate grows.")] = 1.0,
    deregister: Annotated[bool, typer.Option("--deregister", help="Each de-registers afterwards.")] = False,
    timeout: Annotated[float, typer.Option("--timeout", min=0.5, max=32, help="Timer F, seconds.")] = 32.0,
    find_rate: Annotated[
        bool, typer.Option("--find-rate", help="Look for the highest rate without a failure, from --rate upwards.")
    ] = False,
    p99: Annotated[float, typer.Option("--p99", min=1, help="What a good rate's p99 stays under, ms.")] = 100.0,
    topology: TopologyFile = None,
    directory: Annotated[Path | None, typer.Option("--directory", help="Run directory.")] = None,
    as_json: AsJson = False,
) -> None:
    """Let many UEs register with AKA, and show how long it took.  Exit 0 when all got 200.

    mclab storm --users 200 --rate 50 --native --migrated; then mclab verify RUN judges each registration.
    """
    from rich.console import Console

    from lab.commands.storm import shown
    from lab.commands.storm import storm as blow
    from lab.scenarios.orders import StormOrder

    _need_root()
    sides = (*(("native",) if native else ()), *(("migrated",) if migrated or not native else ()))
    order = StormOrder.model_validate(
        {
            "kind": "storm",
            "users": users,
            "rate": rate,
            "sides": sides,
            "ramp_s": ramp,
            "for_s": for_s,
            "deregister": deregister,
            "timeout_s": timeout,
            "find_rate": find_rate,
            "p99_ms": p99,
        }
    )
    with _errors(LAB_DOWN):
        outcome = blow(order, topology, directory, _say)
    if as_json:
        _print_json(outcome.as_json())
    else:
        shown(outcome, Console(width=None if os.isatty(1) else 120))
        if outcome.reason:
            _say(f"error: {outcome.reason}")
    raise typer.Exit(0 if outcome.passed else 1)


@app.command()
def attach(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="attach.toml: your core, and where ours may be in it.")],
    check: Annotated[bool, typer.Option("--check", help="The pre-flight check alone; nobody migrates.")] = False,
    directory: Annotated[Path | None, typer.Option("--directory", help="Run directory.")] = None,
    as_json: AsJson = False,
) -> None:
    """Let a user migrate to an IMS core of your own, after a pre-flight check.  Exit 0 when every step is proved.

    mclab attach attach.toml --check; docs/plug-in.md says what is in the file.
    """
    from lab.commands.attachments import attach as attach_core

    _need_root()
    with _errors(LAB_DOWN):
        outcome = attach_core(file, directory, _say, check=check, show=not as_json)
    if as_json:
        _print_json(outcome.as_json())
    raise typer.Exit(0 if outcome.passed else 1)


@drill_app.command()
def chaos(
    runs: Annotated[int, typer.Option("--runs", min=1, max=10_000, help="So many migrations.")] = 10,
    seed: Annotated[str, typer.Option("--seed", help="Letters and digits: chooses who dies when.")] = "1",
    first: Annotated[int, typer.Option("--first", min=1, help="The number of the first run: repeats one.")] = 1,
    directory: Annotated[Path | None, typer.Option("--directory", help="Holds the run directories.")] = None,
    as_json: AsJson = False,
) -> None:
    """Kill a random program at a random moment of each migration.  Exit 0 when nothing was lost, doubled or leaked.

    mclab drill chaos --runs 100 --seed 1; mclab drill chaos --seed 1 --first 37 --runs 1 repeats one.
    """
    from lab.commands.drill import chaos as do_chaos

    _need_root()
    if not (seed.isascii() and seed.isalnum() and len(seed) <= 32):
        _fail(f"seed {seed}: wanted 1 to 32 letters and digits", 2)
    with _errors(LAB_DOWN):
        outcome = do_chaos(seed, first, runs, directory, _say)
    if as_json:
        _print_json(outcome.as_json())
    else:
        for line in outcome.failures():
            typer.echo(line)
        passed = sum(not run.faults for run in outcome.runs)
        typer.echo(f"{passed} of {runs} runs passed, seed {seed}, {len(outcome.lives)} labs")
    raise typer.Exit(0 if outcome.passed else 1)


@app.command()
def verify(
    run_directory: Annotated[Path, typer.Argument(metavar="RUN", help="Run directory.")],
    as_json: AsJson = False,
) -> None:
    """Judge a run again from its capture.  Exit 0 when it passes.

    mclab verify runs/migration-20260101-120000-a1b2; of a storm each registration is judged.
    """
    from lab.commands.verdicts import verify as judge_again

    with _errors():
        outcome = judge_again(run_directory, show=not as_json)
    if as_json:
        _print_json(outcome.as_json())
    raise typer.Exit(0 if outcome.passed else 1)


@app.command()
def report(
    run_directory: Annotated[Path, typer.Argument(metavar="RUN", help="Run directory.")],
    as_json: AsJson = False,
) -> None:
    """Show the report of a run as it was judged.

    mclab report runs/migration-20260101-120000-a1b2; report.html in that directory is for a browser.
    """
    from lab.commands.verdicts import report as read_report

    with _errors():
        outcome = read_report(run_directory, show=not as_json)
    if as_json:
        _print_json(outcome.as_json())


@app.command()
def doctor(
    capture: Annotated[Path, typer.Argument(metavar="RUN|CAPTURE", help="Run directory, or any .pcap or .pcapng.")],
    decode_as: Annotated[
        list[str] | None,
        typer.Option("--decode-as", metavar="RULE", help="As tshark -d, for example udp.port==5070,sip."),
    ] = None,
    keys: Annotated[Path | None, typer.Option("--keys", help="TLS secrets (SSLKEYLOGFILE) of the capture.")] = None,
    isim: Annotated[
        Path | None,
        typer.Option("--isim", help="ue.toml of the UE, \\[isim] k and opc: tells OP from OPc."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Explain why a registration failed, from a capture of any IMS core.  Exit 0 healthy, 1 ill, 2 misused.

    mclab doctor RUN; mclab doctor trace.pcap --keys tls.keys --decode-as udp.port==5070,sip
    """
    from lab.commands.examinations import EXIT_STATUS, shown
    from lab.commands.examinations import doctor as examine

    with _errors():
        diagnosis = examine(capture, tuple(decode_as or ()), keys, isim)
    if as_json:
        _print_json(diagnosis.model_dump(mode="json"))
    else:
        typer.echo(shown(diagnosis))
    raise typer.Exit(EXIT_STATUS[diagnosis.verdict])


@app.command()
def compare(
    first: Annotated[Path, typer.Argument(metavar="RUN", help="Run directory.")],
    second: Annotated[Path, typer.Argument(metavar="RUN", help="Run directory to compare it with.")],
    as_json: AsJson = False,
) -> None:
    """Show what differs between two runs: verdicts, time per hop, fields.  Exit 0 same verdicts, 1 different.

    mclab compare runs/migration-... runs/native-...; --json for scripts.
    """
    from lab.commands.examinations import compare as compare_runs
    from lab.commands.examinations import shown

    with _errors():
        comparison = compare_runs(first, second)
    if as_json:
        _print_json(comparison.model_dump(mode="json"))
    else:
        typer.echo(shown(comparison))
    raise typer.Exit(0 if comparison.same else 1)


@app.command()
def tell(
    ue: Annotated[str, typer.Argument(help="UE, for example ue1.")],
    command: Annotated[str, typer.Argument(help="authenticate, get-connection-details, register, message, ...")],
    values: Annotated[list[str] | None, typer.Argument(help="name=value; a value may be JSON.")] = None,
    lab: Annotated[str | None, typer.Option("--lab", help="Which lab.")] = None,
) -> None:
    """Tell a UE of a lab that is up what to do, and print its answer.

    mclab tell ue1 get-connection-details partner=mc2 location='{"coordinates":{"latitude":60.2,"longitude":25.2}}'
    """
    from lab.commands.labs import tell as tell_ue

    _need_root()
    with _errors():
        answer = tell_ue(lab, ue, command, tuple(values or ()))
    _print_json(answer)
    raise typer.Exit(0 if answer.get("ok") else 1)


@app.command()
def move(
    ue: Annotated[str, typer.Argument(help="UE, for example ue1.")],
    system: Annotated[str, typer.Argument(help="The system whose network it goes to.")],
    lab: Annotated[str | None, typer.Option("--lab", help="Which lab.")] = None,
) -> None:
    """Move a UE into another system's network.

    mclab move ue1 mc2; then mclab tell ue1 register system=mc2.
    """
    from lab.commands.labs import change

    _need_root()
    with _errors():
        change(lab, {"command": "move", "ue": ue, "system": system})
    typer.echo(f"{ue} is in {system}")


@app.command(name="base-image")
def base_image(
    mirror: Annotated[
        str, typer.Option("--mirror", help="A mirror of Debian packages; debootstrap's own if none.")
    ] = "",
    again: Annotated[bool, typer.Option("--again", help="Make it anew although it is there.")] = False,
) -> None:
    """Make the base image of the containers, debian:bookworm-slim, by debootstrap: where no registry is reached.

    mclab base-image; mclab base-image --mirror http://mirror.example/debian --again
    """
    from lab.commands.images import make_base

    _need_root()
    with _errors():
        typer.echo(make_base(mirror, _say, again=again))


def main() -> None:
    """Run the command line; Ctrl-C while a command still loads is one line too."""
    try:
        app(prog_name="mclab")
    except Told:
        raise
    except SystemExit as exc:
        if exc.code != INTERRUPTED:
            raise
        _say("error: interrupted")
        raise SystemExit(_status_of(exc)) from None


def _status_of(ending: BaseException) -> int:
    """Return the exit status of a signal that typer took."""
    cause: BaseException | None = ending
    while cause is not None and not isinstance(cause, KeyboardInterrupt):
        cause = cause.__context__
    return exit_status(cause or KeyboardInterrupt())


def _need_runtime(runtime: str) -> None:
    from lab.runtime.choice import RUNTIMES

    if runtime not in RUNTIMES:
        _fail(f"no runtime {runtime}; there are {', '.join(RUNTIMES)}", 2)


if __name__ == "__main__":
    main()
