"""JSON lines in and out, and dry runs, as HTTP shows them."""

import pytest

from mmserver.http.problems import ProblemFound
from mmserver.migration.api_provisioning import _import_result, _lines_of, _possible, _refused
from mmserver.migration.errors import MigrationWithdrawn
from mmserver.migration.provisioning import LINES_MAX, ImportReport, Outcome, RefusedLine


def test_lines_are_text_and_the_last_end_is_no_line() -> None:
    assert _lines_of(b"one\n\ntwo\n") == ["one", "", "two"]
    assert _lines_of(b"") == []


@pytest.mark.parametrize("octets", [b"\xff", b"x\n" * (LINES_MAX + 1)])
def test_what_is_no_text_or_too_long_is_refused(octets: bytes) -> None:
    with pytest.raises(ProblemFound) as caught:
        _lines_of(octets)
    assert caught.value.problem.status == 422


def test_a_report_names_line_and_problem_type() -> None:
    outcomes = {Outcome.ENTERED: 1, Outcome.CHANGED: 2, Outcome.UNCHANGED: 3}
    body = _import_result(ImportReport(7, outcomes, (RefusedLine(4, "unknown-mc-system", "mc9"),)), dry_run=True)
    assert (body.entered, body.changed, body.unchanged, body.dry_run, body.lines) == (1, 2, 3, True, 7)
    assert (body.refused[0].line, body.refused[0].type) == (4, "urn:mc-migration:problem:unknown-mc-system")


def test_a_dry_run_says_yes_or_why_not() -> None:
    assert _possible("10.1.X.1-5", None).possible
    refused = _refused("10.1.X.1-5", MigrationWithdrawn("withdrawn"))
    assert (refused.possible, refused.step, refused.detail) == (False, "10.1.X.1-5", "withdrawn")
    assert refused.type == "urn:mc-migration:problem:migration-withdrawn"
