"""Who may import whom (ARCHITECTURE.md): leaves are pure, programs talk over wires, each foreign world has one door."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

import pytest

ROOT: Final = Path(__file__).resolve().parent.parent
PACKAGES: Final = ("mmserver", "diameter_proxy", "ue_agent", "lab")

# fmt: off
# leaf                       what it may import beside the standard library and itself
LEAVES: Final = {
    "mmserver.identity":        (),
    "mmserver.messages":        ("pydantic", "mmserver.identity"),
    "mmserver.references":      (),
    "mmserver.quick_imports":   ("pydantic",),
    "mmserver.version_option":  ("typer",),
    "diameter_proxy.diameter":  (),
    "ue_agent.aka":             ("cryptography",),
}
SHELL: Final = "diameter_proxy.node"
HTTPS: Final = "diameter_proxy.https_transport"
LOGS: Final = "diameter_proxy.logs"
SYSTEMD: Final = "diameter_proxy.service_manager"
# part                       the parts of ours that it may import; leaves are open to all
MAY_IMPORT: Final = {
    "diameter_proxy.node":      (),
    "diameter_proxy":           (SHELL,),
    "mmserver.http":            (SHELL, SYSTEMD, LOGS),
    "mmserver.migration":       ("mmserver.http", SHELL),
    "mmserver.configuration":   ("mmserver.http", HTTPS),
    "mmserver.cli":             ("mmserver.migration.cli", "mmserver.configuration.cli"),
    "ue_agent":                 (),
    "lab":                      (SHELL, LOGS),
}
# foreign world              the only modules (by prefix) that may touch it
DOORS: Final = {
    "pjsua2":      ("ue_agent.pjsua_stack", "ue_agent.pjsua_call", "ue_agent.aka_hook"),
    "sqlalchemy":  ("mmserver.migration.store", "mmserver.migration.schema",
                    "mmserver.configuration.store", "mmserver.configuration.schema", "mmserver.http.store_writers"),
    "alembic":     ("mmserver.migration.store", "mmserver.migration.schema", "mmserver.configuration.schema"),
    "psycopg":     ("mmserver.migration.store",),
    "fastapi":     ("mmserver.http", "mmserver.migration.api", "mmserver.configuration.api", "lab.systems.idms"),
    "uvicorn":     ("mmserver.http", "lab.systems.idms"),
    "pyroute2":    ("lab.runtime",),
    "shapely":     ("mmserver.configuration", "lab.evidence.facts"),
    "trustme":     ("lab.render",),
    "jinja2":      ("lab.render", "lab.evidence"),
}
IMPURE: Final = frozenset({"asyncio", "socket", "ssl", "logging", "os", "time", "random", "subprocess", "threading",
                           "selectors", "multiprocessing", "pathlib", "io", "shutil", "signal", "secrets"})
LOADED_IMPURE: Final = ("asyncio", "socket", "ssl", "logging")
# pydantic itself loads socket when it builds its first model; nothing of ours does.
LOADED_BY_LIBRARIES: Final = {"mmserver.messages": {"socket"}}
# fmt: on


class Import(NamedTuple):
    """One import statement: who imports what, and where."""

    importer: str
    imported: str
    line: int


def module_name(path: Path, root: Path) -> str:
    parts = path.relative_to(root).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports_of(source: str, importer: str, *, is_package: bool = False) -> Iterator[Import]:
    """Yield each import of a module, relative ones made absolute."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(importer, alias.name, node.lineno)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                depth = node.level - 1 if is_package else node.level
                stem = importer.split(".")[: len(importer.split(".")) - depth]
                base = ".".join([*stem, base] if base else stem)
            for alias in node.names:
                yield Import(importer, f"{base}.{alias.name}", node.lineno)


def is_in(module: str, part: str) -> bool:
    return module == part or module.startswith(part + ".")


def part_of(module: str, parts: tuple[str, ...]) -> str | None:
    """Return the longest of ``parts`` that holds ``module``."""
    return max((part for part in parts if is_in(module, part)), key=len, default=None)


