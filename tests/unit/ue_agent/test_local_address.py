"""Host, port and source address toward a P-CSCF."""

import pytest

from ue_agent.errors import StackError
from ue_agent.local_address import host_and_port, local_address_toward


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("sip:10.77.1.10:5060", ("10.77.1.10", 5060)),
        ("sip:pcscf.mc1.lab", ("pcscf.mc1.lab", 5060)),
        ("sip:[::1]:5070;transport=tcp;lr", ("::1", 5070)),
    ],
)
def test_host_and_port(uri, expected) -> None:
    assert host_and_port(uri) == expected


@pytest.mark.parametrize("uri", ["", "10.0.0.1", "sip:", "sip:a@b", "sip:h:99999", "sip:h:0", "sips:h"])
def test_what_is_no_p_cscf(uri) -> None:
    with pytest.raises(StackError):
        host_and_port(uri)


def test_the_loopback_is_reached_from_itself() -> None:
    assert local_address_toward("sip:127.0.0.1:5060") == "127.0.0.1"
