"""What can go wrong in the UE agent.

    UeError
    ├── ConfigError        the configuration file or an argument is at fault (ours to mend; exit 2)
    ├── UsageError         a command asks for what cannot be, e.g. a system without configuration (the caller's)
    ├── StoreError         a state file cannot be read or written, or NOTE 3 of 10.1.X.1 would be broken (ours)
    ├── StackError         the SIP stack cannot start, or has ended (ours)
    │   └── HookError      this pjsua2 cannot do AKA: not the build that the hook knows (ours)
    ├── RegistrationError  REGISTER ended without 200 (the network's answer)
    ├── MessageError       MESSAGE ended without 2xx (the network's answer)
    ├── CallError          a call did not come to be (the network's answer)
    ├── NoMedia            a call is there, and RTP is not (the other side's, or the way's)
    └── HttpError          an HTTP server cannot be reached, or its answer is no answer (theirs)
        ├── TokenRefused   the identity management server refused (RFC 6749 §5.2)
        └── StepRefused    the configuration management server refused: problem details (RFC 9457)

``members()`` is what the ``done`` event of a failed command carries. No message holds a key or a token.
"""

from typing import Any, Final


class UeError(Exception):
    """Anything that a command of the UE agent may end in."""

    def members(self) -> dict[str, Any]:
        """Return the members of a ``done`` event: ``reason`` and what else is known."""
        return {"reason": str(self)}


class ConfigError(UeError):
    """The configuration file, or what it names, is not usable."""


class UsageError(UeError):
    """A command that is unknown, malformed, or makes no sense now."""


class StoreError(UeError):
    """The state directory cannot give or keep what it should."""


class StackError(UeError):
    """The SIP stack cannot start, or its process has ended."""


class HookError(StackError):
    """AKA cannot be had from this pjsua2."""


class SipRefusal(UeError):
    """A SIP request ended without success.

    Attributes:
        status: SIP status code, 0 where there was none.
    """

    def __init__(self, status: int, reason: str) -> None:
        """Keep the status line."""
        super().__init__(reason)
        self.status = status

    def members(self) -> dict[str, Any]:
        """Return ``reason`` and the SIP ``status``."""
        return {"reason": str(self), "status": self.status}


class RegistrationError(SipRefusal):
    """REGISTER ended without 200."""


class MessageError(SipRefusal):
    """MESSAGE ended without 2xx."""


# fmt: off
CALL_REFUSALS: Final = {
    404: "not-found", 604: "not-found",
    408: "no-response", 504: "no-response",
    480: "unavailable", 503: "unavailable",
    486: "busy", 600: "busy",
    487: "no-answer",
    488: "no-common-media", 606: "no-common-media",
    403: "forbidden",
    603: "declined",
}
"""Why a call did not come to be, by its last status (RFC 3261 §21)."""
# fmt: on


class CallError(SipRefusal):
    """A call did not come to be.

    Attributes:
        name: why, as ``CALL_REFUSALS`` has it; ``refused`` for any other status.
        detail: the words of the status line.
    """

    def __init__(self, status: int, detail: str) -> None:
        """Name the refusal."""
        self.name = CALL_REFUSALS.get(status, "refused")
        super().__init__(status, self.name)
        self.detail = detail

    def members(self) -> dict[str, Any]:
        """Return ``reason`` (its name), ``status`` and ``detail``."""
        return {"reason": self.name, "status": self.status, "detail": self.detail}


class NoMedia(UeError):
    """RTP did not come in time, one way or both."""


class HttpError(UeError):
    """An HTTP server did not answer, or not as its specification says."""


class TokenRefused(HttpError):
    """The identity management server refused (RFC 6749 §5.2).

    Attributes:
        status: HTTP status.
        error: the error code, e.g. ``invalid_grant``.
        detail: the error's description.
    """

    def __init__(self, status: int, error: str, detail: str) -> None:
        """Keep what the server said."""
        super().__init__(error)
        self.status, self.error, self.detail = status, error, detail

    def members(self) -> dict[str, Any]:
        """Return ``reason`` (the error code), ``status`` and ``detail``."""
        return {"reason": self.error, "status": self.status, "detail": self.detail}


class StepRefused(HttpError):
    """The configuration management server refused, with problem details.

    Attributes:
        status: HTTP status.
        problem_type: the stable URI of the kind of refusal.
        title: what the kind means.
        detail: why this one.
        step: the step of 10.1.X.1 that refused, e.g. ``10.1.X.1-2``.
    """

    def __init__(self, status: int, problem_type: str, title: str, detail: str, step: str | None) -> None:
        """Keep the members of the problem."""
        super().__init__(title)
        self.status, self.problem_type, self.title, self.detail, self.step = status, problem_type, title, detail, step

    def members(self) -> dict[str, Any]:
        """Return ``reason`` (the title), ``status``, ``type``, ``detail`` and ``step``."""
        return {
            "reason": self.title,
            "status": self.status,
            "type": self.problem_type,
            "detail": self.detail,
            "step": self.step,
        }
