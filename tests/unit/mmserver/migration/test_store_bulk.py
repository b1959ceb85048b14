"""Bindings in bulk: what is known of many, and many added at once."""

from dataclasses import replace
from typing import Any

import pytest

from mmserver.messages import BindingState
from mmserver.migration.errors import IdentityTaken
from mmserver.migration.store import Change
from tests.databases import Database
from tests.store_invariants import replayed, require_feed_numbers, require_holders, stored


async def like(mms: Any, count: int) -> list[Any]:
    """Return bindings that are in no store."""
    base = await mms.allocated("base")
    lent = [(f"mig-{number}@ims.mc2.lab", f"sip:mig-{number}@ims.mc2.lab") for number in range(count)]
    return [
        replace(
            base,
            handle=f"b-{impi}",
            key=f"key {impi}",
            mc_service_ids=(f"sip:{impi}", "sip:crew@mc1.lab"),
            identities=type(base.identities)(impi, (impu,)),
        )
        for impi, impu in lent
    ]


async def add(mms: Any, new: list[Any]) -> None:
    async with mms.store.writing() as transaction:
        await transaction.add_all(new, Change("binding.imported", "admin", mms.now))
        assert transaction.changed_feed


async def test_many_are_added_as_one_by_one(mms: Any) -> None:
    new = await like(mms, 3)
    await add(mms, new)
    async with mms.store.reading() as transaction:
        found = [await transaction.find(one.handle) for one in new]
        users = await transaction.find_all(None, None, None, "", 10, mc_service_id="sip:crew@mc1.lab")
        newest, _horizon = await transaction.feed_position()
    assert [replace(one, version=0) for one in found] == [replace(one, version=0) for one in new]
    assert [one.version for one in found] == [newest - 2, newest - 1, newest]
    assert len(users) == 3
    with Database(mms.config.store.url).snapshot() as ask:
        require_holders(ask)
        require_feed_numbers(ask)
        assert replayed(ask) == stored(ask)


async def test_an_identity_that_is_lent_stops_them_all(mms: Any) -> None:
    new = await like(mms, 2)
    await add(mms, new[:1])
    with pytest.raises(IdentityTaken):
        await add(mms, [new[1], replace(new[0], handle="b-other", key="other")])
    async with mms.store.reading() as transaction:
        assert await transaction.find(new[1].handle) is None


async def test_what_is_known_is_the_live_binding_its_handle_and_its_identities(mms: Any) -> None:
    first, second = await like(mms, 2)
    await add(mms, [first])
    gone = await mms.allocated("gone")
    await mms.withdrawal.release(gone.handle, "", "admin")
    async with mms.store.writing() as transaction:
        known = await transaction.bulk.find_known([first, second, gone])
    assert known.live_like(first) == known.named[first.handle]
    assert (known.live_like(second), known.live_like(gone)) == (None, None)
    assert known.named[gone.handle].state is BindingState.QUARANTINED
    assert [known.has_holder(one) for one in (first, second, gone)] == [True, False, True]
    assert not known.is_withdrawn(first)


@pytest.mark.parametrize("user", ["sip:crew@mc1.lab", ""])
async def test_a_withdrawal_of_a_user_or_of_the_agreement_is_known(mms: Any, user: str) -> None:
    first, _second = await like(mms, 2)
    await mms.user_withdrawals.withdraw(first.role, first.other_mc_system, user, "stolen", "admin")
    async with mms.store.writing() as transaction:
        known = await transaction.bulk.find_known([first])
    assert known.is_withdrawn(first)
