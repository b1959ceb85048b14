"""The rows of the commands."""

import pytest

from diameter_proxy.diameter import dictionary as d
from diameter_proxy.diameter.commands import ALL, BASE, BY_KEY, CX, MAR, CommandType
from diameter_proxy.diameter.wire import PROXIABLE, REQUEST


def named(command: CommandType) -> str:
    return command.name


@pytest.mark.parametrize("command", ALL, ids=named)
def test_flags_follow_from_name_and_application(command: CommandType) -> None:
    """Base commands are never proxiable (RFC 6733 §5), Cx ones always (TS 29.229 §6.1)."""
    assert command.is_request is command.name.endswith("R")
    assert bool(command.flags & PROXIABLE) is (command.application_id == CX)
    assert bool(command.flags & REQUEST) is command.is_request


@pytest.mark.parametrize("command", ALL, ids=named)
def test_no_avp_stands_twice_in_a_row(command: CommandType) -> None:
    avps = command.required + command.once + command.optional
    assert len({(avp.code, avp.vendor_id) for avp in avps}) == len(avps)


def test_requests_and_answers_come_in_pairs() -> None:
    assert len(BY_KEY) == len(ALL) == 18
    assert {key[:2] for key in BY_KEY if key[2]} == {key[:2] for key in BY_KEY if not key[2]}
    assert {command.code for command in ALL if command.application_id == BASE} == {257, 280, 282}


def test_mar_asks_for_what_ts_29_229_6_1_7_has() -> None:
    assert d.SIP_AUTH_DATA_ITEM in MAR.required
    assert BY_KEY[(303, CX, True)] is MAR
