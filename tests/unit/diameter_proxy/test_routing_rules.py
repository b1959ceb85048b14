"""Rules of the operator: the first that fits."""

import pytest

from diameter_proxy.hot_path import locate
from diameter_proxy.routing_rules import Rule, Rules

MAR = 303


@pytest.mark.parametrize(
    ("fields", "fits"),
    [
        ({}, True),
        ({"commands": frozenset({MAR})}, True),
        ({"commands": frozenset({300})}, False),
        ({"application": 16777216}, True),
        ({"application": 16777217}, False),
        ({"realm": b"ims.mc2.lab"}, True),
        ({"realm": b"ims.mc3.lab"}, False),
        ({"identity": "mig-*@ims.mc2.lab"}, True),
        ({"identity": "0010?*"}, False),
    ],
)
def test_each_field_narrows(made, fields, fits):
    message = made.mar()
    assert Rule("one", ("hss",), **fields).fits(MAR, message, locate(message)) is fits


def test_the_first_that_fits_is_taken(made):
    message = made.mar()
    rules = Rules([Rule("none", ("a",), identity="x*"), Rule("first", ("b",)), Rule("second", ("c",))])
    assert rules.first(MAR, message, locate(message)).name == "first"
    assert not Rules()
    assert Rules().first(MAR, message, locate(message)) is None
