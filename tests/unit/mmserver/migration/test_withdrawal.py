"""The end of bindings: RTR first, then quarantine; what is due is swept."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from mmserver.messages import BindingState, Deregistration, UseReport
from mmserver.migration.bindings import IdentityBinding, Registration, disable, enable, register
from mmserver.migration.errors import BindingNotLive, BindingUnknown, StillWithdrawn
from mmserver.migration.store import Change
from mmserver.migration.store_claims import Claim
from mmserver.migration.withdrawal import Pace


async def registered(mms: Any, user: str = "a") -> IdentityBinding:
    old = await mms.allocated(user)
    registration = Registration("sip:scscf.mc2.lab:6060", "scscf.mc2.lab", "ims.mc2.lab", mms.now + 600)
    async with mms.store.writing() as transaction:
        return await transaction.save(old, register(old, registration), Change("registration.stored", "test", mms.now))


async def test_a_registered_set_gets_its_rtr_and_is_then_quarantined(mms: Any) -> None:
    binding = await registered(mms)
    ended = await mms.withdrawal.release(binding.handle, "return home", "cms.mc2.lab")
    assert [rtr.handle for rtr in mms.rtrs] == [binding.handle]
    assert not mms.rtrs[0].enabled  # refused everywhere before the RTR goes out
    assert (ended.state, ended.deregistration) == (BindingState.QUARANTINED, Deregistration.CONFIRMED)
    assert ended.quarantined_until == mms.now + 3600


async def test_without_an_rta_the_release_is_unconfirmed_and_quarantined_all_the_same(mms: Any) -> None:
    mms.rtr_confirmed = False
    binding = await registered(mms)
    ended = await mms.withdrawal.release(binding.handle, "", "cms.mc2.lab")
    assert (ended.state, ended.deregistration) == (BindingState.QUARANTINED, Deregistration.UNCONFIRMED)
    async with mms.store.reading() as transaction:
        events = [row["event"] for row in await transaction.audit_trail(binding.handle)]
    assert events == [
        "binding.held",
        "binding.confirmed",
        "registration.stored",
        "binding.released",
        "deregistration.unconfirmed",
    ]


async def test_releasing_what_is_not_registered_needs_no_rtr(mms: Any) -> None:
    binding = await mms.allocated()
    ended = await mms.withdrawal.release(binding.handle, "", "cms.mc2.lab")
    assert (ended.state, ended.deregistration, mms.rtrs) == (BindingState.QUARANTINED, Deregistration.NONE, [])
    assert await mms.withdrawal.release(binding.handle, "", "cms.mc2.lab") == ended


async def test_releasing_a_held_binding_leaves_nothing(mms: Any) -> None:
    binding = await mms.partner()
    ended = await mms.withdrawal.release(binding.handle, "step 7 failed", "cms.mc2.lab")
    assert ended.state is BindingState.QUARANTINED
    async with mms.store.reading() as transaction:
        assert await transaction.count() == 0


async def test_disabling_one_partner_leaves_the_other(mms: Any) -> None:
    """7.4.2.2.X, EXAMPLE."""
    first, second = await mms.primary(), await mms.primary(partner_mc_system="mc3")
    for binding in (first, second):
        await mms.server.confirm(binding.handle, "", "cms.mc2.lab")
    await mms.withdrawal.disable(first.handle, "withdrawn", "admin")
    assert not (await mms.server.get(first.handle)).enabled
    assert (await mms.server.get(second.handle)).enabled


async def test_a_disabled_registered_set_is_deregistered_and_may_be_enabled_again(mms: Any) -> None:
    binding = await registered(mms)
    off = await mms.withdrawal.disable(binding.handle, "", "admin")
    assert (off.state, off.enabled, off.deregistration) == (BindingState.ALLOCATED, False, Deregistration.CONFIRMED)
    assert await mms.withdrawal.disable(binding.handle, "", "admin") == off
    on = await mms.withdrawal.enable(binding.handle, "", "admin")
    assert (on.enabled, on.deregistration) == (True, Deregistration.NONE)
    assert await mms.withdrawal.enable(binding.handle, "", "admin") == on
    assert len(mms.rtrs) == 1


async def test_who_may_not_undo_what_another_has_disabled_is_told_so(mms: Any) -> None:
    """The last one who disabled it counts."""
    binding = await mms.allocated()
    await mms.withdrawal.disable(binding.handle, "UE stolen", "admin.mc2.lab")
    with pytest.raises(StillWithdrawn, match="an administrator has disabled it"):
        await mms.withdrawal.enable(binding.handle, "", "cms.mc2.lab", may_lift="cms.mc2.lab".__eq__)
    await mms.withdrawal.enable(binding.handle, "UE found", "admin.mc2.lab")
    await mms.withdrawal.disable(binding.handle, "the primary asks", "cms.mc2.lab")
    on = await mms.withdrawal.enable(binding.handle, "", "cms.mc2.lab", may_lift="cms.mc2.lab".__eq__)
    assert on.enabled


async def test_who_disables_what_another_has_disabled_is_in_the_audit_trail_and_has_the_last_word(mms: Any) -> None:
    binding = await mms.allocated()
    first = await mms.withdrawal.disable(binding.handle, "the primary asks", "cms.mc2.lab")
    for _ in range(2):  # a repetition is nothing
        again = await mms.withdrawal.disable(binding.handle, "fraud", "admin.mc2.lab", may_lift="cms.mc2.lab".__eq__)
        assert again == first
    await mms.withdrawal.disable(binding.handle, "the primary asks", "cms.mc2.lab", may_lift="cms.mc2.lab".__eq__)
    async with mms.store.reading() as transaction:
        rows = await transaction.audit_trail(binding.handle)
    said = [(row["actor"], row["reason"]) for row in rows if row["event"] == "binding.disabled"]
    assert said == [("cms.mc2.lab", "the primary asks"), ("admin.mc2.lab", "fraud")]
    with pytest.raises(StillWithdrawn, match="an administrator has disabled it"):
        await mms.withdrawal.enable(binding.handle, "", "cms.mc2.lab", may_lift="cms.mc2.lab".__eq__)


async def test_what_has_ended_is_neither_disabled_nor_enabled(mms: Any) -> None:
    binding = await mms.allocated()
    await mms.withdrawal.release(binding.handle, "", "admin")
    for call in (mms.withdrawal.disable, mms.withdrawal.enable):
        with pytest.raises(BindingNotLive):
            await call(binding.handle, "", "admin")
        with pytest.raises(BindingUnknown):
            await call("b-none", "", "admin")


async def test_a_hold_lapses_after_30_seconds_and_leaves_nothing(mms: Any) -> None:
    await mms.partner()
    mms.now += 29.9
    assert await mms.withdrawal.sweep() == 0
    mms.now += 0.1
    assert await mms.withdrawal.sweep() == 1
    async with mms.store.reading() as transaction:
        assert await transaction.count() == 0


async def test_expiry_ends_the_registration_and_then_the_binding(mms: Any) -> None:
    binding = await mms.allocated()
    mms.now += 86000
    old = await mms.server.get(binding.handle)
    registration = Registration("sip:scscf.mc2.lab:6060", "scscf.mc2.lab", "ims.mc2.lab", mms.now + 600)
    async with mms.store.writing() as transaction:
        await transaction.save(old, register(old, registration), Change("registration.stored", "test", mms.now))
    mms.now += 400
    await mms.withdrawal.sweep()
    await mms.withdrawal.close()
    ended = await mms.server.get(binding.handle)
    assert (ended.state, len(mms.rtrs)) == (BindingState.QUARANTINED, 1)


async def test_a_registration_that_is_not_refreshed_is_aged(mms: Any) -> None:
    """Kamailio sends no SAR when a contact expires."""
    binding = await registered(mms)
    mms.now += 600
    await mms.withdrawal.sweep()
    aged = await mms.server.get(binding.handle)
    assert (aged.state, aged.registration, mms.rtrs) == (BindingState.ALLOCATED, None, [])


async def test_quarantine_ends_and_the_identities_are_free(mms: Any) -> None:
    binding = await mms.allocated()
    await mms.withdrawal.release(binding.handle, "", "admin")
    mms.now += 3600
    await mms.withdrawal.sweep()
    with pytest.raises(BindingUnknown):
        await mms.server.get(binding.handle)


async def test_an_rtr_that_a_crash_left_pending_is_taken_up_again(mms: Any) -> None:
    binding = await registered(mms)
    begun = await mms.withdrawal._begin_end(binding.handle, "binding.released", "", "admin")
    assert begun.deregistration is Deregistration.PENDING  # and here the process died
    await mms.withdrawal.sweep()
    await mms.withdrawal.close()
    ended = await mms.server.get(binding.handle)
    assert (ended.state, len(mms.rtrs)) == (BindingState.QUARANTINED, 1)


async def test_home_deregistration_withdraws_every_lent_set_of_the_user(mms: Any) -> None:
    """An RTR of the own HSS names the default set: the UE must not stay on at any partner."""
    first, second = await mms.primary(), await mms.primary(partner_mc_system="mc3")
    await mms.server.confirm(first.handle, "", "cms.mc2.lab")
    other = await mms.primary("b")
    await mms.withdrawal.home_deregistration(first.counterpart.private_user_identity, "proxy1.mc2.lab")
    assert not (await mms.server.get(first.handle)).enabled
    with pytest.raises(BindingUnknown):
        await mms.server.get(second.handle)  # it was held only
    assert (await mms.server.get(other.handle)).enabled


async def test_home_deregistration_of_a_lent_set_withdraws_that_one(mms: Any) -> None:
    first, second = await mms.primary(), await mms.primary(partner_mc_system="mc3")
    for binding in (first, second):
        await mms.server.confirm(binding.handle, "", "cms.mc2.lab")
    await mms.withdrawal.home_deregistration(first.identities.private_user_identity, "proxy1.mc2.lab")
    assert not (await mms.server.get(first.handle)).enabled
    assert (await mms.server.get(second.handle)).enabled


async def test_turns_come_at_a_bounded_rate_and_the_first_at_once() -> None:
    loop, pace = asyncio.get_running_loop(), Pace(200.0)
    await asyncio.wait_for(Pace(0.001).turn(), 60)  # the next one would come in 1000 s
    began = loop.time()
    await pace.turn()
    await asyncio.gather(*(pace.turn() for _ in range(10)))
    assert loop.time() - began >= 0.049


async def test_a_binding_that_nobody_used_is_given_back(make_mms: Callable[..., Any]) -> None:
    mms = make_mms(lifetime__unused_s=100)
    never, used = await mms.allocated("a"), await mms.registered("b")
    mms.now += 99
    await mms.withdrawal.sweep()
    assert (await mms.server.get(never.handle)).state is BindingState.ALLOCATED
    mms.now += 1
    await mms.withdrawal.sweep()
    assert (await mms.server.get(never.handle)).state is BindingState.QUARANTINED
    assert (await mms.server.get(used.handle)).state is BindingState.REGISTERED
    async with mms.store.reading() as transaction:
        assert [row["event"] for row in await transaction.audit_trail(never.handle)][-1] == "binding.unused"


async def told(mms: Any, *bindings: str, complete_for_s: float | None = 1000.0) -> None:
    """Let both proxies report: the first these bindings, the second none."""
    for proxy, used in (("proxy1.mc2.lab", bindings), ("proxy2.mc2.lab", ())):
        await mms.feed.report_uses(UseReport(proxy=proxy, bindings=used, complete_for_s=complete_for_s))


async def events_of(mms: Any, handle: str) -> list[str]:
    async with mms.store.reading() as transaction:
        return [row["event"] for row in await transaction.audit_trail(handle)]


async def test_the_primary_gives_back_what_no_proxy_saw_used(make_mms: Callable[..., Any]) -> None:
    mms = make_mms(lifetime__unused_s=100)
    never, used = await mms.lent("a"), await mms.lent("b")
    await told(mms, used.handle)
    mms.now += 100
    await told(mms)
    await mms.withdrawal.sweep()
    assert (await mms.server.get(never.handle)).state is BindingState.QUARANTINED
    assert (await mms.server.get(used.handle)).state is BindingState.ALLOCATED
    assert (await events_of(mms, never.handle))[-1] == "binding.unused"
    assert (await events_of(mms, used.handle))[-1] == "binding.used"
    assert await mms.withdrawal.sweep() == 0


@pytest.mark.parametrize("silent", ["both", "one", "since long", "more to come"])
async def test_the_primary_waits_for_a_proxy_that_is_silent(make_mms: Callable[..., Any], silent: str) -> None:
    mms = make_mms(lifetime__unused_s=800)
    binding = await mms.lent("a")
    if silent == "since long":
        await told(mms)
    mms.now += 800
    if silent == "one":
        await mms.feed.report_uses(UseReport(proxy="proxy1.mc2.lab", complete_for_s=1000))
    elif silent == "more to come":
        await told(mms, complete_for_s=None)
    await mms.withdrawal.sweep()
    assert (await mms.server.get(binding.handle)).state is BindingState.ALLOCATED
    assert (await events_of(mms, binding.handle))[-1] == "use.awaited"
    assert await mms.withdrawal.sweep() == 0  # not looked at again at once
    mms.now += 100
    await told(mms, complete_for_s=2000.0)
    await mms.withdrawal.sweep()
    assert (await mms.server.get(binding.handle)).state is BindingState.QUARANTINED


async def test_what_a_proxy_may_have_missed_ends_with_its_validity(make_mms: Callable[..., Any]) -> None:
    mms = make_mms(lifetime__unused_s=100)
    binding = await mms.lent("a")
    mms.now += 100
    await told(mms, complete_for_s=99.0)  # both began anew after the binding
    await mms.withdrawal.sweep()
    await told(mms, complete_for_s=1000.0)
    mms.now = binding.valid_until - 1
    await told(mms, complete_for_s=1e6)
    await mms.withdrawal.sweep()
    assert (await mms.server.get(binding.handle)).state is BindingState.ALLOCATED
    assert (await events_of(mms, binding.handle))[-1] == "use.unknown"
    mms.now += 1
    await mms.withdrawal.sweep()
    await mms.withdrawal.close()
    assert (await mms.server.get(binding.handle)).state is BindingState.QUARANTINED


async def test_a_use_that_is_reported_between_the_look_and_the_end_keeps_the_binding(
    make_mms: Callable[..., Any],
) -> None:
    mms = make_mms(lifetime__unused_s=100)
    binding = await mms.lent("a")
    mms.now += 100
    await told(mms)
    async with mms.store.reading() as transaction:
        [seen] = await transaction.find_due(mms.now)
    await told(mms, binding.handle)
    await mms.withdrawal._sweep_one(seen, mms.now)
    assert (await mms.server.get(binding.handle)).state is BindingState.ALLOCATED


async def test_without_the_setting_nothing_is_given_back(mms: Any) -> None:
    binding = await mms.allocated("a")
    assert binding.unused_until is None
    mms.now = binding.valid_until - 1
    await mms.withdrawal.sweep()
    assert (await mms.server.get(binding.handle)).state is BindingState.ALLOCATED


async def pending(mms: Any) -> IdentityBinding:
    """Return a registered binding that was disabled by an instance that ended before its RTR."""
    old = await registered(mms)
    async with mms.store.writing() as transaction:
        return await transaction.save(old, disable(old, mms.now), Change("binding.disabled", "admin", mms.now))


async def claim(mms: Any, binding: IdentityBinding, end_to_end: int) -> None:
    async with mms.store.writing() as transaction:
        taken = await transaction.claims.take(binding.handle, binding.version, Claim("other", end_to_end), 7.0, mms.now)
    assert taken == Claim("other", end_to_end)


async def test_the_sweep_leaves_an_rtr_to_the_instance_that_has_claimed_it(mms: Any) -> None:
    binding = await pending(mms)
    await claim(mms, binding, 42)
    mms.now += 6.9
    await mms.withdrawal.sweep()
    await mms.withdrawal.close()
    assert mms.rtrs == []


async def test_a_claim_that_lapsed_is_taken_over_as_the_same_request(mms: Any) -> None:
    binding = await pending(mms)
    await claim(mms, binding, 42)
    mms.now += 7.0
    await mms.withdrawal.sweep()
    await mms.withdrawal.close()
    assert ([rtr.handle for rtr in mms.rtrs], mms.rtr_headers) == ([binding.handle], [(42, True)])
    assert (await mms.server.get(binding.handle)).deregistration is Deregistration.CONFIRMED


async def test_who_asks_waits_for_the_rtr_of_another_instance(mms: Any) -> None:
    binding = await pending(mms)
    await claim(mms, binding, 42)
    releasing = asyncio.create_task(mms.withdrawal.release(binding.handle, "", "admin"))
    done, _waiting = await asyncio.wait([releasing], timeout=0.3)
    assert (done, mms.rtrs) == (set(), [])
    async with mms.store.writing() as transaction:  # the other instance is done
        await transaction.claims.drop(binding.handle)
    ended = await asyncio.wait_for(releasing, 10)
    assert (ended.state, len(mms.rtrs)) == (BindingState.QUARANTINED, 1)


async def test_a_later_withdrawal_of_the_same_binding_is_another_request(mms: Any) -> None:
    """An instance ended in the middle; the binding was enabled, registered and disabled again meanwhile."""
    first = await pending(mms)
    await claim(mms, first, 42)
    async with mms.store.writing() as transaction:
        on = await transaction.save(first, enable(first), Change("binding.enabled", "admin", mms.now))
    mms.now += 7.0
    off = await mms.withdrawal.disable(on.handle, "", "admin")
    assert (off.deregistration, mms.rtr_headers) == (Deregistration.CONFIRMED, [(1, False)])
