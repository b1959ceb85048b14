"""One report, three forms: a page that says first what was not kept, JUnit XML that any reader takes, a table."""

import io
from pathlib import Path
from xml.etree import ElementTree

import pytest
from rich.console import Console

from lab.evidence.presentation import print_report, write_all
from lab.evidence.report import NO_SECURITY_ASSOCIATION, CheckReport, ExpectationReport, Report, StepReport, Verdict

STEPS = (
    StepReport(id="10.6.1-1", title="login", wire="CSC-1", verdict=Verdict.NOT_EXPECTED),
    StepReport(
        id="10.6.2-5",
        title="MAR <to> the primary",
        wire="CSC-Y",
        verdict=Verdict.PASS,
        frames=tuple(range(20)),
        filter="a && b",
    ),
    StepReport(id="10.6.2-6", title="MAR", wire="Cx", verdict=Verdict.FAIL, detail="no [red]MAR[/] \x00 & <none>"),
)
EXPECTATIONS = (
    ExpectationReport(what="10.6.2-5 is proved", verdict=Verdict.PASS),
    ExpectationReport(what="10.6.2-6 is proved", verdict=Verdict.FAIL, detail="no [red]MAR[/] \x00 & <none>"),
    ExpectationReport(what="odd", verdict=Verdict.UNKNOWN, detail="crashed"),
)
REPORT = Report(
    scenario="s", what="w", verdict=Verdict.FAIL, steps=STEPS,
    checks=(CheckReport(name="nothing-on(leg=csc-y)", verdict=Verdict.PASS, frames=(1,), detail="d"),),
    expectations=EXPECTATIONS, capture="/r/capture.pcapng", run="/r", environment={"tshark": "4.0"},
)  # fmt: skip


@pytest.fixture
def written(tmp_path: Path) -> Path:
    write_all(REPORT, tmp_path)
    return tmp_path


def test_the_page_says_first_what_was_not_kept(written: Path) -> None:
    page = (written / "report.html").read_text()
    assert page.index('<span class="verdict fail">fail</span>') < page.index("Not kept") < page.index("<h2>Steps</h2>")
    assert "1 of 2 steps proved, 1 of 1 checks hold" in page
    assert "Not part of this scenario, and absent: 10.6.1-1." in page
    assert "0 1 2 3 4 5 6 7 8 9 10 11 +8" in page


def test_the_page_has_no_outside_resource_and_escapes_what_a_capture_said(written: Path) -> None:
    page = (written / "report.html").read_text()
    assert "&lt;none&gt;" in page
    assert "<none>" not in page
    assert not {"http://", "https://", "<script", "src="} & {
        part for part in ("http://", "https://", "<script", "src=") if part in page
    }


def test_junit_tells_failures_from_errors_and_is_xml(written: Path) -> None:
    suite = ElementTree.parse(written / "junit.xml").getroot()
    assert (suite.get("tests"), suite.get("failures"), suite.get("errors")) == ("3", "1", "1")
    assert [[child.tag for child in case] for case in suite] == [[], ["failure"], ["error"]]


def test_the_report_is_read_back_as_it_was(written: Path) -> None:
    assert Report.model_validate_json((written / "report.json").read_text()) == REPORT


def test_the_table_shows_markup_of_a_capture_as_text() -> None:
    out = io.StringIO()
    print_report(REPORT, Console(file=out, width=160))
    text = out.getvalue()
    assert "[red]MAR[/]" in text
    assert "not kept: 10.6.2-6 is proved" in text
    assert "verdict: fail" in text
    assert "10.6.1-1" not in text


@pytest.mark.parametrize(
    ("steps", "said"),
    [
        (STEPS, "1 of 2 steps proved (1 more not part of this scenario)"),
        (STEPS[1:], "1 of 2 steps proved"),
        (STEPS[1:2], "1 of 1 steps proved"),
    ],
    ids=["a step of another procedure", "a step failed", "all proved"],
)
def test_the_last_words_count_what_is_proved_of_what_the_scenario_has(steps: tuple[StepReport, ...], said: str) -> None:
    out = io.StringIO()
    print_report(REPORT.model_copy(update={"steps": steps}), Console(file=out, width=160))
    assert said in out.getvalue().splitlines()


def test_what_the_lab_never_has_is_no_failure(written: Path) -> None:
    """A line of its own, and a sentence of the page, that says that nothing depends on it."""
    out = io.StringIO()
    print_report(REPORT, Console(file=out, width=80))
    assert NO_SECURITY_ASSOCIATION in out.getvalue().splitlines()
    assert f"expectations kept. {NO_SECURITY_ASSOCIATION}." in (written / "report.html").read_text()
    assert "no verdict depends on it" in NO_SECURITY_ASSOCIATION


@pytest.mark.parametrize("hostile", ["\\[/red]", "\x1b]0;owned\x07", "\x9b2J", "[link=x]y[/link]", "\\"])
def test_what_a_capture_said_neither_breaks_nor_commands_the_terminal(hostile: str) -> None:
    step = StepReport(id="10.6.2-6", title="MAR", wire="Cx", verdict=Verdict.FAIL, detail=f"no {hostile}[x]")
    check = CheckReport(name="odd", verdict=Verdict.FAIL, detail=f"not {hostile}[x]")
    stream = io.StringIO()
    print_report(REPORT.model_copy(update={"steps": (step,), "checks": (check,)}), Console(file=stream, width=200))
    shown = stream.getvalue()
    assert not {"\x1b", "\x07", "\x9b"} & set(shown)
    readable = "".join(c if c.isprintable() else " " for c in hostile)
    assert f"no {readable}[x]" in shown
    assert f"not {readable}[x]" in shown
