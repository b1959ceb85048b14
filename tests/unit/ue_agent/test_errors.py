"""Members of a failed command's ``done``."""

import pytest

from ue_agent import errors


@pytest.mark.parametrize(
    ("error", "members"),
    [
        (errors.UsageError("not so"), {"reason": "not so"}),
        (errors.RegistrationError(403, "Forbidden"), {"reason": "Forbidden", "status": 403}),
        (errors.MessageError(404, "Not Found"), {"reason": "Not Found", "status": 404}),
        (errors.CallError(486, "Busy Here"), {"reason": "busy", "status": 486, "detail": "Busy Here"}),
        (errors.CallError(499, "Odd"), {"reason": "refused", "status": 499, "detail": "Odd"}),
        (errors.NoMedia("no media"), {"reason": "no media"}),
        (errors.TokenRefused(400, "invalid_grant", "d"), {"reason": "invalid_grant", "status": 400, "detail": "d"}),
        (
            errors.StepRefused(403, "urn:t", "Title", "d", "10.1.X.1-2"),
            {"reason": "Title", "status": 403, "type": "urn:t", "detail": "d", "step": "10.1.X.1-2"},
        ),
    ],
    ids=lambda value: type(value).__name__,
)
def test_members_say_what_is_known(error, members) -> None:
    assert error.members() == members
    assert isinstance(error, errors.UeError)
