"""10.1.X.1 between two systems, without HTTP: who holds what when something goes wrong."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import structlog

from mmserver.configuration.errors import (
    AnswerNotUsable,
    BindingNotFound,
    InboundUserRefused,
    MmsUnreachable,
    NoConfigurationData,
    NoSuitablePartner,
    PartnerUnreachable,
    Refusal,
    TokenForAnotherUser,
)
from mmserver.configuration.procedure import PartnerSide, PrimarySide
from mmserver.messages import BindingState, IdentitySet, InitialUeConfiguration, PartnerAccessRelease

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
ALICE = {"sip:alice@mc1.lab"}
AREA = {"tracking_areas": ["00102-0002"]}


class World:
    """mc1 and mc2, joined."""

    def __init__(self, catalogue_of, partner, memory_mms, direct_partner, outbound: dict, inbound: dict) -> None:
        self.catalogue1 = catalogue_of("mc1", partner("mc2", service_area=AREA, **outbound))
        self.catalogue2 = catalogue_of("mc2", partner("mc1", **inbound))
        self.mms1, self.mms2 = memory_mms("mc1"), memory_mms("mc2")
        self.partner_side = PartnerSide(lambda: self.catalogue2, self.mms2)
        self.partner = direct_partner(self.partner_side, self.catalogue2, "mc1")
        self.primary = PrimarySide(lambda: self.catalogue1, self.mms1, {"mc2": self.partner})

    def states(self) -> tuple[list[str], list[str]]:
        return tuple([one.state.value for one in mms.bindings.values()] for mms in (self.mms1, self.mms2))


@pytest.fixture
def make_world(catalogue_of, partner, memory_mms, direct_partner):
    def make(outbound: dict[str, Any] | None = None, inbound: dict[str, Any] | None = None) -> World:
        return World(catalogue_of, partner, memory_mms, direct_partner, outbound or {}, inbound or {})

    return make


async def test_thirteen_steps_end_with_both_bindings_kept(make_world, request_of) -> None:
    world = make_world()
    details = await world.primary.connection_details(request_of(), ALICE, NOW)
    assert details.partner_mc_system == "mc2"
    assert details.initial_ue_configuration == world.catalogue2.initial_ue_configuration
    (primary,), (partner,) = world.mms1.bindings.values(), world.mms2.bindings.values()
    assert details.partner_mc_system_sip_identities == partner.identities
    assert partner.counterpart == primary.identities
    assert world.states() == (["allocated"], ["allocated"])


async def test_repeating_the_request_gives_the_same(make_world, request_of) -> None:
    world = make_world()
    first = await world.primary.connection_details(request_of(), ALICE, NOW)
    assert await world.primary.connection_details(request_of(), ALICE, NOW) == first
    assert len(world.mms1.bindings) == len(world.mms2.bindings) == 1


async def test_the_shortest_validity_holds(make_world, request_of) -> None:
    soon = NOW + timedelta(hours=1)
    for terms in ({"outbound": {"valid_until": soon.isoformat()}}, {"inbound": {"valid_until": soon.isoformat()}}):
        details = await make_world(**terms).primary.connection_details(request_of(), ALICE, NOW)
        assert details.valid_until == soon


async def test_static_mode_uses_what_was_exchanged_off_line(make_world, request_of, configuration_of) -> None:
    """10.1.X.1 NOTE 2."""
    static = {**configuration_of("mc2"), "plmn": "99999"}
    world = make_world({"initial_ue_configuration": static}, {"static": True})
    details = await world.primary.connection_details(request_of(), ALICE, NOW)
    assert details.initial_ue_configuration == InitialUeConfiguration.model_validate(static)


async def test_without_any_configuration_data_nothing_stays_allocated(make_world, request_of) -> None:
    world = make_world(inbound={"static": True})
    with pytest.raises(NoConfigurationData):
        await world.primary.connection_details(request_of(), ALICE, NOW)
    assert world.states() == ([], [])


async def test_a_refusal_before_step_4_asks_nobody(make_world, request_of) -> None:
    world = make_world({"outbound_users": []})
    with pytest.raises(NoSuitablePartner):
        await world.primary.connection_details(request_of(partner_mc_system="mc2"), ALICE, NOW)
    with pytest.raises(TokenForAnotherUser):
        await world.primary.connection_details(request_of(), {"sip:bob@mc2.lab"}, NOW)
    assert world.mms1.calls == []


async def test_a_refusal_at_step_5_leaves_nothing(make_world, request_of) -> None:
    world = make_world()
    world.mms1.fail["primary_identities"] = MmsUnreachable(step=4)
    with pytest.raises(MmsUnreachable):
        await world.primary.connection_details(request_of(), ALICE, NOW)
    assert world.mms2.calls == []


@pytest.mark.parametrize(
    ("inbound", "failing", "refusal"),
    [
        ({"inbound_users": []}, {}, InboundUserRefused),
        ({}, {"access": PartnerUnreachable()}, PartnerUnreachable),
        ({}, {"confirm": BindingNotFound()}, BindingNotFound),
    ],
)
async def test_a_partner_that_fails_leaves_nothing_allocated(
    make_world, request_of, inbound: dict[str, Any], failing: dict[str, Exception], refusal: type[Refusal]
) -> None:
    world = make_world(inbound=inbound)
    world.partner.fail = failing
    with pytest.raises(refusal):
        await world.primary.connection_details(request_of(), ALICE, NOW)
    assert world.states() == ([], [])


async def test_a_partner_without_a_free_set_leaves_nothing_allocated(make_world, request_of) -> None:
    world = make_world()
    world.mms2.fail["partner_identities"] = MmsUnreachable(step=9)
    with pytest.raises(MmsUnreachable):
        await world.primary.connection_details(request_of(), ALICE, NOW)
    assert world.states() == ([], [])


async def test_our_own_server_failing_to_confirm_gives_back_the_partner_s(make_world, request_of) -> None:
    world = make_world()
    world.mms1.fail["confirm"] = MmsUnreachable()
    with pytest.raises(MmsUnreachable):
        await world.primary.connection_details(request_of(), ALICE, NOW)
    assert world.states() == ([], [])


async def test_what_cannot_be_given_back_is_left_to_lapse(make_world, request_of) -> None:
    world = make_world()
    world.partner.fail = {"confirm": PartnerUnreachable(), "release": PartnerUnreachable()}
    with pytest.raises(PartnerUnreachable):
        await world.primary.connection_details(request_of(), ALICE, NOW)
    assert world.states() == ([], ["held"])


async def test_an_earlier_binding_is_not_given_back_by_a_later_failure(make_world, request_of) -> None:
    world = make_world()
    await world.primary.connection_details(request_of(), ALICE, NOW)
    world.partner.fail["access"] = PartnerUnreachable()
    with pytest.raises(PartnerUnreachable):
        await world.primary.connection_details(request_of(), ALICE, NOW)
    assert world.states() == (["allocated"], ["allocated"])


async def test_a_cms_killed_after_step_6_leaves_holds_only(make_world, request_of) -> None:
    world = make_world()
    reached = asyncio.Event()

    async def never(request):
        reached.set()
        await asyncio.Event().wait()

    world.partner.access = never
    task = asyncio.create_task(world.primary.connection_details(request_of(), ALICE, NOW))
    await reached.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert world.states() == (["held"], [])


async def test_two_requests_for_one_key_go_one_after_the_other(make_world, request_of) -> None:
    world = make_world()
    calls = [world.primary.connection_details(request_of(), ALICE, NOW) for _ in range(3)]
    first, *others = await asyncio.gather(*calls)
    assert all(other == first for other in others)
    assert world.mms1.calls == ["primary_identities", "confirm"] * 3


async def test_both_systems_grant_services_and_the_user_gets_what_both_grant(make_world, request_of) -> None:
    world = make_world({"services": ["mcptt", "mcdata"]}, {"services": ["mcdata", "mcvideo"]})
    details = await world.primary.connection_details(request_of(), ALICE, NOW)
    assert details.initial_ue_configuration.services == ("mcdata",)
    world = make_world({"services": ["mcptt"]}, {"services": ["mcvideo"]})
    with pytest.raises(AnswerNotUsable, match="no MC service") as raised:
        await world.primary.connection_details(request_of(), ALICE, NOW)
    assert (raised.value.step, world.states()) == ("10.1.X.1-12", ([], []))


async def test_the_agreement_s_quotas_go_to_the_servers_that_count(make_world, request_of) -> None:
    world = make_world({"outbound_max": 7}, {"inbound_max": 3})
    seen: list[int | None] = []
    for mms, name in ((world.mms1, "primary_identities"), (world.mms2, "partner_identities")):
        ask = getattr(mms, name)

        async def noting(request, ask=ask):
            seen.append(request.at_most)
            return await ask(request)

        setattr(mms, name, noting)
    await world.primary.connection_details(request_of(), ALICE, NOW)
    assert seen == [7, 3]


async def test_why_no_partner_fits_is_in_the_log_and_not_in_the_answer(make_world, request_of) -> None:
    world = make_world({"outbound_users": []})
    with structlog.testing.capture_logs() as events, pytest.raises(NoSuitablePartner) as raised:
        await world.primary.connection_details(request_of(), ALICE, NOW)
    (event,) = [one for one in events if one["event"] == "partner.none"]
    assert event["considered"] == {"mc2": "the agreement does not cover the user"}
    assert "mc2" not in raised.value.detail


async def test_a_withdrawn_user_is_restored_by_the_primary_alone(make_world, request_of) -> None:
    world = make_world()
    await world.primary.connection_details(request_of(), ALICE, NOW)
    (binding,) = world.mms2.bindings.values()
    named = PartnerAccessRelease(
        migration_management_server="mms.mc1.lab", primary_mc_system_sip_identities=binding.counterpart
    )
    mc1 = world.catalogue2.partners["mc1"]
    await world.partner_side.withdraw(mc1, named)
    assert [one.enabled for one in world.mms2.bindings.values()] == [False]
    await world.partner_side.restore(mc1, named)
    assert [one.enabled for one in world.mms2.bindings.values()] == [True]
    with pytest.raises(BindingNotFound):
        await world.partner_side.withdraw(mc1.model_copy(update={"name": "mc3"}), named)


async def test_an_agreement_that_ends_meanwhile_is_a_partner_out_of_reach(make_world, request_of) -> None:
    world = make_world()
    world.primary = PrimarySide(lambda: world.catalogue1, world.mms1, {})
    with pytest.raises(PartnerUnreachable):
        await world.primary.connection_details(request_of(), ALICE, NOW)
    assert world.states() == ([], [])


@pytest.mark.parametrize(
    "lent",
    [
        IdentitySet(private_user_identity="mig@ims.mc1.lab", public_user_identities=("sip:mig@ims.mc1.lab",)),
        IdentitySet(private_user_identity="mig@ims.mc2.lab", public_user_identities=("sip:alice@ims.mc1.lab",)),
        IdentitySet(
            private_user_identity="m@ims.mc2.lab", public_user_identities=("sip:a@ims.mc2.lab", "sip:b@ims.mc2.lab")
        ),
    ],
)
async def test_a_partner_may_lend_only_its_own_and_as_many(make_world, request_of, lent: IdentitySet) -> None:
    world = make_world()
    world.partner.replace = lambda access: access.model_copy(update={"partner_mc_system_sip_identities": lent})
    with pytest.raises(AnswerNotUsable) as raised:
        await world.primary.connection_details(request_of(), ALICE, NOW)
    assert raised.value.step == "10.1.X.1-12"
    assert world.states() == ([], [])


async def test_configuration_data_of_a_third_system_is_not_taken(make_world, request_of, configuration_of) -> None:
    world = make_world()
    third = InitialUeConfiguration.model_validate(configuration_of("mc3"))
    world.partner.replace = lambda access: access.model_copy(update={"initial_ue_configuration": third})
    with pytest.raises(AnswerNotUsable, match="another MC system"):
        await world.primary.connection_details(request_of(), ALICE, NOW)


async def test_a_primary_confirms_and_releases_only_what_is_its_own(make_world, request_of) -> None:
    world = make_world()
    await world.primary.connection_details(request_of(), ALICE, NOW)
    (binding,) = world.mms2.bindings.values()
    good = PartnerAccessRelease(
        migration_management_server="MMS.mc1.lab", primary_mc_system_sip_identities=binding.counterpart
    )
    mc1 = world.catalogue2.partners["mc1"]
    await world.partner_side.confirm(mc1, good)
    for wrong in (
        good.model_copy(update={"migration_management_server": "mms.mc3.lab"}),
        good.model_copy(update={"primary_mc_system_sip_identities": binding.identities}),
    ):
        with pytest.raises(BindingNotFound):
            await world.partner_side.release(mc1, wrong)
    with pytest.raises(BindingNotFound):
        await world.partner_side.release(mc1.model_copy(update={"name": "mc3"}), good)
    await world.partner_side.release(mc1, good)
    assert world.states()[1] == []


async def test_a_quarantined_binding_is_not_found(make_world, request_of) -> None:
    world = make_world()
    await world.primary.connection_details(request_of(), ALICE, NOW)
    (handle, binding), *_ = world.mms2.bindings.items()
    world.mms2.bindings[handle] = binding.model_copy(update={"state": BindingState.QUARANTINED})
    release = PartnerAccessRelease(
        migration_management_server="mms.mc1.lab", primary_mc_system_sip_identities=binding.counterpart
    )
    with pytest.raises(BindingNotFound):
        await world.partner_side.release(world.catalogue2.partners["mc1"], release)


async def test_what_was_just_lent_is_confirmed_without_a_search_and_elsewhere_with_one(make_world, request_of) -> None:
    """Another instance of the partner's server may get the confirmation."""
    world = make_world()
    await world.primary.connection_details(request_of(), ALICE, NOW)
    assert world.mms2.calls == ["partner_identities", "confirm"]
    (binding,) = world.mms2.bindings.values()
    named = PartnerAccessRelease(
        migration_management_server="mms.mc1.lab", primary_mc_system_sip_identities=binding.counterpart
    )
    await PartnerSide(lambda: world.catalogue2, world.mms2).confirm(world.catalogue2.partners["mc1"], named)
    assert world.mms2.calls[2:] == ["find", "confirm"]
