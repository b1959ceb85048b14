"""The report for people and for tools: a table at the terminal, one self-contained page, JUnit XML."""

from pathlib import Path
from typing import TYPE_CHECKING, Final
from xml.etree import ElementTree

from lab.evidence.report import Report, Verdict

if TYPE_CHECKING:
    from rich.console import Console

TEMPLATES: Final = Path(__file__).parent / "templates"
PROCEDURES: Final = (
    ("10.6.1", "User authentication and registration in the primary MC system"),
    ("10.1.X.1", "Obtaining migration connectivity information"),
    ("10.6.2", "User authentication and registration in the partner MC system"),
)
_STYLE: Final = {
    Verdict.PASS: "green",
    Verdict.FAIL: "bold red",
    Verdict.UNKNOWN: "yellow",
    Verdict.NOT_EXPECTED: "dim",
}


def print_report(report: Report, console: "Console") -> None:
    """Print the verdict table: the steps that took place or should have, then checks, then where things lie."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    title = f"{report.scenario}: {report.what}"
    table = Table(title=title, title_justify="left", pad_edge=False, box=SIMPLE_HEAD)
    for column, justify in (("step", "left"), ("what", "left"), ("wire", "left"), ("verdict", "left")):
        table.add_column(column, justify=justify, no_wrap=column in ("step", "wire", "verdict"))  # type: ignore[arg-type]
    table.add_column("frames", overflow="fold", max_width=22)
    table.add_column("display filter or reason", overflow="fold")
    for step in report.steps:
        if step.verdict is Verdict.NOT_EXPECTED:
            continue
        style = _STYLE[step.verdict]
        last = step.filter if step.verdict is Verdict.PASS else step.detail
        table.add_row(step.id, step.title, step.wire, f"[{style}]{step.verdict}[/]", _frames(step.frames), _plain(last))
    console.print(table)
    for check in report.checks:
        console.print(
            f"  [{_STYLE[check.verdict]}]{check.verdict:<8}[/] {_plain(check.name)}  [dim]{_plain(check.detail)}[/]"
        )
    missing = [e for e in report.expectations if e.verdict is not Verdict.PASS]
    for promise in missing:
        console.print(f"  [red]not kept:[/] {_plain(promise.what)}: {_plain(promise.detail)}")
    console.print(_proved(report))
    console.print(report.security_association, soft_wrap=True)
    console.print(f"verdict: [{_STYLE[report.verdict]}]{report.verdict}[/]")
    console.print(f"capture: {report.capture}", soft_wrap=True)
    console.print(f"report:  {report.run}/report.html", soft_wrap=True)
    if report.verdict is not Verdict.PASS:
        console.print(f"why:     mclab doctor {report.run}", soft_wrap=True)
    console.print(f"look:    WIRESHARK_CONFIG_DIR={report.run}/wireshark wireshark {report.capture}", soft_wrap=True)


def write_html(report: Report, directory: Path) -> Path:
    """Write ``report.html``, one page without any outside resource; return its path."""
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES), autoescape=True, undefined=jinja2.StrictUndefined
    )
    path = directory / "report.html"
    path.write_text(environment.get_template("report.html.j2").render(report=report, procedures=PROCEDURES))
    return path


def write_junit(report: Report, directory: Path) -> Path:
    """Write ``junit.xml``: one test case for each expectation; return its path."""
    failed = [e for e in report.expectations if e.verdict is not Verdict.PASS]
    suite = ElementTree.Element(
        "testsuite",
        name=report.scenario,
        tests=str(len(report.expectations)),
        failures=str(sum(e.verdict is not Verdict.UNKNOWN for e in failed)),
        errors=str(sum(e.verdict is Verdict.UNKNOWN for e in failed)),
    )
    for promise in report.expectations:
        case = ElementTree.SubElement(suite, "testcase", classname=report.scenario, name=_printable(promise.what))
        if promise.verdict is not Verdict.PASS:
            kind = "error" if promise.verdict is Verdict.UNKNOWN else "failure"
            ElementTree.SubElement(case, kind, message=_printable(promise.detail), type=promise.verdict.value)
    path = directory / "junit.xml"
    ElementTree.ElementTree(suite).write(path, encoding="utf-8", xml_declaration=True)
    return path


def write_all(report: Report, directory: Path) -> None:
    """Write ``report.json``, ``report.html`` and ``junit.xml`` into the run directory."""
    report.save(directory)
    write_html(report, directory)
    write_junit(report, directory)


def _proved(report: Report) -> str:
    """Return how many steps are proved, of those that the scenario has."""
    proved = sum(step.verdict is Verdict.PASS for step in report.steps)
    absent = sum(step.verdict is Verdict.NOT_EXPECTED for step in report.steps)
    others = f" ({absent} more not part of this scenario)" if absent else ""
    return f"{proved} of {len(report.steps) - absent} steps proved{others}"


def _printable(text: str) -> str:
    """Return the text without what XML 1.0 cannot hold and terminals obey: a capture may have put it there."""
    return "".join(c if c.isprintable() else " " for c in text)


def _frames(frames: tuple[int, ...]) -> str:
    shown = " ".join(map(str, frames[:8]))
    return shown + (f" +{len(frames) - 8}" if len(frames) > 8 else "")


def _plain(text: str) -> str:
    """Return the text as rich shows it unchanged: a capture may have put markup or a terminal's commands there."""
    from rich.markup import escape

    return escape(_printable(text))
