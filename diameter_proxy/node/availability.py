"""Whether a peer may be used, told to the program when it changes (RFC 3539 §3.4.1, Failover and Failback)."""

from collections.abc import Callable

from diameter_proxy.diameter.capabilities import Capabilities
from diameter_proxy.diameter.peer import State
from diameter_proxy.diameter.watchdog import WatchdogState
from diameter_proxy.node.config import PeerConfig
from diameter_proxy.node.events import PeerEvent, PeerEventKind


class Availability:
    """What was last said of one peer."""

    def __init__(self, peer: PeerConfig, tell: Callable[[PeerEvent], None], on_open: Callable[[], None]) -> None:
        self._peer = peer
        self._tell = tell
        self._on_open = on_open
        self._announced = PeerEventKind.CLOSED

    def announce(self, state: State, watchdog: WatchdogState, reason: str, remote: Capabilities | None) -> None:
        """Tell the program how the peer stands, when that is news."""
        kind = kind_of(state, watchdog)
        if kind is self._announced:
            return
        self._announced = kind
        if kind is PeerEventKind.OPEN:
            self._on_open()
        state_id = remote.origin_state_id if remote else None
        self._tell(PeerEvent(self._peer.host, self._peer.group, kind, reason, state_id))


def kind_of(state: State, watchdog: WatchdogState) -> PeerEventKind:
    """Return what a peer in this state is to the program."""
    if state.is_open and watchdog is WatchdogState.OKAY:
        return PeerEventKind.OPEN
    if state.is_open and watchdog is WatchdogState.SUSPECT:
        return PeerEventKind.SUSPECT
    return PeerEventKind.CLOSED
