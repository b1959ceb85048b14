"""What our migration management server has ended is withdrawn at the partner."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest

from mmserver.configuration.errors import (
    BindingNotFound,
    PartnerUnreachable,
    PeerOverloaded,
    StillWithdrawn,
    StoreUnavailable,
)
from mmserver.configuration.peer import PeerUnreachable
from mmserver.configuration.tellings import Telling
from mmserver.configuration.withdrawals import Withdrawals, has_ended
from mmserver.messages import Binding, BindingPage, PartnerAccessRelease, Role


def binding(handle: str = "b-1", **changes: Any) -> Binding:
    number = changes.pop("number", 1)
    body = {
        "binding": handle,
        "role": "primary",
        "state": "allocated",
        "enabled": True,
        "mc_service_ids": ["sip:alice@mc1.lab"],
        "other_mc_system": "mc2",
        "migration_management_server": "mms.mc1.lab",
        "identities": {
            "private_user_identity": f"mig-{number}@ims.mc1.lab",
            "public_user_identities": [f"sip:mig-{number}@ims.mc1.lab"],
        },
        "counterpart": {"private_user_identity": "a@ims.mc1.lab", "public_user_identities": ["sip:a@ims.mc1.lab"]},
        "valid_until": datetime(2027, 1, 1, tzinfo=UTC),
        "version": 1,
        **changes,
    }
    return Binding.model_validate(body)


class Changes:
    """A migration management server whose changes are told page by page."""

    def __init__(self, *pages: list[Binding] | Exception) -> None:
        self.pages = list(pages)
        self.found: list[Binding] = []
        self.asked: list[tuple[int, float]] = []

    async def changes(self, after: int, began: int, wait_s: float) -> BindingPage:
        self.asked.append((after, wait_s))
        if not self.pages:
            await asyncio.Event().wait()
        page = self.pages.pop(0)
        if isinstance(page, Exception):
            raise page
        return BindingPage(version=after + 1, reset=False, complete=True, bindings=tuple(page))

    async def find(self, role: Role, other_mc_system: str, private_user_identity: str) -> list[Binding]:
        return self.found


class PartnerCms:
    """A partner that notes what it is told."""

    def __init__(self, *outcomes: Exception | None) -> None:
        self.outcomes = list(outcomes)
        self.told: list[tuple[str, PartnerAccessRelease]] = []
        self.heard = asyncio.Event()

    def _hear(self, what: str, access: PartnerAccessRelease) -> None:
        outcome = self.outcomes.pop(0) if self.outcomes else None
        if outcome is not None:
            raise outcome
        self.told.append((what, access))
        self.heard.set()

    async def release(self, access: PartnerAccessRelease) -> None:
        self._hear("release", access)

    async def withdraw(self, access: PartnerAccessRelease) -> None:
        self._hear("withdraw", access)

    async def restore(self, access: PartnerAccessRelease) -> None:
        self._hear("restore", access)

    @property
    def heard_words(self) -> list[str]:
        return [what for what, _ in self.told]


class Kept:
    """A store of tellings in memory, which can be full."""

    def __init__(self) -> None:
        self.tellings: dict[str, Telling] = {}
        self.full = False

    async def save_tellings(self, changed: Any) -> None:
        if self.full:
            raise StoreUnavailable("disk full")
        self.tellings.update((one.binding.binding, one) for one in changed)

    async def find_tellings(self, partner: str | None, pending: bool | None, after: str) -> list[Telling]:
        return [one for name, one in sorted(self.tellings.items()) if name > after and pending in (None, one.pending)]

    async def forget_tellings(self, told_before: float) -> int:
        return 0


class Time:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


def follower(changes: Changes, partners: dict[str, Any], **more: Any) -> Withdrawals:
    return Withdrawals(changes, partners, chance=lambda: 0.5, **more)


@pytest.mark.parametrize(
    ("changes", "ended"),
    [
        ({}, False),
        ({"state": "held"}, False),
        ({"state": "registered"}, False),
        ({"enabled": False}, True),
        ({"state": "quarantined"}, True),
    ],
)
def test_a_binding_has_ended_when_it_is_disabled_or_quarantined(changes: dict[str, Any], ended: bool) -> None:
    assert has_ended(binding(**changes)) is ended


async def test_what_we_lent_and_ended_is_told_and_nothing_else() -> None:
    page = [
        binding("b-1", enabled=False),
        binding("b-2", number=2),
        binding("b-3", number=3, role="partner", enabled=False),
        binding("b-4", number=4, state="quarantined"),
    ]
    changes, partner = Changes(page), PartnerCms()
    withdrawals = follower(changes, {"mc2": partner})
    await withdrawals.follow(20.0)
    await withdrawals.tell()
    assert [(what, one.primary_mc_system_sip_identities) for what, one in partner.told] == [
        ("withdraw", page[0].identities),
        ("release", page[3].identities),
    ]
    assert partner.told[0][1].migration_management_server == "mms.mc1.lab"
    assert (withdrawals.pending(), changes.asked) == ({"mc2": 0}, [(0, 20.0)])


async def test_what_is_ended_here_is_told_once_whatever_is_still_to_be_read_of_it() -> None:
    changes, partner = Changes([binding("b-1", state="quarantined")]), PartnerCms()
    withdrawals = follower(changes, {"mc2": partner})
    withdrawals.ended(binding("b-1"))
    withdrawals.ended(binding("b-2", number=2, role="partner"))
    await withdrawals.tell()
    await withdrawals.follow(20.0)
    await withdrawals.tell()
    assert [what for what, _ in partner.told] == ["release"]


async def test_a_partner_that_cannot_be_reached_is_told_later_and_later() -> None:
    clock, partner = Time(), PartnerCms(*[PartnerUnreachable()] * 3)
    withdrawals = follower(Changes([binding(enabled=False)]), {"mc2": partner}, clock=clock)
    await withdrawals.follow(0.0)
    tries: list[float] = []
    while not partner.told:
        left = len(partner.outcomes)
        await withdrawals.tell()
        if len(partner.outcomes) < left:
            tries.append(clock.now - 1_000.0)
        clock.now += 0.25
    assert tries == [0.0, 1.0, 3.0]
    (telling,) = await withdrawals.find("mc2", None, "")
    assert (telling.attempts, telling.told_at, partner.heard_words) == (4, 1_007.0, ["withdraw"])


async def test_one_partner_that_is_down_keeps_no_other_waiting() -> None:
    down, up = PartnerCms(*[PartnerUnreachable()] * 9), PartnerCms()
    page = [binding("b-1", enabled=False), binding("b-2", number=2, other_mc_system="mc3", enabled=False)]
    withdrawals = follower(Changes(page), {"mc2": down, "mc3": up})
    await withdrawals.follow(0.0)
    await withdrawals.tell()
    assert (withdrawals.pending(), up.heard_words) == ({"mc2": 1, "mc3": 0}, ["withdraw"])


async def test_a_partner_with_too_much_to_do_is_left_alone_for_a_while() -> None:
    clock, partner = Time(), PartnerCms(PeerOverloaded())
    page = [binding("b-1", enabled=False), binding("b-2", number=2, enabled=False)]
    withdrawals = follower(Changes(page), {"mc2": partner}, clock=clock)
    await withdrawals.follow(0.0)
    await withdrawals.tell()
    assert (withdrawals.pending(), partner.heard_words) == ({"mc2": 2}, [])
    clock.now += 2
    await withdrawals.tell()
    assert (withdrawals.pending(), partner.heard_words) == ({"mc2": 0}, ["withdraw", "withdraw"])


async def test_a_refusal_of_one_binding_holds_up_no_other() -> None:
    partner = PartnerCms(StillWithdrawn())
    withdrawals = follower(Changes([binding("b-1", enabled=False), binding("b-2", enabled=False)]), {"mc2": partner})
    await withdrawals.follow(0.0)
    await withdrawals.tell()
    waiting = await withdrawals.find(None, True, "")
    assert [(one.binding.binding, one.why, one.attempts) for one in waiting] == [("b-1", "still-withdrawn", 1)]
    assert partner.heard_words == ["withdraw"]


async def test_an_agreement_that_is_gone_leaves_it_waiting_until_there_is_one_again() -> None:
    clock, partners = Time(), {}
    withdrawals = follower(Changes([binding(enabled=False)]), partners, clock=clock)
    await withdrawals.follow(0.0)
    await withdrawals.tell()
    assert withdrawals.pending() == {"mc2": 1}
    partners["mc2"], clock.now = PartnerCms(), clock.now + 2
    await withdrawals.tell()
    assert partners["mc2"].heard_words == ["withdraw"]


async def test_a_partner_that_knows_no_such_binding_needs_no_telling() -> None:
    withdrawals = follower(Changes([binding(enabled=False)]), {"mc2": PartnerCms(BindingNotFound())})
    await withdrawals.follow(0.0)
    await withdrawals.tell()
    (telling,) = await withdrawals.find(None, None, "")
    assert (telling.pending, telling.why) == (False, "the partner has no such binding")


async def test_the_partner_learns_of_a_withdrawal_and_of_its_end() -> None:
    partner = PartnerCms()
    withdrawals = follower(Changes([binding(enabled=False)], [binding()], [binding()]), {"mc2": partner})
    for _ in range(3):
        await withdrawals.follow(0.0)
        await withdrawals.tell()
    assert partner.heard_words == ["withdraw", "restore"]


async def test_what_changes_while_the_partner_is_told_is_told_after() -> None:
    changes = Changes([binding(enabled=False)], [binding()])
    partner = PartnerCms()
    withdrawals = follower(changes, {"mc2": partner})
    hear = partner.withdraw

    async def overtaken(access: PartnerAccessRelease) -> None:
        await hear(access)
        await withdrawals.follow(0.0)

    partner.withdraw = overtaken  # type: ignore[method-assign]
    await withdrawals.follow(0.0)
    await withdrawals.tell()
    assert withdrawals.pending() == {"mc2": 1}
    await withdrawals.tell()
    assert partner.heard_words == ["withdraw", "restore"]


async def test_a_set_that_is_lent_again_is_not_withdrawn() -> None:
    changes, partner = Changes([binding(state="quarantined", enabled=False)]), PartnerCms()
    changes.found = [binding("b-9")]
    withdrawals = follower(changes, {"mc2": partner})
    await withdrawals.follow(0.0)
    await withdrawals.tell()
    assert (partner.told, withdrawals.pending()) == ([], {"mc2": 0})


async def test_a_restart_forgets_neither_what_waits_nor_what_was_told() -> None:
    kept, down = Kept(), PartnerCms(PartnerUnreachable())
    first = follower(Changes([binding("b-1", enabled=False)]), {"mc2": down}, store=kept)
    await first.follow(0.0)
    await first.tell()
    up = PartnerCms()
    second = follower(Changes([]), {"mc2": up}, store=kept)  # the migration management server has forgotten it
    await second.start()
    await second.tell()
    assert up.heard_words == ["withdraw"]
    third = follower(Changes([binding("b-1", enabled=False)], [binding("b-1")]), {"mc2": up}, store=kept)
    await third.start()
    for _ in range(2):
        await third.follow(0.0)
        await third.tell()
    assert up.heard_words == ["withdraw", "restore"]


async def test_a_store_that_is_full_delays_nothing_and_is_caught_up() -> None:
    kept, partner = Kept(), PartnerCms()
    kept.full = True
    withdrawals = follower(Changes([binding(enabled=False)]), {"mc2": partner}, store=kept)
    await withdrawals.follow(0.0)
    await withdrawals.tell()
    assert (partner.heard_words, kept.tellings) == (["withdraw"], {})
    kept.full = False
    assert [one.pending for one in await withdrawals.find(None, None, "")] == [False]


async def test_following_goes_on_after_an_outage(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mmserver.configuration.withdrawals.RETRY_S", 0.001)
    changes, partner = Changes(PeerUnreachable("x"), [binding(enabled=False)]), PartnerCms()
    task = asyncio.create_task(follower(changes, {"mc2": partner}).run())
    await asyncio.wait_for(partner.heard.wait(), 60)
    task.cancel()
    assert [after for after, _ in changes.asked[:2]] == [0, 0]
