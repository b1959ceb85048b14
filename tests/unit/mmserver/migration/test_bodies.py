"""Administrators' bodies hold what goes to logs and the audit trail to plain text."""

from datetime import UTC, datetime

import pytest
from pydantic import ValidationError

from mmserver.messages import Role
from mmserver.migration.bodies import WithdrawalRequest, audit_row


def test_a_withdrawal_is_of_own_users_unless_it_is_said() -> None:
    assert WithdrawalRequest(other_mc_system="mc2").role is Role.PRIMARY


@pytest.mark.parametrize(
    "change", [{"reason": "a\x00b"}, {"reason": "a\nb"}, {"mc_service_id": "no uri"}, {"other_mc_system": "MC 2"}]
)
def test_tricks_are_refused(change: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        WithdrawalRequest.model_validate({"other_mc_system": "mc2"} | change)


def test_a_row_of_the_store_becomes_a_body() -> None:
    row = {"id": 1, "at": 0.0, "handle": "b-1", "event": "e", "actor": "a", "reason": "", "state": "held"}
    row |= {"enabled": 1, "deregistration": "none", "version": 0, "role": "primary", "other_mc_system": "mc1"}
    body = audit_row(row | {"traceparent": ""}, datetime.fromtimestamp(0, UTC))
    assert (body.binding, body.enabled) == ("b-1", True)
