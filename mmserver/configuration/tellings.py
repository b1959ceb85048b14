"""What a partner is to be told about one binding over CSC-17, as a value: withdraw, restore or release; told or not."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from mmserver.messages import Binding, BindingState

FIRST_RETRY_S: Final = 1.0
RETRY_MAX_S: Final = 60.0
WHY_MAX: Final = 200


class Action(StrEnum):
    """What the partner is told.

    ``withdraw``: our user may not use it for now.  ``restore``: again.  ``release``: it is over.
    """

    WITHDRAW = "withdraw"
    RESTORE = "restore"
    RELEASE = "release"


@dataclass(frozen=True, slots=True)
class Telling:
    """One binding's standing with the partner; the newest action replaces an older one."""

    binding: Binding
    action: Action
    since: float
    attempts: int = 0
    tried_at: float | None = None
    told_at: float | None = None
    why: str = ""

    @property
    def partner(self) -> str:
        """The partner MC system that is to be told."""
        return self.binding.other_mc_system

    @property
    def pending(self) -> bool:
        """Whether the partner has not been told yet."""
        return self.told_at is None

    def told(self, now: float, why: str = "") -> "Telling":
        """Return it as told."""
        return replace(self, attempts=self.attempts + 1, tried_at=now, told_at=now, why=why[:WHY_MAX])

    def failed(self, now: float, why: str) -> "Telling":
        """Return it after one more attempt that failed."""
        return replace(self, attempts=self.attempts + 1, tried_at=now, why=why[:WHY_MAX])


def action_for(binding: Binding, before: Telling | None) -> Action | None:
    """Return what the partner has to learn of a binding as it is now, or None when nothing.

    An enabled binding is news only after a withdrawal; what was never withdrawn needs no restoring.
    """
    if binding.state is BindingState.QUARANTINED:
        return Action.RELEASE
    if not binding.enabled:
        return Action.WITHDRAW
    if before is not None and before.action is Action.WITHDRAW:
        return Action.RESTORE
    return None


def retry_after_s(attempts: int, chance: Callable[[], float]) -> float:
    """Return how long to wait after so many attempts: doubled each time, bounded, and spread by half either way."""
    base = min(RETRY_MAX_S, FIRST_RETRY_S * 2.0 ** min(attempts - 1, 10))
    return base * (0.5 + chance())
