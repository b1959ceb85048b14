"""The compliance tables of RFC 6733 and RFC 3539 are whole: every clause cited in the code, a test for every C row."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).resolve().parents[2]
TABLES: Final = {"RFC 6733": "docs/compliance-rfc6733.md", "RFC 3539": "docs/compliance-rfc3539.md"}
CODE: Final = ("diameter_proxy", "mmserver/migration", "lab/systems/hss")
_NUMBERS: Final = r"((?:[,;]? ?(?:and|to|or)? ?§ ?[0-9][0-9.]*)+)"


def rows_of(text: str) -> list[list[str]]:
    """Return the rows of a compliance table: section, title, status, where, test, note."""
    cells = (
        [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        for line in text.splitlines()
        if line.startswith("|")
    )
    return [row for row in cells if len(row) == 6 and row[2] in ("C", "PC", "NC", "-")]


def cited(specification: str, text: str) -> Iterator[str]:
    """Yield each section of the specification that a text cites."""
    for match in re.finditer(re.escape(specification) + _NUMBERS, text):
        for number in re.findall(r"[0-9][0-9.]*", match.group(1)):
            yield number.rstrip(".")


def without_row(numbers: set[str], sections: set[str]) -> set[str]:
    """Return the sections that have neither a row nor rows of their subsections."""
    return {n for n in numbers if n not in sections and not any(one.startswith(f"{n}.") for one in sections)}


@pytest.mark.parametrize("specification", TABLES)
def test_every_section_that_the_code_cites_has_a_row(specification: str) -> None:
    sections = {row[0] for row in rows_of((ROOT / TABLES[specification]).read_text())}
    texts = [path.read_text() for folder in CODE for path in (ROOT / folder).rglob("*.py")]
    numbers = {number for text in texts for number in cited(specification, text)}
    assert numbers
    assert without_row(numbers, sections) == set()


@pytest.mark.parametrize("specification", TABLES)
def test_every_row_that_complies_names_a_test_and_a_module(specification: str) -> None:
    rows = [row for row in rows_of((ROOT / TABLES[specification]).read_text()) if row[2] == "C"]
    assert rows
    assert [f"{row[0]} {row[1]}" for row in rows if not row[3] or not row[4]] == []


def test_a_section_without_a_row_is_found() -> None:
    assert list(cited("RFC 6733", "as RFC 6733 §6.1.3, §7.1 and §8.8 say (RFC 3539 §3.4.1)")) == ["6.1.3", "7.1", "8.8"]
    assert without_row({"6", "6.1", "8.99"}, {"6.1.3"}) == {"8.99"}
    assert rows_of("| 1 | a \\| b | C | x | y | |\n| section | title | status | where | test | note |") == [
        ["1", "a \\| b", "C", "x", "y", ""]
    ]


def test_every_row_of_cx_that_complies_names_a_test() -> None:
    """The tables of TS 29.228 and TS 29.229 have their own columns; status is a cell of its own in each."""
    lines = [line for line in (ROOT / "docs/compliance-ts29228.md").read_text().splitlines() if line.startswith("| ")]
    complying = [line for line in lines if re.search(r"\| C \|", line)]
    assert len(complying) > 40
    assert [line for line in complying if "test_" not in line] == []
