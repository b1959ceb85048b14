"""Every schema of the store, up and down, on both databases; the newest is the one that the program declares."""

import re
from typing import Any

import pytest
import sqlalchemy
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from mmserver.migration.errors import SchemaOutdated
from mmserver.migration.schema import HEAD, metadata
from mmserver.migration.schema.upgrade import alembic_config, downgrade, upgrade
from tests.databases import Database

REVISIONS = [script.revision for script in ScriptDirectory.from_config(alembic_config()).walk_revisions()][::-1]


def shape(database: Database) -> dict[str, Any]:
    """Return tables, columns, indices with their conditions, constraints and triggers, as the database tells."""
    with database.connect() as connection:
        found = sqlalchemy.inspect(connection)
        tables: dict[str, Any] = {}
        for table in sorted(set(found.get_table_names()) - {"alembic_version"}):
            tables[table] = (
                [(column["name"], str(column["type"]), column["nullable"]) for column in found.get_columns(table)],
                sorted((i["name"], i["column_names"], i["unique"]) for i in found.get_indexes(table)),
                sorted(str(check["name"]) for check in found.get_check_constraints(table)),
                sorted((key["constrained_columns"], str(key["options"])) for key in found.get_foreign_keys(table)),
            )
    source = (
        "SELECT sql FROM sqlite_master WHERE type IN ('index', 'trigger') AND sql IS NOT NULL ORDER BY 1"
        if database.name == "sqlite"
        else "SELECT indexdef FROM pg_indexes WHERE schemaname = 'public'"
        " UNION ALL SELECT pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal"
        " UNION ALL SELECT definition FROM pg_rules WHERE schemaname = 'public' ORDER BY 1"
    )
    tables["rest"] = [re.sub(r"\s+", " ", row[0]) for row in database.rows(source) if "alembic_version" not in row[0]]
    return tables


def fill(database: Database) -> None:
    """Put in what a store of the first schema could hold."""
    database.execute(
        "INSERT INTO bindings (handle, role, state, key, enabled, releasing, provisioned, other_mc_system,"
        " migration_management_server, mc_service_ids, private_user_identity, public_user_identities,"
        " counterpart_private_user_identity, counterpart_public_user_identities, scope, valid_until, deregistration,"
        " due_at, version) VALUES ('b-old', 'partner', 'allocated', 'k', true, false, false, 'mc1', 'mms.mc1.lab',"
        " '[\"sip:a@mc1.lab\"]', 'mig-a@ims.mc2.lab', '[\"sip:mig-a@ims.mc2.lab\"]', 'p@ims.mc1.lab',"
        " '[\"sip:p@ims.mc1.lab\"]', '', 99, 'none', 99, 7)"
    )
    database.execute("INSERT INTO lent_identities SELECT 'mig-a@ims.mc2.lab', '', id FROM bindings")
    database.execute(
        "INSERT INTO audit (at, handle, event, actor, reason, state, enabled, deregistration, version)"
        " VALUES (1, 'b-old', 'binding.entered', 'admin', '', 'allocated', true, 'none', 7)"
    )


def test_the_newest_script_is_what_the_program_wants() -> None:
    assert REVISIONS[-1] == HEAD


def test_the_scripts_make_the_tables_that_the_program_has(database: Database) -> None:
    upgrade(database.url)
    with database.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []
    live = [text for text in shape(database)["rest"] if "uq_bindings_live_key" in text]
    assert len(live) == 1
    assert re.search(r"UNIQUE INDEX uq_bindings_live_key .* WHERE .*state.*<> 'quarantined'", live[0])


@pytest.mark.parametrize("start", REVISIONS)
def test_each_schema_goes_to_the_newest_and_back(database: Database, start: str) -> None:
    """What was there is kept both ways; what comes back has the shape that it had."""
    upgrade(database.url, start)
    before = shape(database)
    fill(database)
    upgrade(database.url)
    newest = shape(database)
    assert database.rows("SELECT handle, version FROM bindings") == [("b-old", 7)]
    downgrade(database.url, start)
    assert shape(database) == before
    assert database.rows("SELECT handle, event FROM audit") == [("b-old", "binding.entered")]
    assert database.rows("SELECT identity FROM lent_identities") == [("mig-a@ims.mc2.lab",)]
    upgrade(database.url)
    assert shape(database) == newest


def test_one_step_at_a_time_down_to_nothing(database: Database) -> None:
    upgrade(database.url)
    for revision in [*REVISIONS[-2::-1], "base"]:
        downgrade(database.url, revision)
    assert shape(database) == {"rest": []}
    upgrade(database.url)


def test_a_user_of_old_is_found_after_the_upgrade(database: Database) -> None:
    """0002 makes ``binding_users`` from what the bindings say."""
    upgrade(database.url, "0001")
    fill(database)
    upgrade(database.url)
    assert database.rows("SELECT mc_service_id, handle FROM binding_users") == [("sip:a@mc1.lab", "b-old")]


def test_a_newer_schema_is_not_touched(database: Database) -> None:
    upgrade(database.url)
    database.execute("UPDATE alembic_version SET version_num = '9999'")
    for migrate in (upgrade, downgrade):
        with pytest.raises(SchemaOutdated, match="9999"):
            migrate(database.url, "0001")
    assert database.one("SELECT version_num FROM alembic_version") == "9999"
