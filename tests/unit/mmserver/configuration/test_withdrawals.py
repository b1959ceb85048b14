"""What our migration management server has ended is withdrawn at the partner."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest

from mmserver.configuration.errors import BindingNotFound, PartnerUnreachable
from mmserver.configuration.peer import PeerUnreachable
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

    async def changes(self, after: int, wait_s: float) -> BindingPage:
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
    """A partner that notes what is released."""

    def __init__(self, *outcomes: Exception | None) -> None:
        self.outcomes = list(outcomes)
        self.released: list[PartnerAccessRelease] = []
        self.told = asyncio.Event()

    async def release(self, access: PartnerAccessRelease) -> None:
        outcome = self.outcomes.pop(0) if self.outcomes else None
        if outcome is not None:
            raise outcome
        self.released.append(access)
        self.told.set()


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


async def test_only_what_we_lent_and_ended_is_withdrawn() -> None:
    page = [
        binding("b-1", enabled=False),
        binding("b-2", number=2),
        binding("b-3", number=3, role="partner", enabled=False),
        binding("b-4", number=4, other_mc_system="mc9", enabled=False),
    ]
    changes, partner = Changes(page), PartnerCms()
    withdrawals = Withdrawals(changes, {"mc2": partner})
    await withdrawals.follow(20.0)
    await withdrawals.tell()
    assert [one.primary_mc_system_sip_identities for one in partner.released] == [page[0].identities]
    assert partner.released[0].migration_management_server == "mms.mc1.lab"
    assert (withdrawals.pending, changes.asked) == (0, [(0, 20.0)])


async def test_a_partner_that_cannot_be_reached_is_told_later() -> None:
    partner = PartnerCms(PartnerUnreachable(), None)
    withdrawals = Withdrawals(Changes([binding(enabled=False)]), {"mc2": partner})
    await withdrawals.follow(0.0)
    await withdrawals.tell()
    assert withdrawals.pending == 1
    await withdrawals.tell()
    assert (withdrawals.pending, len(partner.released)) == (0, 1)


async def test_a_partner_that_knows_no_such_binding_needs_no_telling() -> None:
    withdrawals = Withdrawals(Changes([binding(enabled=False)]), {"mc2": PartnerCms(BindingNotFound())})
    await withdrawals.follow(0.0)
    await withdrawals.tell()
    assert withdrawals.pending == 0


async def test_a_binding_that_is_enabled_again_is_not_withdrawn() -> None:
    partner = PartnerCms()
    withdrawals = Withdrawals(Changes([binding(enabled=False)], [binding()]), {"mc2": partner})
    await withdrawals.follow(0.0)
    await withdrawals.follow(0.0)
    await withdrawals.tell()
    assert partner.released == []


async def test_a_set_that_is_lent_again_is_not_withdrawn() -> None:
    changes, partner = Changes([binding(state="quarantined", enabled=False)]), PartnerCms()
    changes.found = [binding("b-9")]
    withdrawals = Withdrawals(changes, {"mc2": partner})
    await withdrawals.follow(0.0)
    await withdrawals.tell()
    assert (partner.released, withdrawals.pending) == ([], 0)


async def test_following_goes_on_after_an_outage(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mmserver.configuration.withdrawals.RETRY_S", 0.001)
    changes, partner = Changes(PeerUnreachable("x"), [binding(enabled=False)]), PartnerCms()
    task = asyncio.create_task(Withdrawals(changes, {"mc2": partner}).run())
    await asyncio.wait_for(partner.told.wait(), 5)
    task.cancel()
    assert [after for after, _ in changes.asked[:2]] == [0, 0]
