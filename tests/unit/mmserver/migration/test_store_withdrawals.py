"""Withdrawals are kept once for each user and agreement, and found by whom they concern."""

from typing import Any

import pytest

from mmserver.messages import Role
from mmserver.migration.errors import IdentityTaken
from mmserver.migration.store_withdrawals import WithdrawalRow

USER = "sip:a@mc2.lab"


def row(name: str, user: str = USER, other: str = "mc1") -> WithdrawalRow:
    return WithdrawalRow(name, Role.PRIMARY, other, user, 1.5, "admin", "because")


async def test_a_withdrawal_comes_back_as_it_was(mms: Any) -> None:
    async with mms.store.writing() as transaction:
        await transaction.withdrawals.add(row("w-1"))
    async with mms.store.reading() as transaction:
        assert await transaction.withdrawals.get("w-1") == row("w-1")
        assert await transaction.withdrawals.get("w-2") is None


async def test_the_users_own_comes_before_the_agreements(mms: Any) -> None:
    async with mms.store.writing() as transaction:
        for one in (row("w-1", ""), row("w-2"), row("w-3", other="mc3"), row("w-4", "sip:b@mc2.lab")):
            await transaction.withdrawals.add(one)
    async with mms.store.reading() as transaction:
        found = await transaction.withdrawals.find(Role.PRIMARY, "mc1", (USER,))
        assert [one.id for one in found] == ["w-2", "w-1"]
        assert await transaction.withdrawals.find(Role.PARTNER, "mc1", (USER,)) == []


async def test_the_same_withdrawal_stands_once(mms: Any) -> None:
    async with mms.store.writing() as transaction:
        await transaction.withdrawals.add(row("w-1"))
    with pytest.raises(IdentityTaken):
        async with mms.store.writing() as transaction:
            await transaction.withdrawals.add(row("w-2"))


async def test_they_are_listed_completed_and_lifted(mms: Any) -> None:
    async with mms.store.writing() as transaction:
        for one in (row("w-1"), row("w-2", "", "mc3")):
            await transaction.withdrawals.add(one)
        await transaction.withdrawals.complete("w-1")
    async with mms.store.writing() as transaction:
        table = transaction.withdrawals
        assert [one.id for one in await table.find_incomplete()] == ["w-2"]
        assert [one.id for one in await table.find_all(None, None, None, "", 10)] == ["w-1", "w-2"]
        assert [one.id for one in await table.find_all(Role.PRIMARY, "mc3", "", "", 10)] == ["w-2"]
        assert [one.id for one in await table.find_all(None, None, USER, "w-1", 10)] == []
        await table.remove("w-1")
        assert await table.get("w-1") is None
