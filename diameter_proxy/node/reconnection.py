"""When to connect again: Tc, with back-off (RFC 6733 §2.1), and not where we are not wanted (§5.4.3)."""

from math import inf

from diameter_proxy.node.config import NodeConfig


class Reconnection:
    """The timer Tc of one peer that we connect to; for one that is only accepted it never comes due."""

    def __init__(self, config: NodeConfig, *, connects: bool) -> None:
        self.due = 0.0 if connects else inf
        self.wait_s = config.reconnect_s
        self._config = config
        self._connects = connects
        self._said = ""

    def begin(self) -> None:
        """Rest while an attempt is under way or the peer is there."""
        self.due = inf

    def stop(self) -> None:
        """Make no attempt any more."""
        self._connects = False
        self.due = inf

    def succeeded(self) -> None:
        """Begin with the shortest wait again: the peer may be used."""
        self.wait_s = self._config.reconnect_s
        self._said = ""

    def unwanted(self) -> None:
        """Wait long: only a DPR of cause REBOOTING invites a new attempt (RFC 6733 §5.4)."""
        self.wait_s = self._config.reconnect_unwanted_s

    def failed(self, now: float, reason: str) -> bool:
        """Set Tc; return whether this reason is news, so that it is logged once and not at each attempt."""
        if not self._connects:
            return False
        self.due = now + self.wait_s
        if self.wait_s < self._config.reconnect_max_s:
            self.wait_s = min(self.wait_s * 2, self._config.reconnect_max_s)
        is_news, self._said = reason != self._said, reason
        return is_news
