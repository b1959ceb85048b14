"""What one peer may ask, and how often: an allow list and a token bucket, where the configuration has them.

The routing table says what a class of peers may ask at all; this only takes away.  Everything else is told by the
answer: 3001 for a command, 5003 for a realm or an identity, 3004 for too many requests (RFC 6733 §7.1).
"""

from collections.abc import Callable
from typing import Final

from diameter_proxy.diameter.result_codes import ResultCode
from diameter_proxy.hot_path import ORIGIN_REALM, PUBLIC_IDENTITY, USER_NAME, starts_of, value_at
from diameter_proxy.routing import Refusal

STEP: Final = "10.6.2-3"
_COMMAND: Final = Refusal("command not allowed to this peer", result_code=ResultCode.COMMAND_UNSUPPORTED, step=STEP)
_REALM: Final = Refusal(
    "Origin-Realm not allowed to this peer", result_code=ResultCode.AUTHORIZATION_REJECTED, step=STEP
)
_IDENTITY: Final = Refusal(
    "identity not allowed to this peer", result_code=ResultCode.AUTHORIZATION_REJECTED, step=STEP
)
_TOO_OFTEN: Final = Refusal("over the rate of this peer", result_code=ResultCode.TOO_BUSY, step=STEP)


class Permit:
    """The allow list and the token bucket of one peer; what is empty or 0 limits nothing."""

    def __init__(
        self,
        clock: Callable[[], float],
        *,
        commands: frozenset[int] = frozenset(),
        origin_realms: frozenset[bytes] = frozenset(),
        identity_domains: frozenset[bytes] = frozenset(),
        requests_per_s: float = 0.0,
        burst: int = 1,
    ) -> None:
        self._clock: Final = clock
        self._commands: Final = commands
        self._origin_realms: Final = origin_realms
        self.identity_domains: Final = identity_domains
        """In which each identity that is named must be; empty: in any."""
        self.requests_per_s: Final = requests_per_s
        """How many requests may come in a second; 0: any number."""
        self._burst: Final = float(burst)
        self._tokens = self._burst
        self._filled_s = clock()

    def refusal(self, command: int, data: bytes, found: list[int]) -> Refusal | None:
        """Return why a request of this peer is refused, or None."""
        if self.requests_per_s and not self.take(self._clock()):
            return _TOO_OFTEN
        return self.forbids(command, data, found)

    def forbids(self, command: int, data: bytes, found: list[int]) -> Refusal | None:
        """Return why the allow list refuses a request, whatever the rate, or None; nothing is counted."""
        if self._commands and command not in self._commands:
            return _COMMAND
        if self._origin_realms:
            realm = value_at(data, found[ORIGIN_REALM]).lower() if found[ORIGIN_REALM] else b""
            if realm not in self._origin_realms:
                return _REALM
        if self.identity_domains:
            for start in (*starts_of(found, USER_NAME), *starts_of(found, PUBLIC_IDENTITY)):
                if value_at(data, start).rpartition(b"@")[2].lower() not in self.identity_domains:
                    return _IDENTITY
        return None

    def take(self, now_s: float) -> bool:
        """Take a token for one request, at this moment of the clock; say whether there was one."""
        tokens = min(self._burst, self._tokens + (now_s - self._filled_s) * self.requests_per_s)
        self._filled_s = now_s
        self._tokens = tokens - 1 if tokens >= 1 else tokens
        return tokens >= 1

    def put_back(self) -> None:
        """Put a token back that was taken for nothing."""
        self._tokens += 1
