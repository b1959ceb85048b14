"""A store that was restored is found out, once, and its readers start again."""

from collections.abc import Callable
from typing import Any

from mmserver.messages import BindingState, FeedAcknowledgement, UseReport
from mmserver.migration.store_life import BACKUP


async def mark(mms: Any, life: str) -> None:
    async with mms.store.writing() as transaction:
        await transaction._connection.exec_driver_sql(f"UPDATE feed_version SET life = '{life}'")


async def position(mms: Any) -> tuple[int, int]:
    async with mms.store.reading() as transaction:
        return await transaction.feed_position()  # type: ignore[no-any-return]


async def test_a_new_store_ends_no_life(mms: Any) -> None:
    assert not await mms.store.begin_life()
    before = await position(mms)
    mms.now += 5
    assert not await mms.store.begin_life()
    assert await position(mms) == before


async def test_a_restored_store_begins_a_life_beyond_every_version_of_the_lost_one(mms: Any) -> None:
    await mms.store.begin_life()
    binding = await mms.allocated("a")
    newest = (await mms.feed.page(0, 10, 0.0)).version
    await mms.feed.acknowledge(FeedAcknowledgement(proxy="proxy1.mc2.lab", version=newest))
    await mark(mms, BACKUP)
    mms.now += 60
    assert await mms.store.begin_life()
    assert await position(mms) == (int(mms.now * 1_000_000),) * 2
    # As many changes as were lost, and more: the reader must not take them for the ones that it has.
    changed = await mms.allocated("b")
    found = await mms.feed.page(newest, 10, 0.0)
    assert found.reset
    assert [entry.binding for entry in found.entries] == [binding.handle, changed.handle]
    assert await mms.server.proxies_behind(binding) == ("proxy1.mc2.lab", "proxy2.mc2.lab")
    mms.now += 1
    assert not await mms.store.begin_life()


async def test_a_restored_store_does_not_know_what_was_used_and_gives_nothing_back(
    make_mms: Callable[..., Any],
) -> None:
    mms = make_mms(lifetime__unused_s=100)
    await mms.store.begin_life()
    binding = await mms.lent("a")
    await mark(mms, BACKUP)
    mms.now += 60
    assert await mms.store.begin_life()
    mms.now += 100
    for proxy in mms.config.http.clients.feed:
        await mms.feed.report_uses(UseReport(proxy=proxy, complete_for_s=1000))
    await mms.withdrawal.sweep()
    assert (await mms.server.get(binding.handle)).state is BindingState.ALLOCATED


async def test_a_clock_that_went_back_does_not_take_versions_back(mms: Any) -> None:
    await mms.store.begin_life()
    before = (await position(mms))[0]
    await mark(mms, BACKUP)
    mms.now -= 3600
    await mms.store.begin_life()
    assert await position(mms) == (before + 1, before + 1)


async def test_after_a_restore_no_set_is_given_back_as_unused(make_mms: Callable[..., Any]) -> None:
    """A set that was registered after the backup is in use; the restored store cannot know it."""
    mms = make_mms(lifetime__unused_s=100)
    await mms.store.begin_life()
    binding = await mms.allocated("a")
    assert binding.unused_until is not None
    await mark(mms, BACKUP)
    mms.now += 60
    assert await mms.store.begin_life()
    mms.now += 1000
    await mms.withdrawal.sweep()
    kept = await mms.server.get(binding.handle)
    assert (kept.state, kept.unused_until) == (BindingState.ALLOCATED, None)
    async with mms.store.reading() as transaction:
        assert await transaction.find_due(kept.valid_until - 1) == []
    mms.now = kept.valid_until + 1
    await mms.withdrawal.sweep()
    await mms.withdrawal.close()
    assert (await mms.server.get(binding.handle)).state is BindingState.QUARANTINED
