"""What the MC service server refuses: a name, a SIP status, and what a person is told.

    Refusal                 carries name, status, reason phrase
        Malformed           400: what came is no whole REGISTER
        NotOfTheCore        403: from a host that is none of this core's
        MethodRefused       405: only REGISTER is served
        NotAuthorised       403 with warning 101 (TS 24.379 §4.4.2): its name says why
        IdmsUnavailable     504: the IdMS gives no keys, so that nothing can be judged now

All are answers, never a traceback; no text holds anything of a token.
"""

from typing import Literal

Why = Literal[
    "token-missing",
    "token-invalid",
    "token-expired",
    "wrong-issuer",
    "wrong-audience",
    "wrong-mc-service-id",
]


class Refusal(Exception):
    """A request that is not served."""

    name = "refused"
    status = 403
    phrase = "Forbidden"
    warning = ""


class Malformed(Refusal):
    """No whole request, or a body that is none."""

    name = "malformed"
    status = 400
    phrase = "Bad Request"


class NotOfTheCore(Refusal):
    """From a host outside the trust domain (TS 24.229 §4.4)."""

    name = "not-of-the-core"


class MethodRefused(Refusal):
    """Another method."""

    name = "method-refused"
    status = 405
    phrase = "Method Not Allowed"


class IdmsUnavailable(Refusal):
    """The issuer's keys cannot be had."""

    name = "idms-unavailable"
    status = 504
    phrase = "Server Time-out"


class NotAuthorised(Refusal):
    """Service authorisation failed (TS 24.379 §7.3.2)."""

    warning = "101 service authorisation failed"

    def __init__(self, name: Why, text: str) -> None:
        super().__init__(text)
        self.name = name
