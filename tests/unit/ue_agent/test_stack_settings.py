"""Settings of a SIP stack process."""

import dataclasses

import pytest

from ue_agent.stack_settings import StackSettings

SETTINGS = StackSettings("u@d", "sip:u@d", "d", "sip:10.0.0.1:5060", "10.0.0.2", 0, "udp", 600, "urn:uuid:1", "")


def test_json_there_and_back() -> None:
    assert StackSettings.from_json(SETTINGS.to_json()) == SETTINGS


@pytest.mark.parametrize("line", ["{", "{}", '{"x": 1}'])
def test_another_line_is_an_error(line) -> None:
    with pytest.raises((ValueError, TypeError)):
        StackSettings.from_json(line)


@pytest.mark.parametrize(
    ("p_cscf", "transport", "route"),
    [
        ("sip:h:5060", "udp", "sip:h:5060;lr"),
        ("sip:h", "tcp", "sip:h;transport=tcp;lr"),
        ("sip:h;transport=tcp;lr", "tcp", "sip:h;transport=tcp;lr"),
        ("sip:h;lr", "udp", "sip:h;lr"),
    ],
)
def test_route_is_loose_and_over_the_transport(p_cscf, transport, route) -> None:
    assert dataclasses.replace(SETTINGS, p_cscf=p_cscf, transport=transport).route == route


def test_contact_carries_instance_and_mc_feature_tags() -> None:
    """RFC 5626 §4.1, TS 24.379 §7.2.1."""
    assert SETTINGS.contact_parameters.startswith(';+sip.instance="<urn:uuid:1>";+g.3gpp.mcptt;+g.3gpp.icsi-ref=')
