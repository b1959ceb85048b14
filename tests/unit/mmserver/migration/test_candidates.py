"""Steps 5 and 10 over the store: the range of a partner, the SIP database's word, imported bindings only."""

from collections.abc import Callable
from typing import Any

import pytest

from mmserver.identity import SipIdentities
from mmserver.migration.errors import (
    BindingNotLive,
    NoFreePartnerSet,
    NotPreProvisioned,
    SetsNotKnown,
    SipDatabaseUnreachable,
)

HSS = {"host": "hss.mc2.lab", "address": "127.0.0.1", "sets_max": 2}


def numbered(count: int, **more: Any) -> dict[str, Any]:
    return {
        "count": count,
        "private_user_identity": "mig-{number:05}@ims.mc2.lab",
        "public_user_identities": ["sip:mig-{number:05}@ims.mc2.lab"],
        **more,
    }


def user_set(name: str) -> dict[str, Any]:
    return {
        "mc_service_id": "sip:a@mc2.lab",
        "partner": "mc1",
        "private_user_identity": f"mig-{name}@ims.mc2.lab",
        "public_user_identities": [f"sip:mig-{name}@ims.mc2.lab"],
    }


class Hss:
    """Knows some sets; None means that it does not answer."""

    def __init__(self, *known: str) -> None:
        self.known: set[str] | None = set(known)
        self.asked: list[str] = []

    async def knows(self, identities: SipIdentities) -> bool:
        self.asked.append(identities.private_user_identity)
        if self.known is None:
            raise SipDatabaseUnreachable("silence")
        return identities.private_user_identity in self.known


def asking(make_mms: Callable[..., Any], hss: Hss, *sets: str) -> Any:
    allocation = {"mode": "sip-database", "sets": [user_set(name) for name in sets]}
    mms = make_mms(allocation__primary=allocation, sip_database=HSS)
    return type(mms)(mms.config, mms.store, hss=hss)


async def test_a_range_serves_its_partner_to_the_last_set_and_nothing_twice(make_mms: Callable[..., Any]) -> None:
    mms = make_mms(allocation__partner={"mode": "pool", "ranges": [numbered(250, partner="mc1")]})
    lent = [(await mms.partner(f"u{number}")).identities.private_user_identity for number in range(250)]
    assert len(set(lent)) == 250
    with pytest.raises(NoFreePartnerSet, match="all 250 sets for mc1"):
        await mms.partner("one-more")


async def test_a_range_of_one_partner_is_not_for_another(make_mms: Callable[..., Any]) -> None:
    mms = make_mms(allocation__partner={"mode": "pool", "ranges": [numbered(2, partner="mc3")]})
    with pytest.raises(NoFreePartnerSet):
        await mms.partner()


async def test_the_next_user_gets_the_next_set_even_if_the_first_is_free_again(make_mms: Callable[..., Any]) -> None:
    mms = make_mms(allocation__partner={"mode": "pool", "ranges": [numbered(3)]}, lifetime__quarantine_s=0)
    first = await mms.partner("a")
    await mms.withdrawal.release(first.handle, "", "cms.mc2.lab")
    assert (await mms.partner("b")).identities.private_user_identity == "mig-00001@ims.mc2.lab"


async def test_a_set_that_the_sip_database_does_not_know_is_not_lent(make_mms: Callable[..., Any]) -> None:
    hss = Hss("mig-two@ims.mc2.lab")
    mms = asking(make_mms, hss, "one", "two", "three")
    binding = await mms.primary()
    assert binding.identities.private_user_identity == "mig-two@ims.mc2.lab"
    assert binding.provisioned
    assert hss.asked == ["mig-one@ims.mc2.lab", "mig-two@ims.mc2.lab"]
    assert (await mms.primary()).handle == binding.handle
    assert len(hss.asked) == 2  # who has a binding needs no question


async def test_nothing_known_refuses_step_5_after_a_bounded_number_of_questions(make_mms: Callable[..., Any]) -> None:
    hss = Hss("mig-three@ims.mc2.lab")
    mms = asking(make_mms, hss, "one", "two", "three")
    with pytest.raises(SetsNotKnown) as caught:
        await mms.primary()
    assert (caught.value.step, len(hss.asked)) == ("10.1.X.1-5", HSS["sets_max"])


async def test_silence_of_the_sip_database_refuses_step_5_and_leaves_nothing(make_mms: Callable[..., Any]) -> None:
    hss = Hss()
    hss.known = None
    mms = asking(make_mms, hss, "one")
    with pytest.raises(SipDatabaseUnreachable) as caught:
        await mms.primary()
    assert caught.value.step == "10.1.X.1-5"
    assert await mms.server.find_all(None, None, None) == []


async def test_the_partner_may_ask_its_sip_database_too(make_mms: Callable[..., Any]) -> None:
    partner = {"mode": "sip-database", "ranges": [numbered(3)]}
    mms = make_mms(allocation__partner=partner, sip_database=HSS)
    mms = type(mms)(mms.config, mms.store, hss=Hss("mig-00001@ims.mc2.lab"))
    assert (await mms.partner()).identities.private_user_identity == "mig-00001@ims.mc2.lab"
    with pytest.raises(SetsNotKnown) as caught:
        await mms.partner("b")
    assert caught.value.step == "10.1.X.1-10"


async def test_a_set_taken_while_the_sip_database_was_asked_is_not_lent_twice(make_mms: Callable[..., Any]) -> None:
    class Slow(Hss):
        async def knows(self, identities: SipIdentities) -> bool:
            if not self.asked:
                self.asked.append("")
                self.asked.append((await mms.primary("other", mc_service_ids=["sip:a@mc2.lab"])).handle)
            return await super().knows(identities)

    mms = asking(make_mms, Slow("mig-one@ims.mc2.lab", "mig-two@ims.mc2.lab"), "one", "two")
    mine = await mms.primary()
    theirs = await mms.server.get(mms.hss.asked[2])
    assert {mine.identities.private_user_identity, theirs.identities.private_user_identity} == {
        "mig-one@ims.mc2.lab",
        "mig-two@ims.mc2.lab",
    }


@pytest.mark.parametrize("role", ["primary", "partner"])
async def test_pre_provisioned_honours_imported_bindings_only(make_mms: Callable[..., Any], role: str) -> None:
    mms = make_mms(**{f"allocation__{role}": {"mode": "pre-provisioned"}})
    with pytest.raises(NotPreProvisioned) as caught:
        await (mms.primary() if role == "primary" else mms.partner())
    assert caught.value.step == {"primary": "10.1.X.1-5", "partner": "10.1.X.1-10"}[role]


async def test_a_dry_run_writes_nothing_and_refuses_as_the_step_would(make_mms: Callable[..., Any]) -> None:
    mms = asking(make_mms, Hss("mig-one@ims.mc2.lab"), "one")
    assert await mms.try_primary() is None
    assert await mms.try_partner() is None
    assert await mms.server.find_all(None, None, None) == []
    binding = await mms.lent()
    assert (await mms.try_primary()).handle == binding.handle
    mms.now = binding.valid_until
    with pytest.raises(BindingNotLive):
        await mms.try_primary()