def violations(found: Iterator[Import]) -> Iterator[str]:
    """Yield a sentence for each import that the rules forbid."""
    for item in found:
        where = f"{item.importer}:{item.line} imports {item.imported}"
        leaf = part_of(item.importer, tuple(LEAVES))
        top = item.imported.split(".")[0]
        if leaf is not None:
            allowed = any(is_in(item.imported, name) for name in (leaf, *LEAVES[leaf]))
            if not allowed and top not in sys.stdlib_module_names:
                yield f"{where}: a leaf imports only the standard library, itself and {LEAVES[leaf]}"
            if top in IMPURE:
                yield f"{where}: a leaf does no I/O"
        elif top in PACKAGES and item.imported not in PACKAGES:
            mine = part_of(item.importer, tuple(MAY_IMPORT))
            open_to_me = (*LEAVES, *MAY_IMPORT.get(mine or "", ()))
            theirs = part_of(item.imported, (*LEAVES, *MAY_IMPORT))
            if theirs != mine and part_of(item.imported, open_to_me) is None:
                yield f"{where}: programs talk over wires"
        doors = DOORS.get(top)
        if doors is not None and not any(item.importer.startswith(door) for door in doors):
            yield f"{where}: {top} is touched in {', '.join(doors)} only"


def all_imports() -> Iterator[Import]:
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            yield from imports_of(path.read_text(), module_name(path, ROOT), is_package=path.name == "__init__.py")


def test_every_import_follows_the_rules() -> None:
    assert list(violations(all_imports())) == []


def test_the_four_packages_have_empty_init() -> None:
    assert [p for p in PACKAGES if (ROOT / p / "__init__.py").read_text() != ""] == []


def test_no_room_without_a_name() -> None:
    """utils, common and helpers name nothing (guide, the shape of the system)."""
    nameless = {"utils.py", "util.py", "common.py", "helpers.py", "misc.py"}
    assert [str(p) for package in PACKAGES for p in (ROOT / package).rglob("*.py") if p.name in nameless] == []


PLANTED: Final = [
    ("ue_agent.aka.milenage", "import socket"),
    ("diameter_proxy.diameter.wire", "from asyncio import Protocol"),
    ("diameter_proxy.diameter.wire", "from ue_agent.aka import milenage"),
    ("diameter_proxy.diameter.wire", "import structlog"),
    ("mmserver.migration.server", "from mmserver.configuration import api"),
    ("mmserver.configuration.api", "from diameter_proxy.node import Node"),
    ("ue_agent.agent", "import lab.topology"),
    ("lab.supervisor", "from mmserver.migration.store import Store"),
    ("diameter_proxy.node.connection", "from diameter_proxy.splice import splice"),
    ("mmserver.migration.server", "import sqlalchemy"),
    ("ue_agent.agent", "import pjsua2"),
]


@pytest.mark.parametrize(("importer", "source"), PLANTED, ids=[f"{i} {s}" for i, s in PLANTED])
def test_a_planted_violation_is_found(importer: str, source: str) -> None:
    assert list(violations(imports_of(source, importer)))


@pytest.mark.parametrize("leaf", LEAVES)
def test_a_leaf_loads_no_input_or_output(leaf: str) -> None:
    """Import every module of the leaf in a fresh interpreter and look at what came along."""
    folder = ROOT / leaf.replace(".", "/")
    modules = [leaf]
    if folder.is_dir():
        modules = [module_name(path, ROOT) for path in sorted(folder.rglob("*.py"))]
    script = (
        "import sys; before = set(sys.modules)\n"
        + "".join(f"import {module}\n" for module in modules)
        + f"print(*[m for m in {LOADED_IMPURE!r} if m in sys.modules and m not in before])"
    )
    # -I -S: what the environment's own start-up files load is not the leaf's doing.
    paths = [str(ROOT), *[p for p in sys.path if p.endswith("site-packages")]]
    run = subprocess.run(
        [sys.executable, "-I", "-S", "-c", f"import sys; sys.path[:0] = {paths!r}\n{script}"],
        capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    assert set(run.stdout.split()) <= LOADED_BY_LIBRARIES.get(leaf, set())
