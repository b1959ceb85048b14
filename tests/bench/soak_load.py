"""The load of ``soak``: an S-CSCF that asks at a rate, whether or not it is answered, and looks at every answer.

A request has its own user, Session-Id, Hop-by-Hop and End-to-End; an answer must have all of them, and the identities
that were asked for, and no other.
"""

import asyncio
import time
from collections import Counter
from typing import Final

from diameter_proxy.diameter.wire import apart
from diameter_proxy.node.config import NodeConfig, PeerConfig
from diameter_proxy.node.node import Node
from tests.bench.cx_templates import CLIENT_HOST, CLIENT_REALM, NUMBER, PARTNER, identities, mar

TICK_S: Final = 0.005
LAST_S: Final = 10.0
"""For so long after the last request an answer may come: the proxy's own deadline is 1.7 s."""
_RESULT: Final = bytes.fromhex("0000010c4000000c")
_SESSION_NUMBER: Final = b"^" * 8
_SHOWN: Final = 5


class Load:
    """Asks at ``rate`` requests a second of ``users`` users; counts what comes back."""

    def __init__(self, proxy: str, port: int, users: int, rate: float, outstanding_max: int) -> None:
        self.codes: Counter[int] = Counter()
        self.faults: list[str] = []
        self.sent = self.unsent = self.unanswered = 0
        self.latencies_ms: Counter[int] = Counter()
        self._proxy, self._users, self._rate, self._outstanding_max = proxy, users, rate, outstanding_max
        self._pieces: Final = mar()[20:].split(_SESSION_NUMBER)
        self._head: Final = mar()[:12]
        self._waiting: dict[int, tuple[bytes, bytes, float]] = {}
        peers = (PeerConfig(proxy, "proxy.example.org", connect=True, address="127.0.0.1", port=port),)
        config = NodeConfig(CLIENT_HOST, CLIENT_REALM, (), peers, reconnect_s=0.05, reconnect_max_s=0.2)
        self.node: Final = Node(
            config, lambda name, octets: None, lambda event: None, lambda name, octets: None, self._on_messages
        )

    async def run(self, for_s: float) -> None:
        """Ask for so long, then wait for what is still under way."""
        began = time.monotonic()
        due = 0
        while (now := time.monotonic()) < began + for_s:
            wanted = int((now - began) * self._rate)
            room = min(wanted - due, self._outstanding_max - len(self._waiting))
            self._ask(max(0, room))
            self.unsent += wanted - due - max(0, room)
            due = wanted
            await asyncio.sleep(TICK_S)
        end = time.monotonic() + LAST_S
        while self._waiting and time.monotonic() < end:  # noqa: ASYNC110 - the answers come in reads, by the dozen
            await asyncio.sleep(TICK_S)
        self.unanswered = len(self._waiting)

    def _ask(self, count: int) -> None:
        if not count:
            return
        made = []
        first = self.node.reserve_hop_by_hop(self._proxy, count)
        if first is None:
            self.unsent += count
            return
        now = time.monotonic()
        for number in range(self.sent, self.sent + count):
            user = b"%08d" % (number % self._users)
            session = b"%08x" % (number & 0xFFFFFFFF)
            hop_by_hop = (first + number - self.sent) & 0xFFFFFFFF
            end_to_end = (number & 0xFFFFFFFF).to_bytes(4, "big")
            body = session.join(self._pieces).replace(NUMBER.encode(), user)
            made.append(self._head + hop_by_hop.to_bytes(4, "big") + end_to_end + body)
            self._waiting[hop_by_hop] = (b"mig-%b@" % user, end_to_end + session, now)
        self.sent += count
        self.node.send_all(self._proxy, b"".join(made), count)

    def _on_messages(self, name: str, runs: list[bytes]) -> list[bytes]:
        now, messages = time.monotonic(), apart(runs)
        if messages[0][8:12] == bytes(4):
            return messages  # the base protocol's
        for answer in messages:
            asked = self._waiting.pop(int.from_bytes(answer[12:16], "big"), None)
            if asked is None:
                self._fault("an answer to nothing", answer)
                continue
            user, ids, since = asked
            self.latencies_ms[int((now - since) * 1000)] += 1
            start = answer.find(_RESULT)
            code = int.from_bytes(answer[start + 8 : start + 12], "big") if start > 0 else 0
            self.codes[code] += 1
            if answer[16:20] != ids[:4] or ids[4:] not in answer[20:120]:
                self._fault("another End-to-End or Session-Id", answer)
            elif answer.count(user) != 2 or answer.count(b"mig-") != 2:
                self._fault("another identity", answer)
            elif code != 2001 and not 3000 <= code < 4000:
                self._fault(f"result {code}", answer)
        return []

    def _fault(self, what: str, answer: bytes) -> None:
        self.faults.append(what)
        if len(self.faults) <= _SHOWN:
            print(f"fault: {what}: {answer.hex()}", flush=True)


def percentile(latencies_ms: Counter[int], share: float) -> int:
    """Return the latency in milliseconds below which so many answers came."""
    wanted, seen = share * latencies_ms.total(), 0
    for latency in sorted(latencies_ms):
        seen += latencies_ms[latency]
        if seen >= wanted:
            return latency
    return 0


assert identities(PARTNER, NUMBER)[0].startswith(f"mig-{NUMBER}@"), "answers are looked through for this"
