"""The routing table is total: each row of DESIGN, and 3001 for whatever no row names."""

import itertools

import pytest

from diameter_proxy.ownership import Owner
from diameter_proxy.routing import COMMANDS, LIR, MAR, PPR, RTR, SAR, TABLE, UAR, Refusal, Route, Source, decide

C, H, M, P = Source.CSCF, Source.HSS, Source.MMS, Source.PARTNER
ROWS = [
    # source, commands, owners, outcome
    (C, (UAR, SAR, LIR, MAR), (Owner.OWN,), Route.HSS),
    (C, (MAR,), (Owner.LENT,), Route.PARTNER),
    (C, (UAR, SAR, LIR), (Owner.LENT,), Route.LENT_DATABASE),
    (C, (SAR, LIR), (Owner.UNBOUND, Owner.EXPIRED, Owner.DISABLED), Route.LENT_DATABASE),
    (C, (UAR, MAR), (Owner.UNBOUND, Owner.EXPIRED), 5001),
    (C, (UAR,), (Owner.DISABLED,), 5004),
    (C, (MAR,), (Owner.DISABLED,), 5001),
    (C, (UAR, SAR, LIR, MAR), (Owner.FOREIGN,), 5001),
    (C, (UAR, SAR, LIR, MAR), (Owner.MIXED,), 5002),
    (P, (MAR,), (Owner.LENT,), Route.HSS_AS_KNOWN),
    (P, (MAR,), (Owner.UNBOUND, Owner.EXPIRED, Owner.DISABLED, Owner.FOREIGN, Owner.OWN), 5001),
    (P, (MAR,), (Owner.MIXED,), 5002),
    (H, (RTR, PPR), (Owner.OWN,), Route.SCSCF),
    (H, (RTR, PPR), (Owner.LENT, Owner.FOREIGN, Owner.MIXED), 5001),
    (M, (RTR, PPR), (Owner.LENT,), Route.SCSCF),
    (M, (RTR, PPR), (Owner.OWN, Owner.FOREIGN, Owner.MIXED), 5001),
    (Source.AGENT, COMMANDS, (Owner.OWN,), Route.AGENT),
]
EXPECTED = {
    (source, command, owner): outcome
    for source, commands, owners, outcome in ROWS
    for command, owner in itertools.product(commands, owners)
}


@pytest.mark.parametrize("source", Source)
def test_every_source_command_and_owner_has_its_outcome(source):
    for command, owner in itertools.product((*COMMANDS, 306, 257), Owner):
        outcome = decide(source, command, owner)
        wanted = EXPECTED.get((source, command, owner))
        if wanted is None:
            assert outcome.result_code == 3001
        elif isinstance(wanted, Route):
            assert outcome is wanted
        else:
            assert (outcome.experimental, outcome.result_code) == (wanted, None)


def test_the_table_holds_nothing_else():
    assert set(TABLE) == set(EXPECTED)


def test_a_refusal_names_the_step_that_refuses():
    assert decide(C, MAR, Owner.UNBOUND).step == "10.6.2-4"
    assert decide(P, MAR, Owner.UNBOUND).step == "10.6.2-6"
    assert all(isinstance(row, Route | Refusal) for row in TABLE.values())
