"""A row takes from the table of its group what it does not state, and says where each limit was stated."""

import pytest
from pydantic import ValidationError

from diameter_proxy.config_groups import AllowTable, check_groups, limits_in_words

GROUP = AllowTable(commands=["MAR", "UAR"], requests_per_s=200, burst=50)


def test_a_row_that_states_nothing_takes_all_that_its_group_states():
    whole = AllowTable().completed_by(GROUP)
    assert (whole.commands, whole.requests_per_s, whole.burst) == (("MAR", "UAR"), 200, 50)
    assert whole.origin_realms == ()


def test_what_a_row_states_is_its_own_even_when_it_is_nothing():
    row = AllowTable(commands=[], requests_per_s=7)
    whole = row.completed_by(GROUP)
    assert (whole.commands, whole.requests_per_s, whole.burst) == ((), 7, 50)
    assert limits_in_words(row, whole, "groups.cscf") == (
        "commands = any (its own row)",
        "requests_per_s = 7 (its own row)",
        "burst = 50 (groups.cscf)",
    )


def test_a_row_without_a_group_stays_as_it_is_and_a_key_may_be_left_out():
    row = AllowTable(identity_domains=["ims.mc2.lab"])
    assert row.completed_by(None) is row
    assert row.completed_by(GROUP, but=frozenset({"commands"})).commands == ()
    assert limits_in_words(row, row, "groups.hss") == ("identity_domains = ims.mc2.lab (its own row)",)


@pytest.mark.parametrize(
    ("stated", "words"),
    [
        ({}, ()),
        ({"burst": 5}, ()),
        ({"requests_per_s": 0, "burst": 5}, ("requests_per_s = no limit (groups.partner)",)),
        ({"vouches_for": {"mc2": "a", "mc3": "b"}}, ("vouches_for = mc2 mc3 (groups.partner)",)),
        ({"vouches_for": {}}, ("vouches_for = none (groups.partner)",)),
    ],
)
def test_a_burst_without_a_rate_limits_nothing_and_is_not_told(stated, words):
    row = AllowTable()
    assert limits_in_words(row, row.completed_by(AllowTable(**stated)), "groups.partner") == words


def test_only_partners_vouch_for_systems_and_each_realm_stands_for_one():
    vouches = {"mc2": "ims.mc2.lab"}
    check_groups({"partner": AllowTable(vouches_for=vouches), "cscf": GROUP})
    with pytest.raises(ValueError, match=r"^groups\.agent\.vouches_for: only a partner .* groups\.partner$"):
        check_groups({"agent": AllowTable(vouches_for=vouches)})
    with pytest.raises(ValidationError, match="one realm stands for two systems"):
        AllowTable(vouches_for={**vouches, "mc3": "IMS.mc2.lab"})
