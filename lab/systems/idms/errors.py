"""What the identity management server refuses, and how it says so (RFC 6749 §5.2, RFC 8693 §2.2.2).

    OAuthError                    carries error, description, status
        InvalidRequest            a parameter is missing, repeated or malformed
        InvalidClient             no such client
        InvalidGrant              credentials, code, refresh token or assertion refused
        InvalidScope              nothing of what was asked may be granted
        InvalidTarget             the audience of a token exchange is no partner
        UnsupportedGrantType      no such grant here
        TemporarilyUnavailable    a memory is full; nothing is forgotten to make room
    NotAToken                     a JWT that does not verify; becomes one of the above

All are the caller's fault but the last but one, and each becomes an answer, never a traceback.
"""


class OAuthError(Exception):
    """A refusal of the token or authorization endpoint.

    Attributes:
        error: code of RFC 6749 §5.2.
        status: HTTP status of the answer.
        description: what was found and wanted, for people; holds no secret.
    """

    error = "invalid_request"
    status = 400

    def __init__(self, description: str) -> None:
        super().__init__(description)
        self.description = description


class InvalidRequest(OAuthError):
    """A parameter is missing, repeated or malformed."""


class InvalidClient(OAuthError):
    """The client is not registered here."""

    error = "invalid_client"
    status = 401


class InvalidGrant(OAuthError):
    """Credentials, code, refresh token, subject token or assertion are refused."""

    error = "invalid_grant"


class InvalidScope(OAuthError):
    """Nothing of the scope may be granted."""

    error = "invalid_scope"


class InvalidTarget(OAuthError):
    """The audience of a token exchange is no configured partner (RFC 8693 §2.2.2)."""

    error = "invalid_target"


class UnsupportedGrantType(OAuthError):
    """No such grant here."""

    error = "unsupported_grant_type"


class TemporarilyUnavailable(OAuthError):
    """A bounded memory is full of entries that may not be forgotten yet."""

    error = "temporarily_unavailable"
    status = 503


class NotAToken(Exception):
    """The text is not a token that was signed by the expected key for the expected use."""
