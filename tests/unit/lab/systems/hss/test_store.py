"""The state file, in memory; kill -9 is in tests/integration/test_hss_program.py."""

from pathlib import Path

import pytest

from lab.systems.hss.errors import StoreError
from lab.systems.hss.registration import CLEARED, Registration, ServingSystem, State
from lab.systems.hss.store import SERVING_SYSTEMS_MAX, Store

REGISTERED = Registration(State.REGISTERED, ServingSystem("sip:s.lab", "s.lab", "lab"), True)


def test_sqn_starts_at_zero_and_is_kept() -> None:
    store = Store(":memory:")
    assert store.sqn_he("alice") == 0
    for sqn in (42, 74, (1 << 48) - 1):
        store.put_sqn_he("alice", sqn)
        assert store.sqn_he("alice") == sqn
    assert store.sqn_he("bob") == 0


def test_a_registration_is_kept_and_forgotten() -> None:
    store = Store(":memory:")
    assert store.registration("a@lab") == CLEARED
    for registration in (REGISTERED, CLEARED, REGISTERED):
        store.put_registration("a@lab", registration)
        assert store.registration("a@lab") == registration
    store.forget_registrations()
    assert store.registration("a@lab") == CLEARED


def test_each_serving_system_has_its_ind() -> None:
    store = Store(":memory:")
    assert [store.ind_of("alice", name, 0) for name in ("a", "b", "a", "c")] == [0, 1, 0, 2]
    assert store.ind_of("bob", "c", 0) == 0


def test_a_new_serving_system_takes_the_ind_unused_for_longest() -> None:
    store = Store(":memory:")
    for number in range(SERVING_SYSTEMS_MAX):
        store.ind_of("alice", str(number), number)
    store.ind_of("alice", "0", 100)
    assert store.ind_of("alice", "new", 101) == 1
    assert store.ind_of("alice", "1", 102) == 2


def test_a_failed_transaction_leaves_nothing() -> None:
    store = Store(":memory:")
    with pytest.raises(KeyError), store.transaction():
        store.put_sqn_he("alice", 42)
        raise KeyError
    assert store.sqn_he("alice") == 0
    with store.transaction():
        store.put_sqn_he("alice", 42)
    assert store.sqn_he("alice") == 42
    store.close()


def test_a_file_that_is_no_state_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "state"
    path.write_text("this is no database, and long enough to be looked at\n" * 40)
    with pytest.raises(StoreError, match="not a database"):
        Store(path)


def test_a_closed_file_is_our_error() -> None:
    store = Store(":memory:")
    store.close()
    with pytest.raises(StoreError):
        store.sqn_he("alice")
