"""Steps 5 and 10 of 10.1.X.1: who gets which set, and each refusal with its step."""

import asyncio
import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from mmserver.messages import BindingState, Role
from mmserver.migration.errors import (
    BindingNotLive,
    BindingUnknown,
    ForeignMigrationManagementServer,
    IdentitiesAlreadyLent,
    IdentitiesOutsideRealm,
    MigrationWithdrawn,
    NoFreePartnerSet,
    NoFreePrimarySet,
    NoPrimarySetForPartner,
    NoSipIdentity,
    PartnerSetTooSmall,
    QuotaReached,
    Refusal,
    UnknownPartner,
    ValidityOver,
)


def pool_set(name: str, impus: int = 1, **more: str) -> dict[str, Any]:
    return {
        "private_user_identity": f"mig-{name}@ims.mc2.lab",
        "public_user_identities": [f"sip:mig-{name}{number}@ims.mc2.lab" for number in range(impus)],
        **more,
    }


PRIMARY_POOL = [
    pool_set("a-mc1", mc_service_id="sip:a@mc2.lab", partner="mc1"),
    pool_set("a-mc3", mc_service_id="sip:a@mc2.lab", partner="mc3"),
]


async def test_a_random_partner_set_is_opaque_and_as_large_as_what_was_received(mms: Any) -> None:
    binding = await mms.partner(impus=3)
    assert binding.state is BindingState.HELD
    assert len(binding.identities.public_user_identities) == 3
    users = [text.removeprefix("sip:").removesuffix("@ims.mc2.lab") for text in binding.identities.mapped]
    assert all(re.fullmatch("mig-[a-z2-7]{26}", user) for user in users)  # 128 bits, base 32
    assert len(set(users)) == 4


async def test_the_same_request_gives_the_same_binding(mms: Any) -> None:
    first = await mms.allocated()
    again = await mms.partner()
    assert again == first


async def test_a_repeated_request_renews_the_hold(mms: Any) -> None:
    first = await mms.partner()
    mms.now += 20
    again = await mms.partner()
    assert (again.handle, again.held_until) == (first.handle, first.held_until + 20)


async def test_a_repeated_request_renews_a_validity_that_is_half_over(mms: Any) -> None:
    first = await mms.allocated()
    mms.now += 50_000
    again = await mms.partner()
    assert again.valid_until == mms.now + 86400
    assert again.version > first.version


async def test_other_users_other_devices_and_other_partners_get_other_sets(mms: Any) -> None:
    bindings = [
        await mms.primary("a"),
        await mms.primary("b"),
        await mms.primary("a", partner_mc_system="mc3"),
        await mms.primary("a", default_identities=pool_set("second-device")),
        await mms.primary("a", mc_service_ids=["sip:crew@mc2.lab"]),  # two users share a UE
    ]
    assert len({binding.handle for binding in bindings}) == 5
    assert len({text for binding in bindings for text in binding.identities.mapped}) == 10


async def test_validity_is_what_was_asked_within_what_is_allowed(mms: Any) -> None:
    asked = datetime.fromtimestamp(mms.now + 60, UTC)
    assert (await mms.partner("a", valid_until=asked)).valid_until == mms.now + 60
    far = datetime.fromtimestamp(mms.now + 10_000_000, UTC)
    assert (await mms.partner("b", valid_until=far)).valid_until == mms.now + 86400
    with pytest.raises(ValidityOver):
        await mms.partner("c", valid_until=datetime.fromtimestamp(mms.now, UTC))


async def test_confirming_makes_it_allocated_and_does_so_once(mms: Any) -> None:
    held = await mms.partner()
    assert held.version == 0
    first = await mms.server.confirm(held.handle, "step 12", "cms.mc2.lab")
    again = await mms.server.confirm(held.handle, "step 12", "cms.mc2.lab")
    assert first.state is BindingState.ALLOCATED
    assert first.version > 0
    assert again == first
    assert mms.notified == 1


async def test_a_lapsed_hold_cannot_be_confirmed(mms: Any) -> None:
    held = await mms.partner()
    mms.now += 30
    with pytest.raises(BindingNotLive):
        await mms.server.confirm(held.handle, "", "cms.mc2.lab")


