"""What holds in a store at every moment between two transactions, asked of the database itself, not of the program."""

from collections.abc import Callable
from typing import Any

from tests.databases import Database

Ask = Callable[[str], list[tuple[Any, ...]]]


def require_consistent(database: Database) -> None:
    """Hold bindings, lent identities, audit trail and feed version of one moment to each other."""
    with database.snapshot() as ask:
        if database.name == "sqlite":
            assert ask("PRAGMA integrity_check") == [("ok",)]
            assert ask("PRAGMA foreign_key_check") == []
        require_holders(ask)
        require_feed_numbers(ask)
        assert replayed(ask) == stored(ask), "audit and state do not agree"


def require_holders(ask: Ask) -> None:
    """Each binding has its identities, each key one live binding at most, each set one holder."""
    lent = "SELECT binding_id, count(*) AS number FROM lent_identities GROUP BY binding_id"
    assert ask(f"SELECT handle FROM bindings LEFT JOIN ({lent}) AS l ON l.binding_id = id WHERE number IS NULL") == []
    live = "SELECT role, key FROM bindings WHERE state <> 'quarantined' GROUP BY role, key HAVING count(*) > 1"
    assert ask(live) == [], "a key has two live bindings"
    twice = "SELECT private_user_identity FROM bindings WHERE scope = '' GROUP BY 1 HAVING count(*) > 1"
    assert ask(twice) == [], "a set is lent twice"


def require_feed_numbers(ask: Ask) -> None:
    """Each change that proxies see has a number of its own, none beyond the newest."""
    numbers = [row[0] for row in ask("SELECT version FROM bindings WHERE version > 0")]
    assert len(numbers) == len(set(numbers))
    newest, horizon = ask("SELECT v, horizon FROM feed_version")[0]
    assert max(numbers, default=0) <= newest
    assert horizon <= newest


def stored(ask: Ask) -> dict[str, tuple[Any, ...]]:
    """Return what each binding is."""
    query = "SELECT handle, state, enabled, deregistration, version FROM bindings"
    return {row[0]: (row[1], bool(row[2]), row[3], row[4]) for row in ask(query)}


def replayed(ask: Ask) -> dict[str, tuple[Any, ...]]:
    """Return what each binding must be, made from the audit trail alone."""
    bindings: dict[str, tuple[Any, ...]] = {}
    query = "SELECT handle, event, state, enabled, deregistration, version FROM audit ORDER BY id"
    for handle, event, state, enabled, deregistration, version in ask(query):
        if handle.startswith("w-"):
            continue  # a withdrawal, no binding
        if is_removal(event, state):
            assert handle in bindings, f"{handle} ends before it begins"
            del bindings[handle]
            continue
        bindings[handle] = (state, bool(enabled), deregistration, version)
    return bindings


def is_removal(event: str, state: str) -> bool:
    """Say whether this row tells of a binding's end: a hold that came to nothing, or a quarantine that is over."""
    return event == "quarantine.ended" or (state == "held" and event not in ("binding.held", "binding.renewed"))
