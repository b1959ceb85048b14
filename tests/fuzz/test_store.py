"""Long runs over the life of bindings with sudden ends: ``tests/store_machine.py`` with many times the examples."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from mmserver.migration.schema.upgrade import upgrade
from tests.databases import Database, PostgreSql, sqlite
from tests.fuzz.conftest import Repeat
from tests.store_machine import StoreMachine

pytestmark = pytest.mark.slow
ROUND = settings(
    max_examples=10, stateful_step_count=60, deadline=None, suppress_health_check=list(HealthCheck), print_blob=True
)
SHARE = 1.0


@pytest.fixture
def server() -> Iterator[PostgreSql]:
    server = PostgreSql("fsync=off", "max_connections=300")
    yield server
    server.close()


def test_the_life_of_bindings_on_sqlite(tmp_path: Path, repeat: Repeat) -> None:
    upgrade(sqlite(tmp_path).url)

    def copy() -> Database:
        # One at a time: the last example's file is not needed any more.
        folder = tmp_path / "example"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        shutil.copy(tmp_path / "mms.sqlite", folder)
        return sqlite(folder)

    machine = type("Machine", (StoreMachine,), {"new_database": staticmethod(copy), "folder": tmp_path})
    repeat(lambda: run_state_machine_as_test(machine, settings=ROUND), SHARE)


def test_the_life_of_bindings_on_postgresql(server: PostgreSql, tmp_path: Path, repeat: Repeat) -> None:
    template = server.create()
    upgrade(template.url)
    made: list[Database] = []

    def copy() -> Database:
        for database in made:
            server.drop(database)
        made[:] = [server.create(template=template)]
        return made[0]

    machine = type("Machine", (StoreMachine,), {"new_database": staticmethod(copy), "folder": tmp_path})
    repeat(lambda: run_state_machine_as_test(machine, settings=ROUND), SHARE)