async def test_an_unknown_binding_is_said_to_be_unknown(mms: Any) -> None:
    with pytest.raises(BindingUnknown):
        await mms.server.confirm("b-none", "", "cms.mc2.lab")
    with pytest.raises(BindingUnknown):
        await mms.server.get("b-none")


async def test_a_primary_pool_gives_each_partner_its_own_set(make_mms: Callable[..., Any]) -> None:
    """7.4.2.2.X NOTE 1."""
    mms = make_mms(allocation__primary={"mode": "pool", "sets": PRIMARY_POOL})
    for partner in ("mc1", "mc3"):
        binding = await mms.primary(partner_mc_system=partner)
        assert binding.identities.private_user_identity == f"mig-a-{partner}@ims.mc2.lab"
        assert binding.provisioned


async def test_the_default_set_may_be_lent_as_it_is_to_each_partner(make_mms: Callable[..., Any]) -> None:
    mms = make_mms(allocation__primary={"mode": "default"})
    first = await mms.primary()
    second = await mms.primary(partner_mc_system="mc3")
    assert first.identities == second.identities == first.counterpart
    assert first.provisioned
    with pytest.raises(IdentitiesAlreadyLent):  # another user of the same UE cannot be told apart there
        await mms.primary(mc_service_ids=["sip:crew@mc2.lab"])


async def test_only_sip_uris_are_lent_for_the_default_set(mms: Any) -> None:
    default = {
        "private_user_identity": "a@ims.mc2.lab",
        "public_user_identities": ["sip:a@ims.mc2.lab", "tel:+4930123", "sip:a2@ims.mc2.lab"],
    }
    binding = await mms.primary(default_identities=default)
    assert len(binding.identities.public_user_identities) == 2
    assert not binding.provisioned


async def test_a_partner_pool_set_is_cut_to_the_size_received(make_mms: Callable[..., Any]) -> None:
    mms = make_mms(allocation__partner={"mode": "pool", "sets": [pool_set("large", 3), pool_set("small", 1)]})
    first, second = await mms.partner("a"), await mms.partner("b", impus=2)
    assert first.identities.private_user_identity == "mig-small@ims.mc2.lab"
    assert second.identities.public_user_identities == ("sip:mig-large0@ims.mc2.lab", "sip:mig-large1@ims.mc2.lab")


REFUSALS: list[Any] = [
    # settings, request, refusal, code, step
    ({}, ("primary", {"partner_mc_system": "mc9"}), UnknownPartner, "unknown-mc-system", "10.1.X.1-5"),
    (
        {"allocation__primary": {"mode": "pool", "sets": PRIMARY_POOL}},
        ("primary", {"user": "b"}),
        NoPrimarySetForPartner,
        "no-primary-set-for-partner",
        "10.1.X.1-5",
    ),
    (
        {"allocation__primary": {"mode": "pool", "sets": PRIMARY_POOL}},
        ("primary", {"default_identities": pool_set("second-device")}),
        NoFreePrimarySet,
        "no-free-primary-set",
        "10.1.X.1-5",
    ),
    (
        {},
        ("primary", {"default_identities": {"private_user_identity": "a@b", "public_user_identities": ["tel:+49301"]}}),
        NoSipIdentity,
        "no-sip-identity",
        "10.1.X.1-5",
    ),
    ({}, ("partner", {"primary_mc_system": "mc9"}), UnknownPartner, "unknown-mc-system", "10.1.X.1-10"),
    (
        {},
        ("partner", {"migration_management_server": "mms.mc3.lab"}),
        ForeignMigrationManagementServer,
        "foreign-migration-management-server",
        "10.1.X.1-10",
    ),
    (
        {},
        ("partner", {"primary_mc_system_sip_identities": pool_set("ours")}),
        IdentitiesOutsideRealm,
        "identities-outside-realm",
        "10.1.X.1-10",
    ),
    (
        {"allocation__partner": {"mode": "pool", "sets": [pool_set("one")]}},
        ("partner", {"user": "b"}),
        NoFreePartnerSet,
        "no-free-partner-set",
        "10.1.X.1-10",
    ),
    (
        {"allocation__partner": {"mode": "pool", "sets": [pool_set("one"), pool_set("two")]}},
        ("partner", {"user": "b", "impus": 2}),
        PartnerSetTooSmall,
        "partner-set-too-small",
        "10.1.X.1-10",
    ),
]


