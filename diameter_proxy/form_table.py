"""The forms of the express lane that were learnt, by peer and length.  Runs as plain Python and compiled."""

from typing import Final

from diameter_proxy.forms import Form

FORMS_MAX: Final = 4
"""Forms of one length from one peer."""
LENGTHS_MAX: Final = 64
LEARNT_A_TICK_MAX: Final = 16


class Forms:
    """The forms that were learnt, by peer and length; few of each, and few new ones of a peer in a tick."""

    def __init__(self) -> None:
        self.by_peer: dict[str, dict[int, list[Form]]] = {}
        """The forms of a peer by length."""
        self._learnt: dict[str, int] = {}

    def may_learn(self, peer: str) -> bool:
        """Say whether one more form may be made of what comes from a peer."""
        learnt = self._learnt[peer] = self._learnt.get(peer, 0) + 1
        return learnt <= LEARNT_A_TICK_MAX

    def add(self, peer: str, data: bytes, form: Form) -> None:
        """Keep a form; of too many the oldest goes."""
        by_length = self.by_peer.setdefault(peer, {})
        if len(data) not in by_length and len(by_length) >= LENGTHS_MAX:
            del by_length[next(iter(by_length))]
        others = [other for other in by_length.get(len(data), ()) if not form.is_like(other)]
        by_length[len(data)] = [form, *others[: FORMS_MAX - 1]]

    def clear(self) -> None:
        """Forget all: what they rest on has changed."""
        self.by_peer.clear()

    def sweep(self) -> None:
        """Begin a new tick."""
        self._learnt.clear()
