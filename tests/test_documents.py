"""The documents hold true: links, test ids, modules, scenarios, commands, settings and examples that they name exist.

What a reader would try is tried here.  Prose is not judged.
"""

import ast
import json
import re
import types
import typing
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, Final, Union, get_args, get_origin

import pytest
import trustme
import typer
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from typer.testing import CliRunner

import diameter_proxy.cli
import diameter_proxy.config
import lab.attach.config
import lab.cli
import lab.systems.hss.cli
import lab.systems.hss.config
import lab.systems.idms.cli
import lab.systems.idms.config
import lab.topology
import mmserver.configuration.cli
import mmserver.configuration.config
import mmserver.migration.cli
import mmserver.migration.config
import ue_agent.cli
import ue_agent.config
from lab.scenarios.library import SCENARIOS

ROOT: Final = Path(__file__).parent.parent
FOLDERS: Final = (".", "docs", "docs/decisions", "packaging", "tests/vectors/captures")
DOCUMENTS: Final = tuple(sorted(file for folder in FOLDERS for file in (ROOT / folder).glob("*.md")))
COMPLIANCE: Final = tuple(sorted((ROOT / "docs").glob("compliance-*.md")))
CONFIGURATION: Final = ROOT / "docs/configuration.md"
STATUSES: Final = frozenset({"C", "PC", "NC", "-"})

# fmt: off
PROGRAMS: Final[dict[str, typer.Typer]] = {
    "mclab":                      lab.cli.app,
    "diameter-proxy":             diameter_proxy.cli.app,
    "ue-agent":                   ue_agent.cli.app,
    "mmserver migration":         mmserver.migration.cli.app,
    "mmserver configuration":     mmserver.configuration.cli.app,
    "python -m lab.systems.hss":  lab.systems.hss.cli.app,
    "python -m lab.systems.idms": lab.systems.idms.cli.app,
}
FILES: Final[dict[str, type[BaseModel]]] = {
    "proxy.toml":    diameter_proxy.config.Config,
    "mms.toml":      mmserver.migration.config.MmsConfig,
    "cms.toml":      mmserver.configuration.config.CmsConfig,
    "hss.toml":      lab.systems.hss.config.HssConfig,
    "idms.toml":     lab.systems.idms.config.IdmsConfig,
    "ue.toml":       ue_agent.config.UeConfig,
    "topology.toml": lab.topology.Topology,
    "attach.toml":   lab.attach.config.Attachment,
}
CHECKED_BY: Final = {
    "proxy.toml": "diameter-proxy", "mms.toml": "mmserver migration", "cms.toml": "mmserver configuration",
    "hss.toml": "python -m lab.systems.hss", "idms.toml": "python -m lab.systems.idms", "ue.toml": "ue-agent",
}
# fmt: on
DESCRIBED_ELSEWHERE: Final = {"cms.toml": frozenset({"partners.initial_ue_configuration"})}
"""Tables with the keys of another one of the same file."""

_CODE: Final = re.compile(r"`([^`\n]+)`")
_LINK: Final = re.compile(r"\]\(([^)\s]+)\)")
_FENCED: Final = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_COMMANDS: Final = re.compile(rf"(?:^|[\s(])({'|'.join(map(re.escape, PROGRAMS))}) +([a-z][a-z-]*(?:\|[a-z][a-z-]*)*)")
_RUNS: Final = re.compile(r"mclab run((?: [a-z][a-z0-9-]*)+)")
_OF_ONE_MACHINE: Final = re.compile(r"(?<![\w.])/(?:work|root|tmp|home)/")
_ONLY_IN_WORDS: Final = re.compile(r"[^\w\- ]")


def named(file: Path) -> str:
    """Name a case after its document."""
    return str(file.relative_to(ROOT))


every_document = pytest.mark.parametrize("file", DOCUMENTS, ids=named)
every_compliance_table = pytest.mark.parametrize("file", COMPLIANCE, ids=named)


@every_document
def test_relative_links_lead_somewhere(file: Path) -> None:
    for target in _LINK.findall(_without_code(file.read_text())):
        if "://" in target or target.startswith("mailto:"):
            continue
        path, _, anchor = target.partition("#")
        linked = (file.parent / path).resolve() if path else file
        assert linked.exists(), f"{target} leads nowhere"
        if anchor:
            assert anchor in _anchors(linked), f"{target}: no such heading"


