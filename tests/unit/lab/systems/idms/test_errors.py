"""Refusals carry the code of RFC 6749 §5.2."""

import pytest

from lab.systems.idms import errors


@pytest.mark.parametrize(
    ("refusal", "error", "status"),
    [
        (errors.InvalidRequest, "invalid_request", 400),
        (errors.InvalidClient, "invalid_client", 401),
        (errors.InvalidGrant, "invalid_grant", 400),
        (errors.InvalidScope, "invalid_scope", 400),
        (errors.InvalidTarget, "invalid_target", 400),
        (errors.UnsupportedGrantType, "unsupported_grant_type", 400),
        (errors.TemporarilyUnavailable, "temporarily_unavailable", 503),
    ],
)
def test_each_refusal_has_its_code(refusal: type[errors.OAuthError], error: str, status: int) -> None:
    raised = refusal("why")
    assert (raised.error, raised.status, raised.description, str(raised)) == (error, status, "why", "why")
