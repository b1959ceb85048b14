"""Bindings of users whom a changed catalogue no longer lets migrate."""

import asyncio
from collections.abc import Mapping

import pytest

from mmserver.configuration.endings import REASON, Endings, affected_by, permits
from mmserver.configuration.errors import BindingNotFound, MmsUnreachable
from mmserver.messages import Binding, BindingState, IdentitySet, Role
from tests.unit.mmserver.configuration.conftest import NOW, VALID_UNTIL


def binding(name: str, user: str = "sip:alice@mc1.lab", other: str = "mc2", role: Role = Role.PRIMARY) -> Binding:
    identities = IdentitySet(private_user_identity="u@ims.mc1.lab", public_user_identities=("sip:u@ims.mc1.lab",))
    return Binding(
        binding=name,
        role=role,
        state=BindingState.ALLOCATED,
        enabled=True,
        mc_service_ids=(user,),
        other_mc_system=other,
        migration_management_server="mms.mc1.lab",
        identities=identities,
        counterpart=identities,
        valid_until=VALID_UNTIL,
        version=1,
    )


class Mms:
    """Bindings in a dict."""

    def __init__(self, *bindings: Binding) -> None:
        self.held = {one.binding: one for one in bindings}
        self.released: list[tuple[str, str]] = []
        self.failures: list[Exception] = []
        self.asked: list[Mapping[str, str]] = []
        self.done = asyncio.Event()
        self.ended: list[str] = []

    async def bindings(self, query: Mapping[str, str], after: str) -> list[Binding]:
        self.asked.append(query)
        found = [one for name, one in sorted(self.held.items()) if name > after]
        found = [one for one in found if query.get("role", one.role) == one.role]
        found = [one for one in found if query.get("other_mc_system", one.other_mc_system) == one.other_mc_system]
        user = query.get("mc_service_id")
        return [one for one in found if user is None or user in one.mc_service_ids][:1000]

    async def release(self, name: str, reason: str) -> None:
        if self.failures:
            failure = self.failures.pop(0)
            if isinstance(failure, BindingNotFound):
                del self.held[name]
            raise failure
        self.released.append((name, reason))
        self.held[name] = self.held[name].model_copy(update={"state": BindingState.QUARANTINED})
        self.done.set()


def denied(make_config, partner, catalogue_of, user: str = "alice", **changes):
    catalogue = catalogue_of("mc1", partner("mc2", **changes), partner("mc3"))
    name = f"sip:{user}@mc1.lab"
    users = {**catalogue.users, name: catalogue.users[name].model_copy(update={"migration": False})}
    return type(catalogue)(**{**vars(catalogue), "users": users})


def subject(mms: Mms) -> Endings:
    return Endings(mms, lambda one: mms.ended.append(one.binding), now=lambda: NOW, retry_s=0.01)


async def test_a_user_who_may_no_longer_migrate_loses_every_binding_and_nobody_else_does(
    make_config, partner, catalogue_of
) -> None:
    before = catalogue_of("mc1", partner("mc2"), partner("mc3"))
    mms = Mms(
        binding("a"),
        binding("b", other="mc3"),
        binding("c", user="sip:carol@mc1.lab"),
        binding("d", user="sip:alice@mc1.lab", role=Role.PARTNER),
    )
    endings = subject(mms)
    endings.changed(before)
    endings.changed(denied(make_config, partner, catalogue_of))
    await endings.carry_out(before)
    assert mms.released == [("a", REASON), ("b", REASON)]
    assert mms.ended == ["a", "b"]
    assert mms.asked == [{"mc_service_id": "sip:alice@mc1.lab", "role": "primary"}]


@pytest.mark.parametrize(
    ("changes", "ended"),
    [
        ({"outbound_users": ["sip:carol@mc1.lab"]}, ["a"]),
        ({"inbound_users": ["sip:zoe@mc2.lab"]}, ["i"]),
        ({"valid_until": "2026-10-01T00:00:00Z"}, ["a", "c", "i"]),
        ({"priority": 7}, []),
    ],
)
async def test_an_agreement_that_no_longer_covers_a_user_ends_the_binding(
    partner, catalogue_of, changes, ended: list[str]
) -> None:
    before, after = catalogue_of("mc1", partner("mc2")), catalogue_of("mc1", partner("mc2", **changes))
    mms = Mms(
        binding("a"), binding("c", user="sip:carol@mc1.lab"), binding("i", user="sip:bob@mc2.lab", role=Role.PARTNER)
    )
    endings = subject(mms)
    endings.changed(after)
    await endings.carry_out(before)
    assert [name for name, _ in mms.released] == ended
    assert bool(affected_by(before, after).partners) is bool(ended)


async def test_what_no_catalogue_permitted_was_imported_and_stays(partner, catalogue_of) -> None:
    before = catalogue_of("mc1", partner("mc2"))
    mms = Mms(binding("imported", user="sip:unknown@mc1.lab"))
    endings = subject(mms)
    endings.changed(catalogue_of("mc1", partner("mc2", outbound_users=[])))
    await endings.carry_out(before)
    await endings.carry_out(None)
    assert mms.released == []


async def test_at_the_start_what_the_file_denies_by_name_is_ended(make_config, partner, catalogue_of) -> None:
    mms = Mms(binding("a"), binding("c", user="sip:carol@mc1.lab"), binding("i", "sip:bob@mc2.lab", role=Role.PARTNER))
    endings = subject(mms)
    endings.changed(denied(make_config, partner, catalogue_of, inbound_users=[]))
    await endings.carry_out(None)
    assert [name for name, _ in mms.released] == ["a"]


async def test_what_fails_is_tried_again_and_what_is_gone_is_over(make_config, partner, catalogue_of) -> None:
    mms = Mms(binding("a"), binding("b"))
    mms.failures = [MmsUnreachable(), BindingNotFound("gone")]
    endings = subject(mms)
    endings.changed(denied(make_config, partner, catalogue_of))
    task = asyncio.create_task(endings.run())
    await asyncio.wait_for(mms.done.wait(), 60)
    task.cancel()
    assert mms.released == [("b", REASON)]


def test_an_agreement_that_is_gone_permits_nothing(partner, catalogue_of) -> None:
    assert not permits(catalogue_of("mc1", partner("mc3")), binding("a"), NOW)
    assert permits(catalogue_of("mc1", partner("mc2")), binding("a"), NOW)
