"""Dry run: the same answers as the procedure would give, and nothing held."""

from datetime import UTC, datetime
from typing import Any

import pytest

from mmserver.configuration.dry_run import InboundDryRun, OutboundDryRun, Trial
from mmserver.configuration.errors import MmsUnreachable, PartnerUnreachable, RefusedElsewhere
from mmserver.configuration.procedure import PartnerSide, PrimarySide

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
AREA = {"tracking_areas": ["00102-0002"]}


class World:
    """mc1 and mc2, joined."""

    def __init__(self, catalogue_of, partner, memory_mms, direct_partner, outbound: dict, inbound: dict) -> None:
        self.one = catalogue_of("mc1", partner("mc2", service_area=AREA, **outbound), partner("mc3"))
        self.two = catalogue_of("mc2", partner("mc1", **inbound))
        self.mms1, self.mms2 = memory_mms("mc1"), memory_mms("mc2")
        primary2 = PrimarySide(lambda: self.two, self.mms2, {})
        self.trial2 = Trial(lambda: self.two, primary2, self.mms2, {})
        self.partner = direct_partner(PartnerSide(lambda: self.two, self.mms2), self.two, "mc1", self.trial2)
        partners = {"mc2": self.partner}
        self.trial1 = Trial(lambda: self.one, PrimarySide(lambda: self.one, self.mms1, partners), self.mms1, partners)

    async def outbound(self, user: str = "alice", area: str = "00102-0002", **more: Any):
        asked = {"mc_service_ids": [f"sip:{user}@mc1.lab"], "location_information": {"tracking_area": area}, **more}
        return await self.trial1.outbound(OutboundDryRun.model_validate(asked), NOW)

    async def inbound(self, primary: str = "mc1", user: str = "sip:alice@mc1.lab"):
        asked = InboundDryRun(primary_mc_system=primary, mc_service_ids=(user,), public_user_identities=2)
        return await self.trial2.inbound(asked, NOW)


@pytest.fixture
def make(catalogue_of, partner, memory_mms, direct_partner):
    def make_one(outbound: dict[str, Any] | None = None, inbound: dict[str, Any] | None = None) -> World:
        return World(catalogue_of, partner, memory_mms, direct_partner, outbound or {}, inbound or {})

    return make_one


def steps(first: int, last: int) -> tuple[str, ...]:
    return tuple(f"10.1.X.1-{number}" for number in range(first, last + 1))


async def test_a_user_who_could_migrate_is_told_where_and_nothing_is_held(make) -> None:
    world = make()
    report = await world.outbound()
    assert (report.possible, report.partner_mc_system, report.determined_by) == (True, "mc2", "location")
    assert (report.passed, report.refusal) == (steps(1, 13), None)
    assert [(one.partner, one.fits) for one in report.considered] == [("mc2", True), ("mc3", False)]
    assert world.mms1.bindings == world.mms2.bindings == {}


@pytest.mark.parametrize(
    ("user", "area", "outbound", "inbound", "step", "name"),
    [
        ("eve", "00102-0002", {}, {}, 2, "not-authorised-for-migration"),
        ("dave", "00102-0002", {}, {}, 2, "not-authorised-for-migration"),
        ("alice", "00109-0009", {}, {}, 3, "no-suitable-partner"),
        ("alice", "00102-0002", {}, {"inbound_users": []}, 8, "inbound-user-refused"),
        ("alice", "00102-0002", {}, {"valid_until": "2020-01-01T00:00:00Z"}, 8, "primary-system-not-trusted"),
        ("alice", "00102-0002", {}, {"static": True}, 12, "no-configuration-data"),
    ],
)
async def test_the_step_that_refuses_is_named_and_why(
    make, user: str, area: str, outbound: dict, inbound: dict, step: int, name: str
) -> None:
    report = await make(outbound, inbound).outbound(user, area)
    assert report.refusal is not None and not report.possible
    assert (report.refusal.step, report.refusal.type.rpartition(":")[2]) == (f"10.1.X.1-{step}", name)
    assert report.passed == steps(1, step - 1)


async def test_why_each_partner_does_not_fit_is_said(make) -> None:
    report = await make({"outbound_users": []}).outbound()
    assert {one.partner: one.why_not for one in report.considered} == {
        "mc2": "the agreement does not cover the user",
        "mc3": "its service area does not hold the location",
    }


@pytest.mark.parametrize(
    ("where", "name", "failure", "step"),
    [
        ("mms1", "primary_identities", MmsUnreachable(step=4), 4),
        ("mms1", "primary_identities", RefusedElsewhere("no-free-primary-set", "t", 409, "10.1.X.1-5", "x"), 5),
        ("partner", "access", PartnerUnreachable(), 7),
        ("mms2", "partner_identities", RefusedElsewhere("no-free-partner-set", "t", 409, "10.1.X.1-10", "x"), 10),
    ],
)
async def test_what_the_servers_would_refuse_is_said_too(make, where: str, name: str, failure: Any, step: int) -> None:
    world = make()
    getattr(world, where).fail[name] = failure
    report = await world.outbound(partner_mc_system="mc2")
    assert report.refusal is not None and report.refusal.step == f"10.1.X.1-{step}"
    assert report.passed == steps(1, step - 1)


async def test_a_partner_asks_itself(make) -> None:
    world = make()
    report = await world.inbound()
    assert (report.possible, report.passed) == (True, steps(8, 12))
    for primary, user, name in (
        ("mc9", "sip:alice@mc1.lab", "primary-system-not-trusted"),
        ("mc1", "sip:carol@mc2.lab", "own-mc-service-id"),
    ):
        report = await world.inbound(primary, user)
        assert report.refusal is not None and report.refusal.type.endswith(name)
        assert (report.refusal.step, report.passed) == ("10.1.X.1-8", ())
    assert world.mms2.bindings == {}
