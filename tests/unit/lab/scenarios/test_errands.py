"""What an administrator would enter for a user who is provisioned beforehand is what the MMSs take."""

from lab.scenarios.errands import binding_entries
from lab.topology import load_topology
from mmserver.messages import BindingEntry, Role


def test_a_binding_is_entered_at_both_sides_and_fits_together() -> None:
    topology = load_topology()
    entries = {system: BindingEntry(**entry) for system, entry in binding_entries(topology, "ue1", "mc2").items()}
    primary, partner = entries["mc1"], entries["mc2"]
    assert (primary.role, partner.role) == (Role.PRIMARY, Role.PARTNER)
    assert (primary.other_mc_system, partner.other_mc_system) == ("mc2", "mc1")
    assert partner.counterpart == primary.identities
    assert primary.counterpart.private_user_identity == topology.users["alice"].isim.private_user_identity
    assert partner.migration_management_server == primary.migration_management_server == "mms.mc1.lab"
    assert primary.provisioned