@every_document
def test_no_path_of_one_machine_is_named(file: Path) -> None:
    assert _OF_ONE_MACHINE.findall(file.read_text()) == []


@every_document
def test_commands_exist(file: Path) -> None:
    for code in _code_of(file.read_text()):
        for program, names in _COMMANDS.findall(code):
            unknown = set(names.split("|")) - _commands_of(PROGRAMS[program])
            assert not unknown, f"{program} has no {unknown}"


@every_document
def test_scenarios_that_are_run_exist(file: Path) -> None:
    for code in _code_of(file.read_text()):
        for names in _RUNS.findall(code):
            assert set(names.split()) <= set(SCENARIOS), f"mclab run{names}"


def test_the_lab_s_document_lists_every_scenario() -> None:
    listed = set(_column(ROOT / "docs/lab.md", "scenario"))
    assert listed == set(SCENARIOS)


def test_the_lab_s_document_marks_the_long_scenarios_and_no_other() -> None:
    """CI leaves them out (tests/lab/test_scenarios.py); nobody may think that it ran them."""
    rows = [row.get("scenario", "") for row in _tables((ROOT / "docs/lab.md").read_text())]
    marked = {code for cell in rows if "**long**" in cell for code in _CODE.findall(cell)}
    assert marked == {name for name, scenario in SCENARIOS.items() if scenario.is_long}


def test_every_document_is_in_the_index() -> None:
    index = ROOT / "docs/README.md"
    linked = {(index.parent / target.partition("#")[0]).resolve() for target in _LINK.findall(index.read_text())}
    missing = {named(file) for file in DOCUMENTS if "docs" in file.parts and file != index and file not in linked}
    assert missing == set()