@pytest.mark.parametrize(("changes", "request_", "refusal", "code", "step"), REFUSALS, ids=[row[3] for row in REFUSALS])
async def test_each_refusal_names_its_step(
    make_mms: Callable[..., Any],
    changes: dict[str, Any],
    request_: tuple[str, dict[str, Any]],
    refusal: type[Refusal],
    code: str,
    step: str,
) -> None:
    mms = make_mms(**changes)
    await mms.partner("a")
    await mms.primary("a")
    role, arguments = request_
    with pytest.raises(refusal) as caught:
        await (mms.primary if role == "primary" else mms.partner)(**arguments)
    assert (caught.value.code, caught.value.step) == (code, step)


async def test_a_disabled_binding_is_not_handed_out_again(mms: Any) -> None:
    binding = await mms.allocated()
    await mms.withdrawal.disable(binding.handle, "withdrawn", "admin")
    with pytest.raises(MigrationWithdrawn) as caught:
        await mms.partner()
    assert caught.value.step == "10.1.X.1-10"


async def test_a_pool_set_in_quarantine_is_not_handed_out(make_mms: Callable[..., Any]) -> None:
    mms = make_mms(allocation__partner={"mode": "pool", "sets": [pool_set("one")]})
    binding = await mms.allocated("a")
    await mms.withdrawal.release(binding.handle, "", "admin")
    with pytest.raises(NoFreePartnerSet):
        await mms.partner("b")
    mms.now += 3600
    await mms.withdrawal.sweep()
    assert (await mms.partner("b")).identities == binding.identities


async def test_bindings_are_listed_by_role_system_and_identity(mms: Any) -> None:
    partner, primary = await mms.partner(), await mms.primary()
    assert {binding.handle for binding in await mms.server.find_all(None, None, None)} == {
        partner.handle,
        primary.handle,
    }
    assert await mms.server.find_all(Role.PRIMARY, None, None) == [primary]
    assert await mms.server.find_all(None, "mc3", None) == []
    assert await mms.server.find_all(None, "mc1", partner.identities.private_user_identity) == [partner]
    assert await mms.server.find_all(None, None, primary.counterpart.private_user_identity) == [primary]


async def test_the_server_names_the_proxies_that_are_behind(mms: Any) -> None:
    binding = await mms.allocated()
    async with mms.store.writing() as transaction:
        await transaction.acknowledge("proxy1.mc2.lab", binding.version, mms.now)
    assert await mms.server.proxies_behind(binding) == ("proxy2.mc2.lab",)


@pytest.mark.parametrize(("side", "step"), [("partner", "10.1.X.1-10"), ("primary", "10.1.X.1-5")])
async def test_an_agreement_s_quota_counts_bindings_and_not_requests(make_mms: Any, side: str, step: str) -> None:
    mms = make_mms(allocation={"primary": {"mode": "random"}})
    ask = getattr(mms, side)
    first = await ask("a", at_most=2)
    await ask("b", at_most=2)
    assert (await ask("a", at_most=2)).handle == first.handle
    for attempt in (ask("c", at_most=2), ask("c", at_most=0)):
        with pytest.raises(QuotaReached) as raised:
            await attempt
        assert raised.value.step == step
    await ask("c", at_most=3)
    await ask("d")


async def test_requests_at_once_never_take_the_last_place_both(make_mms: Any) -> None:
    mms = make_mms()
    outcomes = await asyncio.gather(*(mms.partner(user, at_most=3) for user in "abcdefgh"), return_exceptions=True)
    assert sum(isinstance(outcome, QuotaReached) for outcome in outcomes) == 5


async def test_a_dry_run_knows_the_quota(make_mms: Any) -> None:
    mms = make_mms()
    await mms.partner("a")
    assert await mms.try_partner("b", at_most=2) is None
    with pytest.raises(QuotaReached):
        await mms.try_partner("b", at_most=1)
