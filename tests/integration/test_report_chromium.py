"""The page of a run in a real browser (Chromium): every arrow is there, seen, and leads to its step; it prints."""

import json
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import pytest

from lab.evidence.facts import load_facts
from lab.evidence.judge import judge_capture
from lab.evidence.presentation import write_html
from lab.evidence.steps import STEP_IDS
from lab.scenarios.library import SCENARIOS

CAPTURE = Path(__file__).parents[1] / "vectors" / "captures" / "migration"
PROBE = """
<script>
const seen = [...document.querySelectorAll("svg.ladder a.row")].map(row => {
  const box = row.getBoundingClientRect();
  const svg = row.closest("svg").getBoundingClientRect();
  return {step: row.dataset.step, frame: row.dataset.frame || null, wide: box.width, high: box.height,
          inside: box.left >= svg.left - 1 && box.right <= svg.right + 1 && box.bottom <= svg.bottom + 1,
          leads: document.getElementById(row.getAttribute("href").slice(1)) !== null};
});
const wide = document.documentElement.scrollWidth <= window.innerWidth;
document.body.setAttribute("data-seen", JSON.stringify({rows: seen, fits: wide}));
</script>
"""


class Body(HTMLParser):
    """The attribute that the probe left on the page's body."""

    seen = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "body":
            self.seen = dict(attrs).get("data-seen") or ""


def chromium(tmp_path: Path, *arguments: str) -> str:
    program = shutil.which("chromium")
    assert program, "chromium is not installed: make integration installs it"
    command = [
        program, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
        "--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage",
        f"--user-data-dir={tmp_path / 'profile'}", "--window-size=1400,1000", *arguments,
    ]  # fmt: skip
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    report = judge_capture(CAPTURE / "capture.pcapng", load_facts(CAPTURE), SCENARIOS["migration"], folder)
    return write_html(report, folder)


def test_chromium_shows_an_arrow_or_a_box_for_each_step_and_each_leads_to_its_verdict(
    page: Path, tmp_path: Path
) -> None:
    probed = tmp_path / "probed.html"
    probed.write_text(page.read_text().replace("</body>", PROBE + "</body>"))
    body = Body()
    body.feed(chromium(tmp_path, "--dump-dom", probed.as_uri()))
    seen = json.loads(body.seen)
    rows = seen["rows"]
    services = {f"MESSAGE-{number}" for number in range(1, 7)}
    assert {row["step"] for row in rows} == {*STEP_IDS, *services}
    assert all(row["wide"] > 20 and row["high"] > 5 and row["leads"] and row["inside"] for row in rows), rows
    assert sum(row["frame"] is not None for row in rows) >= 22
    assert seen["fits"], "the page is wider than the window"


def test_chromium_prints_the_page(page: Path, tmp_path: Path) -> None:
    paper = tmp_path / "report.pdf"
    chromium(tmp_path, f"--print-to-pdf={paper}", "--no-pdf-header-footer", page.as_uri())
    octets = paper.read_bytes()
    assert octets.startswith(b"%PDF-")
    assert 2 <= len(re.findall(rb"/Type\s*/Page\b", octets)) <= 15
