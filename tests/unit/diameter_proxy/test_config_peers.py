"""Rows of ``[[peers]]`` and ``[[routing.rules]]`` become what node and proxy take."""

import pytest
from pydantic import ValidationError

from diameter_proxy.config_groups import AllowTable
from diameter_proxy.config_peers import HidingTable, PeerTable, RuleTable, neighbour, peer_config, routing_rule
from diameter_proxy.routing import Source

ROW = {"host": "DRA.transit", "realm": "transit", "group": "partner", "allow_plain": True}


def test_an_agent_becomes_a_neighbour_without_a_system():
    row = PeerTable(**ROW, vouches_for={"mc2": "IMS.mc2.lab"}, weight=3, addresses=["10.0.0.0/8"])
    found = neighbour(row, lambda: 0.0, HidingTable())
    assert (found.source, found.system, found.vouches_for) == (Source.PARTNER, "", {b"ims.mc2.lab": "mc2"})
    assert (found.weight, found.permit) == (3, None)
    assert peer_config(row).may_come_from("10.1.2.3")


def test_limits_become_a_permit():
    for limit in ({"commands": ["MAR"]}, {"origin_realms": ["r"]}, {"identity_domains": ["d"]}, {"requests_per_s": 1}):
        assert neighbour(PeerTable(**ROW, system="mc2", **limit), lambda: 0.0, HidingTable()).permit is not None


def test_a_silent_row_takes_the_limits_of_its_group_and_each_peer_has_its_own_bucket():
    groups = {"partner": AllowTable(vouches_for={"mc2": "IMS.mc2.lab"}, requests_per_s=1, burst=1)}
    first, second = (neighbour(PeerTable(**ROW), lambda: 0.0, HidingTable(), groups) for _ in range(2))
    assert first.vouches_for == {b"ims.mc2.lab": "mc2"}
    assert first.limits[0] == "requests_per_s = 1 (groups.partner)"
    assert first.permit is not None
    assert first.permit is not second.permit


def test_a_partner_with_a_system_of_its_own_vouches_for_no_other():
    groups = {"partner": AllowTable(vouches_for={"mc3": "ims.mc3.lab"})}
    found = neighbour(PeerTable(**ROW, system="mc2"), lambda: 0.0, HidingTable(), groups)
    assert (found.system, found.vouches_for, found.limits) == ("mc2", {}, ())


def test_a_rule_names_commands_by_their_codes():
    rule = routing_rule(RuleTable(name="one", peers=["HSS-b.lab"], commands=["MAR", "UAR"], realm="R.lab"))
    assert (rule.peers, rule.commands, rule.realm) == (("hss-b.lab",), {300, 303}, b"r.lab")


def test_a_group_is_hidden_from_and_a_peer_of_it_may_be_excepted(tmp_path):
    key = tmp_path / "hiding.key"
    key.write_bytes(b"k" * 32)
    hiding = HidingTable(keys=[key], groups=["agent"])
    assert hiding.secrets == (b"k" * 32,)
    row = {"host": "dra.mc2.lab", "realm": "ims.mc2.lab", "group": "agent"}
    rows = (row, {**row, "hide_names": False}, {**row, "group": "hss"}, {**row, "group": "hss", "hide_names": True})
    assert [neighbour(PeerTable(**row), lambda: 0.0, hiding).hides_names for row in rows] == [True, False, False, True]


def test_a_partner_is_hidden_from_anyway():
    with pytest.raises(ValidationError, match="no name of the inside ever crosses CSC-Y"):
        PeerTable(**ROW, system="mc2", hide_names=False)


def test_a_key_that_is_too_short_is_refused(tmp_path):
    key = tmp_path / "hiding.key"
    key.write_bytes(b"k" * 31)
    with pytest.raises(ValidationError, match=r"hiding\.key has 31 octets, 32 are needed"):
        HidingTable(keys=[key])