def test_the_changelog_has_this_version() -> None:
    version = re.search(r'^version = "(.*)"$', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    assert version is not None
    assert f"## [{version[1]}]" in (ROOT / "CHANGELOG.md").read_text()


# --- compliance tables ---------------------------------------------------------------------------------------


@every_compliance_table
def test_statuses_are_of_the_four(file: Path) -> None:
    statuses = [cell for row in _tables(file.read_text()) for column, cell in row.items() if column == "status"]
    assert statuses
    assert set(statuses) <= STATUSES


@every_compliance_table
def test_what_does_not_comply_says_why(file: Path) -> None:
    for row in _tables(file.read_text()):
        if row.get("status") in {"PC", "NC"}:
            assert row.get("note"), f"no reason: {row}"


@every_compliance_table
def test_modules_exist(file: Path) -> None:
    for path in _column(file, "where"):
        assert (ROOT / path).exists(), f"{path} is not there"


@every_compliance_table
def test_tests_exist(file: Path) -> None:
    for name in _column(file, "test"):
        assert (ROOT / name).exists() if "/" in name else name in _test_names(), f"no test {name}"


@every_compliance_table
def test_scenarios_exist(file: Path) -> None:
    assert set(_column(file, "scenario")) <= set(SCENARIOS)


@every_compliance_table
def test_problem_types_exist(file: Path) -> None:
    assert set(_column(file, "refused")) <= _problem_types()


def test_every_step_of_the_procedures_is_in_the_table() -> None:
    from lab.evidence.steps import STEP_IDS

    rows = [cell for row in _tables((ROOT / "docs/compliance-ts23280.md").read_text()) for cell in row.values()]
    assert [step for step in STEP_IDS if step not in rows] == []


# --- configuration -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FILES)
def test_every_key_is_described_with_its_default(name: str) -> None:
    described = {row["key"].strip("`"): row["default"].strip("`") for row in _tables(_section(name)) if "key" in row}
    assert described == {path: default for path, default, _ in _keys(FILES[name], name)}


@pytest.mark.parametrize("name", FILES)
def test_every_bound_of_a_key_is_described(name: str) -> None:
    rows = {row["key"].strip("`"): row["what"] for row in _tables(_section(name)) if "key" in row}
    for path, _, field in _keys(FILES[name], name):
        for bound in _bounds(field):
            assert re.search(rf"(?<![\d.]){re.escape(bound)}(?![\d])", rows[path]), f"{path}: {bound} is not named"


@pytest.mark.parametrize("name", CHECKED_BY)
def test_the_example_is_accepted_by_the_program(name: str, tmp_path: Path) -> None:
    file = _with_its_files(tmp_path, name)
    program = PROGRAMS[CHECKED_BY[name]]
    result = CliRunner().invoke(program, ["check", "--config", str(file)])
    assert result.exit_code == 0, result.output


def test_the_example_of_a_topology_is_accepted(tmp_path: Path) -> None:
    topology = lab.topology.load_topology(_with_its_files(tmp_path, "topology.toml"))
    assert list(topology.ues) == ["ue1"]


def test_the_example_of_an_attachment_is_accepted(tmp_path: Path) -> None:
    attachment = lab.attach.config.load_attachment(_with_its_files(tmp_path, "attach.toml"))
    assert attachment.core.name == "visited"


@pytest.mark.parametrize("name", FILES)
def test_a_key_too_much_in_an_example_is_found(name: str, tmp_path: Path) -> None:
    file = _with_its_files(tmp_path, name)
    file.write_text("surplus = 1\n" + file.read_text())
    if name == "topology.toml":
        with pytest.raises(lab.topology.TopologyError, match="surplus"):
            lab.topology.load_topology(file)
        return
    if name == "attach.toml":
        with pytest.raises(lab.attach.config.AttachError, match="surplus"):
            lab.attach.config.load_attachment(file)
        return
    result = CliRunner().invoke(PROGRAMS[CHECKED_BY[name]], ["check", "--config", str(file)])
    assert result.exit_code == 2
    assert "surplus: no such setting" in result.output


# --- generated pages -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("part", ["configuration", "migration"])
def test_the_api_reference_is_what_the_program_says(part: str) -> None:
    """Made by: mmserver PART openapi --markdown > docs/api-PART.md."""
    result = CliRunner().invoke(PROGRAMS[f"mmserver {part}"], ["openapi", "--markdown"])
    assert result.exit_code == 0, result.output
    assert (ROOT / f"docs/api-{part}.md").read_text() == result.output


# --- a check that cannot fail is found out --------------------------------------------------------------------

_ROW: Final = "| section | status | where | test | scenario | refused | note |\n|---|---|---|---|---|---|---|\n| 1 | "


@pytest.mark.parametrize(
    ("check", "text"),
    [
        (test_relative_links_lead_somewhere, "[a](nowhere.md)"),
        (test_relative_links_lead_somewhere, "# One\n\n[a](#two)"),
        (test_no_path_of_one_machine_is_named, "run it in /home/me/lab"),
        (test_commands_exist, "    mmserver migration sidegrade --config mms.toml"),
        (test_commands_exist, "`diameter-proxy run|stop`"),
        (test_scenarios_that_are_run_exist, "    mclab run native no-such-scenario"),
        (test_statuses_are_of_the_four, _ROW + "yes | | | | | |"),
        (test_what_does_not_comply_says_why, _ROW + "NC | | | | | |"),
        (test_modules_exist, _ROW + "C | `mmserver/gone.py` | | | | |"),
        (test_tests_exist, _ROW + "C | | `test_nobody_wrote` | | | |"),
        (test_scenarios_exist, _ROW + "C | | | `no-such-scenario` | | |"),
        (test_problem_types_exist, _ROW + "C | | | | `no-such-problem` | |"),
    ],
)
def test_a_planted_fault_is_found(check: Callable[[Path], None], text: str, tmp_path: Path) -> None:
    file = tmp_path / "planted.md"
    file.write_text(text + "\n")
    with pytest.raises(AssertionError):
        check(file)


# --- reading documents ---------------------------------------------------------------------------------------


def _without_code(text: str) -> str:
    return _CODE.sub("", _FENCED.sub("", text))


def _code_of(text: str) -> Iterator[str]:
    """Yield fenced blocks, lines indented by four, and code in the line."""
    yield from (match[2] for match in _FENCED.finditer(text))
    rest = _FENCED.sub("", text)
    yield from (line for line in rest.splitlines() if line.startswith("    "))
    yield from _CODE.findall(rest)


def _anchors(file: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", _FENCED.sub("", file.read_text()), re.MULTILINE)
    return {_ONLY_IN_WORDS.sub("", heading.strip().lower()).replace(" ", "-") for heading in headings}


def _tables(text: str) -> Iterator[dict[str, str]]:
    """Yield the rows of every table with their cells by column, in lower case."""
    header: list[str] = []
    for line in text.splitlines():
        if not line.startswith("|"):
            header = []
            continue
        cells = [cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        if not header:
            header = [cell.lower() for cell in cells]
        elif not set(line) <= set("|-: "):
            assert len(cells) == len(header), f"{len(cells)} cells under {len(header)}: {line}"
            yield dict(zip(header, cells, strict=True))


def _column(file: Path, name: str) -> list[str]:
    return [code for row in _tables(file.read_text()) for code in _CODE.findall(row.get(name, ""))]


def _section(name: str) -> str:
    text = CONFIGURATION.read_text()
    assert f"\n## {name}\n" in text
    return text.partition(f"\n## {name}\n")[2].partition("\n## ")[0]


def _example(name: str) -> str:
    blocks = [match[2] for match in _FENCED.finditer(_section(name)) if match[1] == "toml"]
    examples = [block for block in blocks if block.startswith(f"# {name}\n")]
    assert len(examples) == 1
    return examples[0]


# --- what there is -------------------------------------------------------------------------------------------


def _commands_of(app: typer.Typer) -> frozenset[str]:
    group = typer.main.get_command(app)
    return frozenset(getattr(group, "commands", {}))


@cache
def _test_names() -> frozenset[str]:
    names = set()
    for file in (ROOT / "tests").rglob("test_*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
                names.add(node.name)
    return frozenset(names)


@cache
def _problem_types() -> frozenset[str]:
    """Return every name of a problem type, as the source of both servers has them: lower-case words in strings."""
    pattern = re.compile(r'"([a-z]+(?:-[a-z]+)+)"')
    return frozenset(name for file in (ROOT / "mmserver").rglob("*.py") for name in pattern.findall(file.read_text()))


def _keys(model: type[BaseModel], name: str) -> Iterator[tuple[str, str, FieldInfo]]:
    yield from _fields(model, "", DESCRIBED_ELSEWHERE.get(name, frozenset()))


def _fields(model: type[BaseModel], prefix: str, closed: frozenset[str]) -> Iterator[tuple[str, str, FieldInfo]]:
    for name, field in model.model_fields.items():
        path = prefix + name
        inner = () if path in closed else tuple(_models_in(field.annotation))
        for below, step in inner:
            yield from _fields(below, f"{path}.{step}", closed)
        if not inner:
            yield path, _default(field), field


def _models_in(annotation: Any) -> Iterator[tuple[type[BaseModel], str]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation, ""
        return
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is typing.Annotated:
        yield from _models_in(arguments[0])
    elif origin in (Union, types.UnionType, tuple):
        for argument in arguments:
            yield from _models_in(argument)
    elif origin is dict:
        yield from ((model, f"NAME.{step}") for model, step in _models_in(arguments[1]))


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True)
    return "none" if value is None else json.dumps(value)


def _bounds(field: FieldInfo) -> Iterator[str]:
    for constraint in field.metadata:
        for what in ("ge", "gt", "le", "lt", "max_length"):
            bound = getattr(constraint, what, None)
            if isinstance(bound, int | float):
                yield f"{bound:g}" if isinstance(bound, float) else str(bound)


# --- examples ------------------------------------------------------------------------------------------------


def _with_its_files(folder: Path, name: str) -> Path:
    """Write an example with the certificates, keys and folders that it names."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(folder / "mc1-ca.pem")
    trustme.CA().cert_pem.write_to_path(folder / "mc2-ca.pem")
    leaf = authority.issue_cert("cms.mc1.lab", "mms.mc1.lab", "proxy1.mc1.lab", "idms.mc1.lab")
    (folder / "certificate.pem").write_bytes(b"".join(blob.bytes() for blob in leaf.cert_chain_pems))
    leaf.private_key_pem.write_to_path(folder / "private_key.pem")
    (folder / "idms-signing.pem").write_bytes(_signing_key())
    file = folder / name
    file.write_text(_example(name))
    return file


def _signing_key() -> bytes:
    return ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
