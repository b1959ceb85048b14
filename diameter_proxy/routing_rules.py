"""Rules of the operator for what would go to the HSS: by realm, application, command and identity, the first that fits.

Only requests that the table sends to the HSS unchanged, or along the default route, are asked about; a rule never opens
what the table refuses, and never touches a migrated user.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Final

from diameter_proxy.hot_path import DESTINATION_REALM, PUBLIC_IDENTITY, USER_NAME, value_at


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule; what is empty fits everything.

    Attributes:
        name: what ``explain`` calls it.
        identity: a pattern with ``*`` and ``?`` for the User-Name, or where there is none the Public-Identity.
        peers: who serves, in order.
    """

    name: str
    peers: tuple[str, ...]
    realm: bytes = b""
    application: int = 0
    commands: frozenset[int] = frozenset()
    identity: str = ""

    def fits(self, command: int, data: bytes, found: list[int]) -> bool:
        """Say whether the rule speaks of this request."""
        if self.commands and command not in self.commands:
            return False
        if self.application and int.from_bytes(data[8:12], "big") != self.application:
            return False
        if self.realm and value_at(data, found[DESTINATION_REALM]).lower() != self.realm:
            return False
        if not self.identity:
            return True
        start = found[USER_NAME] or found[PUBLIC_IDENTITY]
        return bool(start) and fnmatchcase(value_at(data, start).decode("utf-8", "replace"), self.identity)


class Rules:
    """All rules, in their order."""

    def __init__(self, rules: Iterable[Rule] = ()) -> None:
        self._rules: Final = tuple(rules)

    def __bool__(self) -> bool:
        return bool(self._rules)

    def first(self, command: int, data: bytes, found: list[int]) -> Rule | None:
        """Return the first rule that fits, or None."""
        return next((rule for rule in self._rules if rule.fits(command, data, found)), None)
