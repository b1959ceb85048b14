"""The feed: changes after a version, long poll, paging, reset, look-up, acknowledgement."""

import asyncio
from typing import Any

from mmserver.messages import FeedAcknowledgement


async def page(mms: Any, after: int = 0, limit: int = 1000, wait_s: float = 0.0, began: int = 0) -> Any:
    return await mms.feed.page(after, limit, wait_s, began=began)


async def test_a_held_binding_is_not_in_the_feed(mms: Any) -> None:
    await mms.partner()
    found = await page(mms)
    assert (found.entries, found.complete, found.reset) == ((), True, False)
    assert found.version > 0
    assert (found.lent_range.domain, found.lent_range.prefix) == ("ims.mc2.lab", "mig-")


async def test_changes_come_in_order_and_once(mms: Any) -> None:
    first, second = await mms.allocated("a"), await mms.allocated("b")
    found = await page(mms)
    assert [entry.binding for entry in found.entries] == [first.handle, second.handle]
    assert (await page(mms, found.version)).entries == ()


async def test_an_entry_pairs_the_sip_uris_by_position(mms: Any) -> None:
    default = {
        "private_user_identity": "a@ims.mc2.lab",
        "public_user_identities": ["sip:a@ims.mc2.lab", "tel:+4930123", "sip:a2@ims.mc2.lab"],
    }
    binding = await mms.primary(default_identities=default)
    await mms.server.confirm(binding.handle, "", "cms.mc2.lab")
    entry = (await page(mms)).entries[0]
    assert entry.counterpart.public_user_identities == ("sip:a@ims.mc2.lab", "sip:a2@ims.mc2.lab")
    assert len(entry.identities.public_user_identities) == 2


async def test_pages_are_limited_and_say_when_there_is_more(mms: Any) -> None:
    for user in "abc":
        await mms.allocated(user)
    first = await page(mms, limit=2)
    second = await page(mms, first.version, limit=2)
    assert (len(first.entries), first.complete) == (2, False)
    assert (len(second.entries), second.complete) == (1, True)


async def test_disabling_and_release_are_changes(mms: Any) -> None:
    binding = await mms.allocated()
    version = (await page(mms)).version
    await mms.withdrawal.disable(binding.handle, "", "admin")
    found = await page(mms, version)
    assert [(entry.enabled, entry.deleted) for entry in found.entries] == [(False, False)]
    await mms.withdrawal.release(binding.handle, "", "admin")
    assert [entry.deleted for entry in (await page(mms, found.version)).entries] == [True]


async def test_who_starts_is_not_told_of_what_has_ended_but_the_cms_is(mms: Any) -> None:
    binding = await mms.allocated()
    await mms.withdrawal.release(binding.handle, "", "admin")
    assert (await page(mms)).entries == ()
    whole = await mms.feed.binding_page(0, 1000, 0.0)
    assert [entry.binding for entry in whole.bindings] == [binding.handle]


async def test_a_reader_of_forgotten_deletions_starts_again(mms: Any) -> None:
    kept, ended = await mms.allocated("a"), await mms.allocated("b")
    version = (await page(mms)).version
    await mms.withdrawal.release(ended.handle, "", "admin")
    mms.now += 3600
    await mms.withdrawal.sweep()
    found = await page(mms, version)
    assert found.reset
    assert [entry.binding for entry in found.entries] == [kept.handle]
    assert not (await page(mms, found.version)).reset


async def test_a_full_read_passes_old_versions_without_starting_again(mms: Any) -> None:
    for user in "abc":
        await mms.allocated(user)
    ended = await mms.allocated("d")
    await mms.withdrawal.release(ended.handle, "", "admin")
    mms.now += 3600
    await mms.withdrawal.sweep()
    version, began, seen = 0, 0, 0
    for _ in range(3):
        found = await page(mms, version, limit=1, began=began)
        assert not found.reset
        version, began, seen = found.version, found.began, seen + len(found.entries)
    assert (seen, found.complete) == (3, True)


async def test_a_full_read_that_a_deletion_overtook_starts_again(mms: Any) -> None:
    """The binding was read on the first page; its deletion was forgotten before the second."""
    read, other = await mms.allocated("a"), await mms.allocated("b")
    first = await page(mms, limit=1)
    assert ([entry.binding for entry in first.entries], first.complete) == ([read.handle], False)
    await mms.withdrawal.release(read.handle, "", "admin")
    mms.now += 3600
    await mms.withdrawal.sweep()
    again = await page(mms, first.version, limit=1, began=first.began)
    assert (again.reset, [entry.binding for entry in again.entries]) == (True, [other.handle])


async def test_a_reader_below_the_horizon_gains_nothing_by_a_reading_that_has_ended(mms: Any) -> None:
    kept, ended = await mms.allocated("a"), await mms.allocated("b")
    whole = await page(mms)
    assert (whole.began, whole.complete) == (whole.version, True)
    await mms.withdrawal.release(ended.handle, "", "admin")
    mms.now += 3600
    await mms.withdrawal.sweep()
    found = await page(mms, whole.version, began=whole.began)
    assert (found.reset, [entry.binding for entry in found.entries]) == (True, [kept.handle])
    assert (await page(mms, 0, began=1 << 62)).reset  # of another life


async def test_a_version_of_another_store_is_reset(mms: Any) -> None:
    version = (await page(mms)).version
    assert (await page(mms, version + 1)).reset
    assert (await page(mms, 5)).reset


async def test_a_waiting_reader_is_woken_by_a_commit(mms: Any) -> None:
    version = (await page(mms)).version
    reader = asyncio.create_task(page(mms, version, wait_s=30))
    await asyncio.sleep(0)
    binding = await mms.allocated()
    found = await asyncio.wait_for(reader, 25)
    assert [entry.binding for entry in found.entries] == [binding.handle]


async def test_a_waiting_reader_goes_when_its_time_is_over_or_the_feed_closes(mms: Any) -> None:
    version = (await page(mms)).version
    assert (await page(mms, version, wait_s=0.02)).entries == ()
    reader = asyncio.create_task(page(mms, version, wait_s=30))
    await asyncio.sleep(0)
    mms.feed.close()
    assert (await asyncio.wait_for(reader, 25)).entries == ()


async def test_look_up_finds_by_either_identity_while_it_is_served(mms: Any) -> None:
    held = await mms.partner()
    assert await mms.feed.look_up(held.identities.private_user_identity) is None
    binding = await mms.server.confirm(held.handle, "", "cms.mc2.lab")
    for identity in binding.identities.mapped:
        entry = await mms.feed.look_up(identity)
        assert entry is not None
        assert entry.binding == binding.handle
    mms.now += 86400
    assert await mms.feed.look_up(binding.identities.private_user_identity) is None


async def test_acknowledgements_are_kept_per_proxy(mms: Any) -> None:
    for version in (5, 7):
        await mms.feed.acknowledge(FeedAcknowledgement(proxy="proxy1.mc2.lab", version=version))
    async with mms.store.reading() as transaction:
        assert await transaction.acknowledged() == {"proxy1.mc2.lab": 7}
