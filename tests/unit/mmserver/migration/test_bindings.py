"""A binding's life as pure steps, with time as a number."""

from dataclasses import replace

import pytest

from mmserver.identity import parse_sip_identities
from mmserver.messages import BindingState, Deregistration, Role
from mmserver.migration import bindings as b
from mmserver.migration.errors import BindingNotLive

LENT = parse_sip_identities("mig-x@ims.mc2.lab", ["sip:mig-x@ims.mc2.lab"])
PRIMARY = parse_sip_identities("mig-y@ims.mc1.lab", ["sip:mig-y@ims.mc1.lab"])
HELD = b.IdentityBinding(
    "b-1", Role.PARTNER, "k", "mc1", "mms.mc1.lab", ("sip:a@mc1.lab",), LENT, PRIMARY, valid_until=1000, held_until=30
)
ALLOCATED = b.confirm(HELD, 10)
REGISTRATION = b.Registration("sip:scscf.mc2.lab:6060", "scscf.mc2.lab", "ims.mc2.lab", until=600)
REGISTERED = b.register(ALLOCATED, REGISTRATION)


def test_the_life_of_a_binding() -> None:
    """held -> allocated -> registered -> allocated -> quarantined."""
    ended = b.finish_release(b.begin_release(b.deregister(REGISTERED), 50), 50, 3600)
    states = [binding.state for binding in (HELD, ALLOCATED, REGISTERED, b.deregister(REGISTERED), ended)]
    assert states == [
        BindingState.HELD,
        BindingState.ALLOCATED,
        BindingState.REGISTERED,
        BindingState.ALLOCATED,
        BindingState.QUARANTINED,
    ]


@pytest.mark.parametrize(
    ("binding", "due_at"),
    [
        (HELD, 30),
        (ALLOCATED, 1000),
        (REGISTERED, 600),
        (b.begin_release(REGISTERED, 50), 0),
        (b.finish_release(ALLOCATED, 50, 3600), 3650),
        (replace(REGISTERED, valid_until=400), 400),
    ],
)
def test_the_sweep_comes_when_something_falls_due(binding: b.IdentityBinding, due_at: float) -> None:
    assert binding.due_at == due_at


def test_a_binding_is_served_while_allocated_and_in_time() -> None:
    assert ALLOCATED.is_served(999)
    assert not ALLOCATED.is_served(1000)
    assert not HELD.is_served(10)
    assert not b.begin_release(ALLOCATED, 50).is_served(50)


def test_disabling_asks_for_an_rtr_only_when_registered() -> None:
    assert b.disable(REGISTERED, 50).deregistration is Deregistration.PENDING
    assert b.disable(REGISTERED, 600).deregistration is Deregistration.NONE  # aged
    assert b.disable(ALLOCATED, 50).deregistration is Deregistration.NONE


def test_a_held_binding_cannot_be_disabled() -> None:
    with pytest.raises(BindingNotLive):
        b.disable(HELD, 10)


def test_a_binding_on_its_way_out_is_not_handed_out_again() -> None:
    with pytest.raises(BindingNotLive):
        b.ask_again(b.begin_release(REGISTERED, 50), 50, 30, 2000, 1000)
    with pytest.raises(BindingNotLive):
        b.ask_again(ALLOCATED, 1000, 30, 2000, 1000)


def test_the_primary_key_is_user_default_identities_and_partner() -> None:
    """The order of a user's MC service IDs says nothing."""
    assert b.primary_key(("sip:a@x", "sip:b@x"), LENT, "mc1") == b.primary_key(("sip:b@x", "sip:a@x"), LENT, "mc1")
    assert b.primary_key(("sip:a@x",), LENT, "mc1") != b.primary_key(("sip:a@x",), LENT, "mc3")


def test_the_partner_key_is_primary_mms_and_migration_set() -> None:
    assert b.partner_key("mms.mc1.lab", PRIMARY) != b.partner_key("mms.mc3.lab", PRIMARY)
    assert b.partner_key("mms.mc1.lab", PRIMARY) != b.partner_key("mms.mc1.lab", LENT)
