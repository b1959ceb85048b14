"""Sets are compared only where there are sets to compare."""

from lab.evidence.checks.sets import distinct_sets, hss_asked_for, impus_paired
from lab.evidence.report import Verdict
from lab.evidence.story import Evidence


def test_one_ue_is_distinct_from_nobody(asked: Evidence) -> None:
    finding = distinct_sets(asked, ues=("ue1", "ue1"))
    assert finding.verdict is Verdict.FAIL
    assert "fewer than two" in finding.detail


def test_without_a_mar_nothing_is_paired_or_asked_for(asked: Evidence) -> None:
    assert "no MAR of ue1" in hss_asked_for(asked, ue="ue1", identities="lent").detail
    assert impus_paired(asked, ue="ue1", count=0).verdict is Verdict.FAIL
