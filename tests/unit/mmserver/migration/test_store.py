"""What goes into the store comes out the same; versions and audit rows come with it."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy

from mmserver.messages import BindingState, Deregistration, Role
from mmserver.migration.bindings import IdentityBinding, Registration, finish_release, primary_key, register
from mmserver.migration.errors import IdentityTaken, SchemaOutdated, StoreUnavailable
from mmserver.migration.store import BindingStore, Change
from mmserver.migration.store_rows import KEY_MAX


def change(mms: Any, event: str = "test") -> Change:
    return Change(event, "test", mms.now, "because")


async def read(mms: Any, handle: str) -> IdentityBinding | None:
    async with mms.store.reading() as transaction:
        return await transaction.find(handle)  # type: ignore[no-any-return]


async def test_every_member_of_a_binding_is_kept(mms: Any) -> None:
    old = await mms.allocated(impus=2)
    registration = Registration("sip:s", "scscf.mc2.lab", "ims.mc2.lab", mms.now + 1.5)
    new = replace(register(old, registration), enabled=False, releasing=True, deregistration=Deregistration.PENDING)
    async with mms.store.writing() as transaction:
        saved = await transaction.save(old, new, change(mms))
    assert await read(mms, old.handle) == saved == replace(new, version=saved.version)
    ended = finish_release(saved, mms.now, 5)
    async with mms.store.writing() as transaction:
        ended = await transaction.save(saved, ended, change(mms))
    assert await read(mms, old.handle) == ended


async def test_only_what_proxies_see_takes_a_version(mms: Any) -> None:
    old = await mms.allocated()
    registration = Registration("sip:s", "scscf.mc2.lab", "ims.mc2.lab", mms.now + 600)
    async with mms.store.writing() as transaction:
        registered = await transaction.save(old, register(old, registration), change(mms))
        assert not transaction.changed_feed
        disabled = await transaction.save(registered, replace(registered, enabled=False), change(mms))
        assert transaction.changed_feed
    assert (registered.version, disabled.version) == (old.version, old.version + 1)


async def test_a_transaction_that_fails_leaves_no_trace(mms: Any) -> None:
    binding = await mms.allocated()
    with pytest.raises(RuntimeError):
        async with mms.store.writing() as transaction:
            await transaction.save(binding, replace(binding, enabled=False), change(mms))
            raise RuntimeError("in the middle")
    assert await read(mms, binding.handle) == binding
    async with mms.store.reading() as transaction:
        assert [row["event"] for row in await transaction.audit_trail(binding.handle)] == [
            "binding.held",
            "binding.confirmed",
        ]
        assert (await transaction.feed_position())[0] == binding.version


async def test_one_live_binding_per_key_and_one_holder_per_identity(mms: Any) -> None:
    binding = await mms.allocated("a")
    other = await mms.allocated("b")
    for twin in (
        replace(binding, handle="b-twin", identities=replace(other.identities, private_user_identity="x@ims.mc2.lab")),
        replace(other, handle="b-twin", key="another"),
    ):
        with pytest.raises(IdentityTaken):
            async with mms.store.writing() as transaction:
                await transaction.add(twin, change(mms))


async def test_removing_raises_the_horizon_and_frees_the_identities(mms: Any) -> None:
    binding = await mms.allocated()
    async with mms.store.writing() as transaction:
        ended = await transaction.save(binding, finish_release(binding, mms.now, 0), change(mms))
        await transaction.remove(ended, change(mms))
        assert await transaction.feed_position() == (ended.version, ended.version)
        assert await transaction.taken(binding.identities.mapped, "") == set()
        assert await transaction.count() == 0


async def test_due_bindings_come_first_due_first(mms: Any) -> None:
    first = await mms.partner("a")
    mms.now += 1
    second = await mms.partner("b")
    async with mms.store.reading() as transaction:
        assert await transaction.find_due(mms.now + 28) == []
        assert await transaction.find_due(mms.now + 100) == [first, second]
        assert first.state is BindingState.HELD


async def test_a_store_without_a_schema_is_said_to_be_so(tmp_path: Any) -> None:
    store = BindingStore(f"sqlite+aiosqlite:///{tmp_path}/empty.sqlite")
    with pytest.raises(SchemaOutdated, match="mmserver migration upgrade"):
        await store.require_schema()
    await store.close()


async def test_a_store_that_cannot_be_opened_is_unavailable(tmp_path: Any) -> None:
    store = BindingStore(f"sqlite+aiosqlite:///{tmp_path}/no/such/folder.sqlite")
    with pytest.raises(StoreUnavailable):
        await store.require_schema()
    await store.close()


async def test_a_newer_schema_is_told_from_an_older_one(mms: Any) -> None:
    for found, advice in (("0001", "mmserver migration upgrade"), ("9999", "a newer version was here")):
        async with mms.store.writing() as transaction:
            await transaction._connection.exec_driver_sql(f"UPDATE alembic_version SET version_num = '{found}'")
        with pytest.raises(SchemaOutdated, match=advice):
            await mms.store.require_schema()


async def test_a_writer_waits_its_turn_for_a_bounded_time(make_config: Any) -> None:
    store = BindingStore(make_config().store.url, 0.05)
    async with store.writing():
        with pytest.raises(StoreUnavailable, match="busy"):
            async with store.writing():
                pass
    async with store.writing() as transaction:
        assert await transaction.count() == 0
    await store.close()


async def test_a_writer_that_is_cancelled_gives_its_turn_on(mms: Any) -> None:
    async def hold() -> None:
        async with mms.store.writing():
            await asyncio.Event().wait()

    holder = asyncio.create_task(hold())
    await asyncio.sleep(0.05)
    waiting = asyncio.create_task(hold())
    await asyncio.sleep(0)
    for task in (waiting, holder):
        task.cancel()
    await asyncio.gather(holder, waiting, return_exceptions=True)
    await mms.allocated()


async def test_a_key_of_many_users_is_found_by_its_digest(mms: Any) -> None:
    users = [f"sip:{number:060}@mc1.lab" for number in range(16)]
    binding = await mms.lent(mc_service_ids=users)
    async with mms.store.reading() as transaction:
        key = primary_key(tuple(users), binding.counterpart, "mc1")
        assert len(key) > KEY_MAX
        found = await transaction.find_live(Role.PRIMARY, key)
    assert (found.handle, found.key[:7]) == (binding.handle, "sha256:")


@pytest.mark.parametrize("statement", range(1, 13))
async def test_a_task_cancelled_at_any_statement_leaves_no_lock(make_mms: Any, statement: int) -> None:
    """SQLite closes no connection before its cursors: without a rollback first its lock would stay."""
    mms, other = make_mms(), make_mms()
    left = statement

    def count(*_of: object) -> None:
        nonlocal left
        left -= 1
        task = asyncio.current_task()
        if left == 0 and task is not None:
            task.cancel()

    sqlalchemy.event.listen(mms.store._engine.sync_engine, "before_cursor_execute", count)
    cancelled = asyncio.create_task(mms.partner())
    await asyncio.gather(cancelled, return_exceptions=True)
    async with asyncio.timeout(60):
        await other.allocated("b")


async def test_an_identity_is_found_at_once_or_the_ordinary_way(mms: Any) -> None:
    binding = await mms.allocated()
    impi = binding.identities.private_user_identity
    assert await mms.store.find_by_identity(impi) == [binding]
    mms.store._look_up.close()
    mms.store._look_up = None  # as on PostgreSQL
    assert await mms.store.find_by_identity(impi) == [binding]


async def test_a_renewal_is_one_writer_among_the_others(mms: Any) -> None:
    binding = await mms.allocated()
    async with mms.store.writing(is_renewal=True) as transaction:
        saved = await transaction.save(binding, replace(binding, unused_until=mms.now), change(mms))
    assert await read(mms, binding.handle) == saved
    narrow = BindingStore(mms.config.store.url, 0.05)
    async with mms.store.writing(is_renewal=True):
        with pytest.raises(StoreUnavailable, match="locked"):
            async with narrow.writing():
                pass
    await narrow.close()
