"""``mclab fault``: something goes wrong in a lab that is up, and is mended again."""

from typing import Annotated

import typer

from lab.answers import errors, need_root, print_json

app = typer.Typer(
    help="Have something go wrong in a lab that is up, and mend it.\n\n"
    "mclab up; mclab fault begin kill hss.mc1; mclab tell ue1 register system=mc1 (504); "
    "mclab fault end kill hss.mc1; mclab tell ue1 register system=mc1 (200).\n\n"
    "mclab fault kinds lists what can go wrong.  Faults stand in the capture too: udp.port == 9.  "
    "They end with the lab, at the latest.",
    no_args_is_help=True,
)
LabOption = Annotated[str | None, typer.Option("--lab", help="Which lab; needed only when there are several.")]
AsJson = Annotated[bool, typer.Option("--json", help="The result as JSON on standard output.")]


@app.command()
def begin(
    kind: Annotated[str, typer.Argument(help="What goes wrong: mclab fault kinds lists them.")],
    target: Annotated[str, typer.Argument(help="A host, for example proxy1.mc2; for links a system too, as mc2.")],
    percent: Annotated[int, typer.Option("--percent", help="loss: frames of a hundred.")] = 0,
    delay_ms: Annotated[int, typer.Option("--delay-ms", help="delay, hss-slow: milliseconds.")] = 0,
    jitter_ms: Annotated[int, typer.Option("--jitter-ms", help="delay: give or take so many milliseconds.")] = 0,
    skew_s: Annotated[int, typer.Option("--skew-s", help="clock-skew: seconds ahead; negative: behind.")] = 0,
    lab: LabOption = None,
) -> None:
    """Make a fault.  It is there when the command returns, and stays until it is ended.

    mclab fault begin loss mc2 --percent 30
    mclab fault begin delay proxy1.mc1 --delay-ms 200 --jitter-ms 50
    mclab fault begin clock-skew idms.mc1 --skew-s -7200
    """
    from lab.commands.faults import begin as begin_fault

    need_root()
    amounts = {"percent": percent, "delay_ms": delay_ms, "jitter_ms": jitter_ms, "skew_s": skew_s}
    fault = {"kind": kind, "target": target, **{name: value for name, value in amounts.items() if value}}
    with errors():
        typer.echo(f"began: {begin_fault(lab, fault)}")


@app.command()
def end(
    kind: Annotated[str | None, typer.Argument(help="Its kind; without it, every fault ends.")] = None,
    target: Annotated[str | None, typer.Argument(help="Its target.")] = None,
    lab: LabOption = None,
) -> None:
    """Mend a fault, or all; a program that it struck is ready again when the command returns.

    mclab fault end kill hss.mc1; mclab fault end
    """
    from lab.commands.faults import end as end_fault

    need_root()
    with errors():
        ended = end_fault(lab, kind, target)
    typer.echo("\n".join(f"ended: {one}" for one in ended) or "there is no fault")


@app.command(name="list")
def list_faults(lab: LabOption = None, as_json: AsJson = False) -> None:
    """Show the faults that there are now.

    mclab fault list --lab a1b2 --json
    """
    from lab.commands.faults import active

    need_root()
    with errors():
        there = active(lab)
    if as_json:
        print_json({"faults": there})
        return
    typer.echo("\n".join(str(one["fault"]) for one in there) or "there is no fault")


@app.command()
def kinds(as_json: AsJson = False) -> None:
    """Show what can go wrong, and what each kind needs.

    mclab fault kinds; then mclab fault begin KIND TARGET.
    """
    from lab.commands.faults import kinds as every_kind

    listed = every_kind()
    if as_json:
        print_json({"kinds": listed})
        return
    for one in listed:
        typer.echo(f"{one['kind']:<11} {one['target']:<13} {one['what']}")
        if one["options"]:
            typer.echo(f"{'':<25} {one['options']}")
