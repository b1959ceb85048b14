"""What an operator would import for a crowd is what both MMSs take, and what the generator is told."""

import pytest

from lab.load.generator import Order
from lab.scenarios.storms import binding_entry, order_of
from lab.scenarios.system_steps import Storm
from lab.supervisor.process import ProgramFailure
from lab.topology import Topology, load_topology
from mmserver.messages import BindingEntry, Role


def topology() -> Topology:
    settings = {"crowd.home": "mc1", "crowd.partner": "mc2", "crowd.users": 3}
    return load_topology(settings=settings).restricted_to(("mc1", "mc2"), ("ue1",))


def test_a_binding_fits_together_at_both_sides() -> None:
    lab = topology()
    member = next(lab.crowd_of("mc1"))
    primary, partner = (BindingEntry(**binding_entry(lab, member, system)) for system in ("mc1", "mc2"))
    assert (primary.role, partner.role) == (Role.PRIMARY, Role.PARTNER)
    assert partner.counterpart == primary.identities
    assert primary.counterpart.private_user_identity == member.isim.private_user_identity
    assert partner.identities.private_user_identity == member.partner.private_user_identity
    assert primary.provisioned


def test_the_generator_is_told_where_the_ue_and_its_p_cscf_are() -> None:
    order = Order.model_validate(order_of(topology(), Storm("ue1", "migrated", 50.0, for_s=4.0)))
    assert (order.address, order.p_cscf) == ("10.77.2.21", ("10.77.2.10", 5060))
    assert (order.rate, order.for_s, order.side) == (50.0, 4.0, "migrated")
    native = Order.model_validate(order_of(topology(), Storm("ue1", "native", 50.0)))
    assert (native.address, native.p_cscf[0]) == ("10.77.1.21", "10.77.1.10")


def test_a_lab_without_a_crowd_says_so() -> None:
    with pytest.raises(ProgramFailure, match="no crowd"):
        order_of(load_topology(), Storm("ue1", "native", 50.0))
