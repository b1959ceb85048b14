"""A store tried with a real write: shared, bounded, seldom."""

import asyncio

import pytest

from mmserver.http.readiness import AGE_S, KINDS, SCHEMA, STORE, Missing, WriteProbe


class Failed(Exception):
    """The store said no."""


class Old(Failed):
    """It is of another version."""


HINT = ": disk full, read-only, or the database gone?"


class Store:
    """Counts writes; may fail, or hang until it is let go."""

    def __init__(self) -> None:
        self.writes = 0
        self.fault: Exception | None = None
        self.begun, self.gate = asyncio.Event(), asyncio.Event()
        self.gate.set()
        self.now = 100.0

    async def write(self) -> None:
        self.writes += 1
        if self.writes == 2:
            self.begun.set()
        await self.gate.wait()
        if self.fault is not None:
            raise self.fault

    def probe(self, within_s: float = 5.0) -> WriteProbe:
        return WriteProbe(self.write, {Old: SCHEMA, Failed: STORE}, within_s=within_s, clock=lambda: self.now)


async def test_an_outcome_is_kept_for_a_while_and_then_tried_again() -> None:
    store = Store()
    probe = store.probe()
    assert [await probe.missing() for _ in range(5)] == [None] * 5
    assert store.writes == 1
    store.fault = Failed("database or disk is full")
    store.now += AGE_S
    assert await probe.missing() == Missing(STORE, f"store: database or disk is full{HINT}")
    store.fault, store.now = Old("schema 0001"), store.now + AGE_S
    assert await probe.missing() == Missing(SCHEMA, "store: schema 0001")
    store.fault, store.now = None, store.now + AGE_S
    assert (await probe.missing(), store.writes) == (None, 4)


async def test_a_hundred_who_ask_at_once_share_one_write() -> None:
    store = Store()
    store.gate.clear()
    probe = store.probe()
    asked = [asyncio.create_task(probe.missing()) for _ in range(100)]
    await asyncio.sleep(0)
    asked[0].cancel()  # who asked first goes away; nobody else loses by it
    await asyncio.sleep(0)
    store.gate.set()
    assert await asyncio.gather(*asked[1:]) == [None] * 99
    assert store.writes == 1


async def test_a_write_that_does_not_end_is_given_up() -> None:
    store = Store()
    store.gate.clear()
    assert await store.probe(within_s=0.01).missing() == Missing(STORE, f"store: no write within 0.01 s{HINT}")
    probe = store.probe()
    asked = asyncio.create_task(probe.missing())
    await asyncio.wait_for(store.begun.wait(), 5)
    await probe.close()
    with pytest.raises(asyncio.CancelledError):
        await asked


def test_each_thing_that_may_be_missing_has_a_problem_of_its_own() -> None:
    assert len({kind.name for kind in KINDS}) == len(KINDS)
    assert {kind.status for kind in KINDS} == {503}
