"""Pages and entries of the feed as lent sets: JSON as ``mmserver.messages.FeedPage`` and ``FeedEntry`` describe it.

Read by hand: building those models costs the start-up half of its budget, and validating a million entries several
times what this does.  A test holds it against the models.
"""

import json
from datetime import datetime
from sys import intern
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
    began: int
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
            _integer(body.get("began", 0)),
            tuple(_lent_set(entry) for _, entry in entries if not entry.get("deleted")),
            tuple((binding, _integer(entry["version"])) for binding, entry in entries if entry.get("deleted")),
        )
    except (ValueError, KeyError, TypeError, AttributeError) as exc:
        raise FeedError(f"feed page: {type(exc).__name__}: {exc}") from exc


class FeedRows(NamedTuple):
    """A large page: its rows are read in slices by ``read_rows``; see ``mmserver.messages.FeedRows``."""

    range_domain: str
    range_prefix: str
    version: int
    reset: bool
    complete: bool
    began: int
    rows: list[Any]


def parse_rows(octets: bytes) -> FeedRows:
    """Return a large page of the feed, its rows still unread.

    Raises:
        FeedError: it is none.
    """
    try:
        body = json.loads(octets)
        lent_range, rows = body["lent_range"], body["rows"]
        if type(rows) is not list:
            raise TypeError("rows: wanted a list")
        domain, prefix = _text(lent_range["domain"]), _text(lent_range["prefix"])
        return FeedRows(
            domain,
            prefix,
            _integer(body["version"]),
            body["reset"] is True,
            body["complete"] is True,
            _integer(body.get("began", 0)),
            rows,
        )
    except (ValueError, KeyError, TypeError, AttributeError) as exc:
        raise FeedError(f"feed rows: {type(exc).__name__}: {exc}") from exc


def read_rows(rows: list[Any]) -> tuple[list[LentSet], list[tuple[str, int]]]:
    """Return what rows change and what they delete: five times as fast as entries with names.

    Raises:
        FeedError: one of them is none.
    """
    changes, deletions = [], []
    try:
        for binding, version, deleted, role, system, enabled, not_after_s, provisioned, mine, theirs in rows:
            if type(binding) is not str or type(version) is not int or type(not_after_s) is not float:
                raise TypeError(f"row of {binding!r}")
            if deleted is True:
                deletions.append((binding, version))
                continue
            if role != "primary" and role != "partner":
                raise ValueError(f"role {role!r}")
            changes.append(
                LentSet(
                    binding,
                    version,
                    role == "primary",
                    intern(_text(system)),
                    enabled is True,
                    not_after_s,
                    _octets(mine),
                    _octets(theirs),
                    provisioned is True,
                )
            )
    except (ValueError, TypeError, AttributeError) as exc:
        raise FeedError(f"feed rows: {type(exc).__name__}: {exc}") from exc
    return changes, deletions


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
    if role != "primary" and role != "partner":
        raise ValueError(f"role {role!r}")
    not_after = datetime.fromisoformat(_text(entry["not_after"]))
    if not_after.tzinfo is None:
        raise ValueError("not_after without a time zone")
    return LentSet(
        _text(entry["binding"]),
        _integer(entry["version"]),
        role == "primary",
        intern(_text(entry["other_mc_system"])),
        entry["enabled"] is True,
        not_after.timestamp(),
        _identities(entry["identities"]),
        _identities(entry["counterpart"]),
        entry.get("provisioned") is True,
    )


def _identities(body: dict[str, Any]) -> Identities:
    publics = body["public_user_identities"]
    if type(publics) is not list:
        raise TypeError("public_user_identities: wanted a list")
    return _octets([body["private_user_identity"], *publics])


def _octets(texts: list[str]) -> Identities:
    """Return a set as the octets of its AVPs, in canonical form."""
    if type(texts) is not list or not 2 <= len(texts) <= IDENTITIES_MAX + 1:
        raise ValueError(f"a set holds 1 to {IDENTITIES_MAX} public user identities")
    identities = []
    for text in texts:
        if type(text) is not str or not 0 < len(text) <= _IDENTITY_OCTETS_MAX:
            raise ValueError(f"wanted a text of 1 to {_IDENTITY_OCTETS_MAX} octets")
        octets = text.encode()
        # ``canonical`` changes nothing in what is in lower case: only the rest is taken apart.
        identities.append(octets if octets.islower() else canonical(octets))
    return tuple(identities)


def _text(value: object) -> str:
    if type(value) is not str or not 0 < len(value) <= _IDENTITY_OCTETS_MAX or not _is_encodable(value):
        raise ValueError(f"wanted a text of 1 to {_IDENTITY_OCTETS_MAX} octets")
    return value


def _is_encodable(value: str) -> bool:
    """Say whether it has octets: JSON can have half of a surrogate pair."""
    try:
        return value.isascii() or bool(value.encode())
    except UnicodeEncodeError:
        return False


def _integer(value: object) -> int:
    if type(value) is not int:
        raise ValueError("wanted a whole number")
    return value
