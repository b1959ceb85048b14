"""Migration withdrawn from a user for one partner, or from an agreement, and given back (7.4.2.2.X, EXAMPLE)."""

from typing import Any

import pytest

from mmserver.messages import BindingReason, BindingState, Deregistration, Role
from mmserver.migration import user_withdrawals
from mmserver.migration.errors import (
    BindingUnknown,
    MigrationWithdrawn,
    StillWithdrawn,
    UnknownPartner,
    WithdrawalUnknown,
)
from mmserver.migration.store_audit import AuditQuery

USER = "sip:a@mc2.lab"
INBOUND = "sip:a@mc1.lab"


async def withdraw(mms: Any, user: str = USER, other: str = "mc1", role: Role = Role.PRIMARY) -> str:
    row = await mms.user_withdrawals.withdraw(role, other, user, "lost", "admin")
    return row.id  # type: ignore[no-any-return]


async def test_one_partner_is_withdrawn_and_the_other_goes_on(mms: Any) -> None:
    first, second = await mms.lent(), await mms.lent(partner_mc_system="mc3")
    withdrawal = await withdraw(mms)
    assert not (await mms.server.get(first.handle)).enabled
    assert (await mms.server.get(second.handle)).enabled
    with pytest.raises(MigrationWithdrawn, match=withdrawal) as caught:
        await mms.primary()
    assert caught.value.step == "10.1.X.1-5"
    assert await mms.primary(partner_mc_system="mc3") == second


async def test_what_is_disabled_alone_under_a_withdrawal_stays_so_when_that_is_lifted(mms: Any) -> None:
    """Restoring enables nothing that was disabled for another reason."""
    alone, other = await mms.lent("a"), await mms.lent("b")
    withdrawal = await withdraw(mms, "")
    await mms.user_withdrawals.sweep()
    await mms.withdrawal.disable(alone.handle, "fraud", "admin")
    assert await mms.user_withdrawals.restore(withdrawal, "paid", "admin") == 1
    assert [(await mms.server.get(one.handle)).enabled for one in (alone, other)] == [False, True]
    async with mms.store.reading() as transaction:
        rows = await transaction.audit_trail(alone.handle)
    assert (rows[-1]["event"], rows[-1]["actor"], rows[-1]["reason"]) == ("binding.disabled", "admin", "fraud")


async def test_a_user_without_a_binding_is_refused_all_the_same(mms: Any) -> None:
    await withdraw(mms)
    with pytest.raises(MigrationWithdrawn):
        await mms.primary()
    assert (await mms.primary("b")).state is BindingState.HELD


async def test_every_device_of_the_user_is_disabled_and_a_hold_is_gone(mms: Any) -> None:
    devices = [await mms.lent("a"), await mms.lent("x", mc_service_ids=[USER, "sip:crew@mc2.lab"])]
    held = await mms.primary("y", mc_service_ids=[USER])
    await withdraw(mms)
    assert [(await mms.server.get(one.handle)).enabled for one in devices] == [False, False]
    with pytest.raises(BindingUnknown):
        await mms.server.get(held.handle)


async def test_an_inbound_user_is_taken_out_of_the_core(mms: Any) -> None:
    binding = await mms.registered()
    withdrawal = await withdraw(mms, INBOUND, role=Role.PARTNER)
    progress = await mms.user_withdrawals.get(withdrawal)
    assert [rtr.handle for rtr in mms.rtrs] == [binding.handle]
    assert (progress.remaining, progress.disabled, progress.pending, progress.confirmed) == (0, 1, 0, 1)
    assert progress.proxies_behind == ("proxy1.mc2.lab", "proxy2.mc2.lab")
    with pytest.raises(MigrationWithdrawn) as caught:
        await mms.partner()
    assert caught.value.step == "10.1.X.1-10"


async def test_without_an_rta_it_is_unconfirmed_and_withdrawn_all_the_same(mms: Any) -> None:
    binding = await mms.registered()
    mms.rtr_confirmed = False
    progress = await mms.user_withdrawals.get(await withdraw(mms, INBOUND, role=Role.PARTNER))
    assert (progress.unconfirmed, progress.confirmed) == (1, 0)
    assert (await mms.server.get(binding.handle)).deregistration is Deregistration.UNCONFIRMED


async def test_the_answer_waits_for_the_rtr_though_a_sweep_came_first(mms: Any) -> None:
    binding = await mms.registered()
    written = mms.user_withdrawals._written

    async def then_a_sweep(*of_whom: Any) -> Any:
        row = await written(*of_whom)
        await mms.user_withdrawals.sweep()
        return row

    mms.user_withdrawals._written = then_a_sweep
    progress = await mms.user_withdrawals.get(await withdraw(mms, INBOUND, role=Role.PARTNER))
    assert (progress.confirmed, progress.pending) == (1, 0)
    assert [rtr.handle for rtr in mms.rtrs] == [binding.handle]


async def test_twice_is_once(mms: Any) -> None:
    assert await withdraw(mms) == await withdraw(mms)
    assert len(await mms.user_withdrawals.find_all(None, None, None)) == 1


