"""The table of causes: each once, each with what it means, a rule and a mend; docs/doctor.md lists them in order."""

import re
from pathlib import Path

import pytest

from lab.evidence.doctor.causes import CAUSES, cause_named

DOCS = Path(__file__).parents[5] / "docs" / "doctor.md"


def test_each_cause_stands_once_with_meaning_and_mend() -> None:
    assert len({cause.id for cause in CAUSES}) == len(CAUSES)
    assert all(cause.meaning.endswith(".") and cause.mends for cause in CAUSES)
    assert all(len(mend.text) > 10 and mend.program for cause in CAUSES for mend in cause.mends)


def test_a_cause_is_found_by_its_id() -> None:
    assert cause_named("md5-chosen").meaning.startswith("The core challenges")
    with pytest.raises(KeyError):
        cause_named("humidity")


def test_the_documents_list_them_in_the_same_order() -> None:
    listed = re.findall(r"^\| `([a-z0-9-]+)` \|", DOCS.read_text(), re.M)
    assert listed[: len(CAUSES)] == [cause.id for cause in CAUSES]
