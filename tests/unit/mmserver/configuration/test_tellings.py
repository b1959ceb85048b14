"""What a partner has to learn of a binding."""

from datetime import UTC, datetime
from typing import Any

import pytest

from mmserver.configuration.tellings import RETRY_MAX_S, Action, Telling, action_for, retry_after_s
from mmserver.messages import Binding

SET = {"private_user_identity": "m@ims.mc1.lab", "public_user_identities": ["sip:m@ims.mc1.lab"]}


def binding(**changes: Any) -> Binding:
    body = {
        "binding": "b-1",
        "role": "primary",
        "state": "allocated",
        "enabled": True,
        "mc_service_ids": ["sip:alice@mc1.lab"],
        "other_mc_system": "mc2",
        "migration_management_server": "mms.mc1.lab",
        "identities": SET,
        "counterpart": SET,
        "valid_until": datetime(2027, 1, 1, tzinfo=UTC),
        "version": 1,
        **changes,
    }
    return Binding.model_validate(body)


@pytest.mark.parametrize(
    ("changes", "before", "action"),
    [
        ({}, None, None),
        ({}, Action.RESTORE, None),
        ({}, Action.RELEASE, None),
        ({}, Action.WITHDRAW, Action.RESTORE),
        ({"enabled": False}, None, Action.WITHDRAW),
        ({"enabled": False}, Action.RESTORE, Action.WITHDRAW),
        ({"state": "quarantined"}, None, Action.RELEASE),
        ({"state": "quarantined", "enabled": False}, Action.WITHDRAW, Action.RELEASE),
        ({"state": "held"}, None, None),
    ],
)
def test_what_follows_from_a_binding_and_what_was_said_of_it(
    changes: dict[str, Any], before: Action | None, action: Action | None
) -> None:
    said = Telling(binding(), before, 0.0) if before else None
    assert action_for(binding(**changes), said) is action


def test_attempts_are_counted_and_the_last_reason_kept() -> None:
    telling = Telling(binding(), Action.WITHDRAW, since=10.0)
    failed = telling.failed(11.0, "partner-unreachable")
    assert (failed.attempts, failed.tried_at, failed.why, failed.pending) == (1, 11.0, "partner-unreachable", True)
    told = failed.told(12.0)
    assert (told.attempts, told.told_at, told.why, told.pending, told.partner) == (2, 12.0, "", False, "mc2")
    assert len(telling.failed(0.0, "x" * 999).why) == 200


def test_waiting_doubles_is_bounded_and_spread() -> None:
    assert [retry_after_s(attempts, lambda: 0.5) for attempts in (1, 2, 3, 4)] == [1.0, 2.0, 4.0, 8.0]
    assert retry_after_s(10_000, lambda: 0.5) == RETRY_MAX_S
    assert (retry_after_s(1, lambda: 0.0), retry_after_s(1, lambda: 1.0)) == (0.5, 1.5)
