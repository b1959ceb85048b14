"""Following one identity for a bounded time: what came, what was decided, where it went, what came back.

Nothing is followed unless somebody asks; then the hot path does one look-up per message more.  Events hold no identity
but the one that was asked for, and no key.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from diameter_proxy.identity_map import canonical

SECONDS_MIN: Final = 1.0
SECONDS_MAX: Final = 300.0
SECONDS: Final = 30.0
IDENTITY_CHARACTERS_MAX: Final = 255
FOLLOWED_MAX: Final = 8
MESSAGES_MAX: Final = 1000

Listener = Callable[[dict[str, Any]], None]


class TraceRefused(Exception):
    """Too many identities are being followed, or what was asked for cannot be."""


def wanted(asked: Mapping[str, Any]) -> tuple[str, float]:
    """Return who is to be followed and for how long, of a JSON object that somebody sent.

    Raises:
        TraceRefused: that is no identity, or no time within the bounds (NaN is JSON to Python).
    """
    identity, seconds = asked.get("identity"), asked.get("seconds", SECONDS)
    if not isinstance(identity, str) or not 0 < len(identity) <= IDENTITY_CHARACTERS_MAX or not _is_text(identity):
        raise TraceRefused(f"identity: 1 to {IDENTITY_CHARACTERS_MAX} characters are wanted")
    is_number = isinstance(seconds, int | float) and not isinstance(seconds, bool)
    if not is_number or not SECONDS_MIN <= seconds <= SECONDS_MAX:
        raise TraceRefused(f"seconds: a number from {SECONDS_MIN:g} to {SECONDS_MAX:g} is wanted")
    return identity, float(seconds)


def _is_text(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:  # a lone surrogate
        return False
    return True


class Tracer:
    """Who is followed, and by whom.

    Attributes:
        is_active: somebody is followed; all that the hot path asks.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self.is_active = False
        self._clock: Final = clock
        self._followed: dict[bytes, tuple[float, Listener]] = {}
        self._messages: dict[bytes, bytes] = {}
        """Identities by the End-to-End Identifier of the requests that named them."""

    def follow(self, identity: str, seconds: float, listener: Listener) -> None:
        """Tell a listener of everything about an identity, for so long.

        Raises:
            TraceRefused: too many are followed, or somebody follows this one.
        """
        key = canonical(identity.encode())
        if len(self._followed) >= FOLLOWED_MAX or key in self._followed:
            raise TraceRefused(f"at most {FOLLOWED_MAX} identities are followed at a time, each once")
        self._followed[key] = (self._clock() + min(seconds, SECONDS_MAX), listener)
        self.is_active = True

    def stop(self, identity: str) -> None:
        """Follow an identity no more."""
        self._followed.pop(canonical(identity.encode()), None)
        self.is_active = bool(self._followed)
        if not self.is_active:
            self._messages.clear()

    def request(self, end_to_end: bytes, identities: Iterable[bytes], **fields: Any) -> None:
        """Note a request and what was decided on it, if it names somebody who is followed."""
        named = next((one for one in identities if one in self._followed), None)
        if named is None:
            return
        if len(self._messages) >= MESSAGES_MAX:
            del self._messages[next(iter(self._messages))]
        self._messages[end_to_end] = named
        self._tell(named, event="request", end_to_end=end_to_end.hex(), **fields)

    def message(self, event: str, end_to_end: bytes, **fields: Any) -> None:
        """Note what became of a request that was noted."""
        named = self._messages.get(end_to_end)
        if named is not None:
            self._tell(named, event=event, end_to_end=end_to_end.hex(), **fields)

    def _tell(self, named: bytes, **fields: Any) -> None:
        followed = self._followed.get(named)
        if followed is None:
            return
        until_s, listener = followed
        if self._clock() < until_s:
            listener({"at_s": round(self._clock(), 4), **fields})