async def test_restored_the_user_may_migrate_again(mms: Any) -> None:
    binding = await mms.lent()
    withdrawal = await withdraw(mms)
    assert await mms.user_withdrawals.restore(withdrawal, "found", "admin") == 1
    assert (await mms.server.get(binding.handle)).enabled
    assert (await mms.primary()).handle == binding.handle
    with pytest.raises(WithdrawalUnknown):
        await mms.user_withdrawals.get(withdrawal)
    with pytest.raises(WithdrawalUnknown):
        await mms.user_withdrawals.restore(withdrawal, "", "admin")


async def test_a_whole_agreement_is_withdrawn_in_batches(mms: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(user_withdrawals, "BATCH", 2)
    mine = [await mms.lent(user) for user in "abcde"]
    other = await mms.lent("a", partner_mc_system="mc3")
    withdrawal = await withdraw(mms, "")
    assert (await mms.user_withdrawals.get(withdrawal)).remaining == 5
    with pytest.raises(MigrationWithdrawn):  # from the first moment on
        await mms.primary("f")
    await mms.user_withdrawals.sweep()
    progress = await mms.user_withdrawals.get(withdrawal)
    assert (progress.remaining, progress.disabled) == (0, 5)
    assert not any([(await mms.server.get(one.handle)).enabled for one in mine])
    assert (await mms.server.get(other.handle)).enabled
    assert await mms.user_withdrawals.restore(withdrawal, "", "admin") == 5
    assert all([(await mms.server.get(one.handle)).enabled for one in mine])


async def test_the_rtrs_of_an_agreement_follow_with_the_sweep(mms: Any) -> None:
    binding = await mms.registered()
    await withdraw(mms, "", role=Role.PARTNER)
    await mms.user_withdrawals.sweep()
    assert (await mms.server.get(binding.handle)).deregistration is Deregistration.PENDING
    await mms.withdrawal.sweep()
    await mms.withdrawal.settle([binding.handle])
    assert (await mms.server.get(binding.handle)).deregistration is Deregistration.CONFIRMED


async def test_what_committed_late_is_found_by_the_next_sweep(mms: Any) -> None:
    withdrawal = await withdraw(mms, "")
    await mms.user_withdrawals.sweep()
    async with mms.store.writing() as transaction:  # an allocation of another instance that saw no withdrawal
        row = await transaction.withdrawals.get(withdrawal)
        await transaction.withdrawals.remove(withdrawal)
    late = await mms.lent()
    async with mms.store.writing() as transaction:
        await transaction.withdrawals.add(row)
    await mms.user_withdrawals.sweep()
    assert not (await mms.server.get(late.handle)).enabled
    mms.now += user_withdrawals.LATE_S
    await mms.user_withdrawals.sweep()
    async with mms.store.reading() as transaction:
        assert await transaction.withdrawals.find_incomplete() == []


async def test_a_restored_agreement_leaves_disabled_what_was_disabled_for_another_reason(mms: Any) -> None:
    stolen, user, plain = await mms.lent("s"), await mms.lent("a"), await mms.lent("p")
    await mms.withdrawal.disable(stolen.handle, "home de-registration", "proxy1.mc2.lab")
    agreement = await withdraw(mms, "")
    await mms.user_withdrawals.sweep()
    own = await withdraw(mms)
    assert await mms.user_withdrawals.restore(agreement, "", "admin") == 1
    enabled = [(await mms.server.get(one.handle)).enabled for one in (stolen, user, plain)]
    assert enabled == [False, False, True]
    assert await mms.user_withdrawals.restore(own, "", "admin") == 1


async def test_a_restored_user_stays_out_while_the_agreement_is_withdrawn(mms: Any) -> None:
    binding = await mms.lent()
    own, agreement = await withdraw(mms), await withdraw(mms, "")
    assert await mms.user_withdrawals.restore(own, "", "admin") == 0
    assert not (await mms.server.get(binding.handle)).enabled
    with pytest.raises(StillWithdrawn, match=agreement):
        await mms.withdrawal.enable(binding.handle, "", "admin")
    assert await mms.user_withdrawals.restore(agreement, "", "admin") == 1


async def test_the_trail_says_who_and_why(mms: Any) -> None:
    await mms.lent()
    withdrawal = await withdraw(mms)
    await mms.user_withdrawals.restore(withdrawal, BindingReason(reason="found").reason, "chief")
    async with mms.store.reading() as transaction:
        rows = await transaction.audits.find(AuditQuery(mc_service_id=USER))
    told = [(row["event"], row["actor"]) for row in rows if row["event"].startswith(("migration.", "binding.w"))]
    assert told == [("migration.withdrawn", "admin"), ("binding.withdrawn", "admin"), ("migration.restored", "chief")]


async def test_an_unknown_partner_is_none(mms: Any) -> None:
    with pytest.raises(UnknownPartner):
        await withdraw(mms, other="mc9")


async def test_a_withdrawal_of_another_instance_survives_a_restart(mms: Any) -> None:
    """What a crash leaves undone the next process carries out: nothing of it is in memory."""
    binding = await mms.lent()
    await mms.user_withdrawals._written(Role.PRIMARY, "mc1", USER, "", "admin")  # and then the process is killed
    again = type(mms)(mms.config, mms.store)
    await again.user_withdrawals.sweep()
    assert not (await mms.server.get(binding.handle)).enabled
