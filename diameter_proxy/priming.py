"""An own UAR before the first MAR of a pair, for an HSS that wants one (``hss.prime_with_uar``; Open5GS).

TS 29.228 §6.1.1 has the I-CSCF ask before an S-CSCF does; the migrated user's I-CSCF asked in the partner system, and
his own HSS never heard of it.  The UAR names our own network as the visited one.  It goes out once for each pair, again
after a MAA 5002 or when the HSS has come back with another Origin-State-Id: then it has forgotten.
"""

from collections.abc import Callable
from typing import Final

from diameter_proxy.diameter import dictionary as d
from diameter_proxy.diameter.commands import CX, TGPP, UAR
from diameter_proxy.diameter.message import encode_request
from diameter_proxy.diameter.values import AuthSessionState
from diameter_proxy.diameter.wire import encode_avp
from diameter_proxy.forwarding import Forwarder
from diameter_proxy.hot_path import Pending, locate
from diameter_proxy.peers import Neighbours
from diameter_proxy.routing import Route
from diameter_proxy.settings import Settings

PAIRS_MAX: Final = 65536
WAITING_MAX: Final = 16

Pair = tuple[bytes, bytes]
Waiting = tuple[str, bytes, float]
"""Who asked, the octets, and when."""

_APPLICATION: Final = d.VENDOR_SPECIFIC_APPLICATION_ID.encode(
    d.VENDOR_ID.encode(TGPP) + d.AUTH_APPLICATION_ID.encode(CX)
)


class Priming:
    """Which pairs the HSS has had a UAR for, and the requests that wait for one."""

    def __init__(
        self,
        settings: Settings,
        neighbours: Neighbours,
        forwarder: Forwarder,
        next_end_to_end: Callable[[], int],
        clock: Callable[[], float],
    ) -> None:
        self.uars_sent = 0
        self._settings = settings
        self._neighbours = neighbours
        self._forwarder: Final = forwarder
        self._next_end_to_end: Final = next_end_to_end
        self._clock: Final = clock
        self._primed_s: dict[Pair, float] = {}
        self._waiting: dict[Pair, list[Waiting]] = {}
        self._state_ids: dict[str, int] = {}

    def reconfigure(self, settings: Settings, neighbours: Neighbours) -> None:
        """Take over other peers and settings."""
        self._settings, self._neighbours = settings, neighbours

    def is_ready(self, pair: Pair) -> bool:
        """Say whether a MAR of this pair may go out: the HSS wants no UAR, or has had one."""
        return pair in self._primed_s or not self._settings.prime_with_uar

    def begin(
        self,
        pair: Pair,
        waiting: Waiting,
        candidates: tuple[str, ...],
        deadline_s: float,
        go_on: Callable[[list[Waiting], bytes | None], None],
    ) -> bool:
        """Keep a request until the HSS has answered a UAR of this pair; say no when too many wait for it already.

        ``go_on`` gets all that wait, and the UAA, or None where no answer came in time.
        """
        others = self._waiting.get(pair)
        if others is not None:
            if len(others) >= WAITING_MAX:
                return False
            others.append(waiting)
            return True
        self._waiting[pair] = [waiting]
        self.uars_sent += 1

        def answered(uaa: bytes | None) -> None:
            if uaa is not None:
                self._note(pair)
            go_on(self._waiting.pop(pair), uaa)

        uar = self._uar(pair, self._neighbours.by_host[candidates[0]].realm if candidates else "")
        self._forwarder.start(
            Pending(
                source="",
                asked=uar,
                found=locate(uar),
                route=Route.HSS,
                command=UAR.code,
                sent=uar,
                candidates=candidates,
                started_s=self._clock(),
                deadline_s=deadline_s,
                learns=pair[0],
                own=answered,
            )
        )
        return True

    def must_repeat(self, pair: Pair, started_s: float) -> bool:
        """Forget a pair of which the HSS says 5002; say whether that is worth another UAR, which it is once."""
        primed_s = self._primed_s.get(pair)
        if primed_s is None or primed_s >= started_s:
            return False
        del self._primed_s[pair]
        return True

    def peer_opened(self, peer: str, origin_state_id: int | None) -> None:
        """Forget everything when an HSS has lost its state (RFC 6733 §8.16)."""
        if origin_state_id is None:
            return
        if self._state_ids.get(peer, origin_state_id) != origin_state_id:
            self._primed_s.clear()
        self._state_ids[peer] = origin_state_id

    def drop(self, peer: str) -> None:
        """Forget what a peer asked over a connection that is no more; the UARs go on."""
        for pair, others in self._waiting.items():
            self._waiting[pair] = [waiting for waiting in others if waiting[0] != peer]

    def _note(self, pair: Pair) -> None:
        self._primed_s.pop(pair, None)
        while len(self._primed_s) >= PAIRS_MAX:
            del self._primed_s[next(iter(self._primed_s))]
        self._primed_s[pair] = self._clock()

    def _uar(self, pair: Pair, realm: str) -> bytes:
        settings, number = self._settings, self._next_end_to_end()
        session_id = f"{settings.origin_host};{int(self._clock())};{number};prime"
        avps = (
            d.SESSION_ID.encode(session_id),
            _APPLICATION,
            d.AUTH_SESSION_STATE.encode(AuthSessionState.NO_STATE_MAINTAINED),
            d.ORIGIN_HOST.encode(settings.origin_host),
            d.ORIGIN_REALM.encode(settings.origin_realm),
            d.DESTINATION_REALM.encode(realm),
            encode_avp(d.USER_NAME.code, pair[0]),
            encode_avp(d.PUBLIC_IDENTITY.code, pair[1], TGPP),
            d.VISITED_NETWORK_IDENTIFIER.encode(settings.visited_network.encode()),
        )
        return encode_request(UAR, end_to_end=number, avps=avps)
