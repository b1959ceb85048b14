"""The life of bindings under sudden ends, on both databases; the long version is in ``tests/fuzz``."""

import asyncio
import secrets
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from mmserver.messages import PartnerSipIdentitiesRequest
from mmserver.migration import store
from mmserver.migration.config import load_config
from mmserver.migration.schema.upgrade import upgrade
from mmserver.migration.server import MigrationManagementServer
from mmserver.migration.store import BindingStore
from tests.databases import Database, PostgreSql, sqlite
from tests.store_invariants import require_consistent
from tests.store_machine import StoreMachine

SQLITE = pytest.mark.parametrize("database", ["sqlite"], indirect=True)
PARTNER = {
    "primary_mc_system": "mc1",
    "migration_management_server": "mms.mc1.lab",
    "primary_mc_system_sip_identities": {
        "private_user_identity": "mig-a@ims.mc1.lab",
        "public_user_identities": ["sip:mig-a@ims.mc1.lab"],
    },
    "mc_service_ids": ["sip:alice@mc1.lab"],
}

EXAMPLES = {"sqlite": 16, "postgresql": 8}
STEPS = 30


@pytest.fixture
def new_database(database: Database, tmp_path: Path, request: pytest.FixtureRequest) -> Callable[[], Database]:
    """Return a function that makes a store anew, each from one that was upgraded once."""
    upgrade(database.url)
    if database.name == "sqlite":
        count = iter(range(1_000_000))

        def copy() -> Database:
            folder = tmp_path / str(next(count))
            folder.mkdir()
            shutil.copy(tmp_path / "mms.sqlite", folder)
            return sqlite(folder)

        return copy
    server: PostgreSql = request.getfixturevalue("postgresql")
    return lambda: server.create(template=database)


def run(machine: type[StoreMachine], examples: int) -> None:
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=STEPS,
            deadline=None,
            derandomize=True,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


@pytest.fixture
def machine(new_database: Callable[[], Database], tmp_path: Path) -> type[StoreMachine]:
    return type("Machine", (StoreMachine,), {"new_database": staticmethod(new_database), "folder": tmp_path})


def test_the_life_of_bindings_holds_its_invariants(machine: type[StoreMachine], database: Database) -> None:
    run(machine, EXAMPLES[database.name])


def hold_invariants(played: StoreMachine) -> None:
    played.what_is_stored_agrees_with_itself()
    played.no_set_is_lent_again_before_its_quarantine_is_over()
    played.the_feed_replayed_is_what_is_stored()


@SQLITE
def test_the_machine_finds_a_quarantine_that_is_too_short(machine: type[StoreMachine]) -> None:
    machine.lifetime = {**machine.lifetime, "quarantine_s": 0.0}
    machine.sets = 1
    played = machine()
    played.begin()
    played.hold(0, 0)
    played.confirm(0, 1)
    played.release(0, 0, True)
    hold_invariants(played)
    played.pass_time(1.0)
    hold_invariants(played)
    played.hold(1, 1)
    with pytest.raises(AssertionError, match="too soon"):
        hold_invariants(played)
    played.teardown()


@SQLITE
def test_the_machine_finds_a_change_that_readers_are_not_told(
    machine: type[StoreMachine], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "_seen_by_proxies", lambda binding: binding.state)
    played = machine()
    played.begin()
    played.hold(0, 0)
    played.confirm(0, 0)
    hold_invariants(played)
    played.withdraw(0, 0, True)
    with pytest.raises(AssertionError, match="a proxy that follows the feed has something else"):
        hold_invariants(played)
    played.teardown()


@pytest.mark.parametrize(
    "fault",
    [
        "UPDATE bindings SET enabled = NOT enabled",
        "UPDATE feed_version SET v = 1",
        "DELETE FROM lent_identities",
        "DELETE FROM bindings",
        "UPDATE bindings SET version = version + 1",
    ],
)
def test_a_planted_fault_is_found_in_the_store(lab: Any, fault: str) -> None:
    database = lab.database
    upgrade(database.url)
    require_consistent(database)

    async def lend() -> None:
        mms = MigrationManagementServer(
            load_config(lab.config_file), kept, clock=time.time, randomness=secrets.token_bytes
        )
        held = await mms.get_partner_sip_identities(PartnerSipIdentitiesRequest.model_validate(PARTNER), "cms")
        await mms.confirm(held.handle, "", "cms")
        await kept.close()

    kept = BindingStore(database.url)
    asyncio.run(lend())
    require_consistent(database)
    database.execute(fault)
    with pytest.raises(AssertionError):
        require_consistent(database)
