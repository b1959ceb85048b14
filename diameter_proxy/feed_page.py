"""Pages and entries of the feed as lent sets: JSON as ``mmserver.messages.FeedPage`` and ``FeedEntry`` describe it.

Read by hand: building those models costs the start-up half of its budget, and validating a million entries several
times what this does.  A test holds it against the models.
"""

import json
from datetime import datetime
from typing import Any, Final, NamedTuple

from diameter_proxy.identity_map import Identities, LentSet, canonical

IDENTITIES_MAX: Final = 16
_IDENTITY_OCTETS_MAX: Final = 255


class FeedError(Exception):
    """What came is no page or entry of the feed."""


class FeedPage(NamedTuple):
    """Changes after a version; see ``mmserver.messages.FeedPage``."""

    range_domain: str
    range_prefix: str
    version: int
    reset: bool
    complete: bool
    changes: tuple[LentSet, ...]
    deletions: tuple[tuple[str, int], ...]


def parse_page(octets: bytes) -> FeedPage:
    """Return a page of the feed.

    Raises:
        FeedError: it is none.
    """
    try:
        body = json.loads(octets)
        lent_range = body["lent_range"]
        entries = [(_text(entry["binding"]), entry) for entry in body["entries"]]
        return FeedPage(
            _text(lent_range["domain"]),
            _text(lent_range["prefix"]),
            _integer(body["version"]),
            body["reset"] is True,
            body["complete"] is True,
            tuple(_lent_set(entry) for _, entry in entries if not entry.get("deleted")),
            tuple((binding, _integer(entry["version"])) for binding, entry in entries if entry.get("deleted")),
        )
    except (ValueError, KeyError, TypeError, AttributeError) as exc:
        raise FeedError(f"feed page: {type(exc).__name__}: {exc}") from exc


def parse_entry(octets: bytes) -> LentSet | None:
    """Return the entry of a look-up, or None when it says that the binding is no more.

    Raises:
        FeedError: it is no entry.
    """
    try:
        entry = json.loads(octets)
        return None if entry.get("deleted") else _lent_set(entry)
    except (ValueError, KeyError, TypeError, AttributeError) as exc:
        raise FeedError(f"feed entry: {type(exc).__name__}: {exc}") from exc


def _lent_set(entry: dict[str, Any]) -> LentSet:
    role = entry["role"]
    if role not in ("primary", "partner"):
        raise ValueError(f"role {role!r}")
    not_after = datetime.fromisoformat(_text(entry["not_after"]))
    if not_after.tzinfo is None:
        raise ValueError("not_after without a time zone")
    return LentSet(
        binding=_text(entry["binding"]),
        version=_integer(entry["version"]),
        is_primary=role == "primary",
        other_mc_system=_text(entry["other_mc_system"]),
        enabled=entry["enabled"] is True,
        not_after_s=not_after.timestamp(),
        identities=_identities(entry["identities"]),
        counterpart=_identities(entry["counterpart"]),
        provisioned=entry.get("provisioned") is True,
    )


def _identities(body: dict[str, Any]) -> Identities:
    publics = body["public_user_identities"]
    if not isinstance(publics, list) or not 1 <= len(publics) <= IDENTITIES_MAX:
        raise ValueError(f"a set holds 1 to {IDENTITIES_MAX} public user identities")
    texts = [_text(body["private_user_identity"]), *map(_text, publics)]
    return tuple(canonical(text.encode()) for text in texts)


def _text(value: object) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= _IDENTITY_OCTETS_MAX:
        raise ValueError(f"wanted a text of 1 to {_IDENTITY_OCTETS_MAX} octets")
    return value


def _integer(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise ValueError("wanted a whole number")
    return value
