"""Who is known here: subscribers, their identity sets, and which of them a request names under each mode.

The checks of User-Name and Public-Identity that open every Cx procedure (TS 29.228 §6.1.1.1, §6.1.2.1, §6.3.1, steps
1 and 2). It holds no registration state.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from diameter_proxy.diameter.result_codes import ExperimentalResultCode
from lab.systems.hss.config import InitialFilterCriterion, Mode, UserTable
from lab.systems.hss.errors import Refusal
from mmserver.identity import InvalidIdentity, parse_impi, parse_impu
from ue_agent.aka.milenage import Milenage, opc_of

_IMSI_NAI = re.compile(r"[0-9]{14,15}@.+", re.ASCII)


@dataclass(frozen=True, slots=True)
class Subscriber:
    """One K with its generator of sequence numbers, shared by all identity sets of the user."""

    name: str
    milenage: Milenage = field(repr=False)
    amf: bytes
    visited_networks: frozenset[str] | None
    barred: bool
    ifc: tuple[InitialFilterCriterion, ...]


@dataclass(frozen=True, slots=True)
class IdentitySet:
    """A private identity and its implicit registration set, the default public identity first."""

    subscriber: Subscriber
    private_user_identity: str
    public_user_identities: tuple[str, ...]


class Directory:
    """All identity sets, by private and by public identity."""

    def __init__(self, sets: Iterable[IdentitySet]) -> None:
        """Index ``sets``; a public identity may stand in several of them (several UEs of a user)."""
        self._by_impi = {row.private_user_identity: row for row in sets}
        self._by_impu: dict[str, list[IdentitySet]] = {}
        for row in self._by_impi.values():
            for impu in row.public_user_identities:
                self._by_impu.setdefault(impu, []).append(row)

    def __iter__(self) -> Iterator[IdentitySet]:
        return iter(self._by_impi.values())

    def pair(self, mode: Mode, private_user_identity: str, public_user_identity: str) -> IdentitySet:
        """Return the set that both identities belong to.

        Raises:
            Refusal: 5001, one of them is unknown; 5002, they do not belong together (TS 29.228 §6.2.2).
        """
        found = self.by_impi(mode, private_user_identity)
        if mode is Mode.NO_ASSOCIATION:
            return found
        self.by_impu(mode, public_user_identity)
        if normal_impu(public_user_identity) not in found.public_user_identities:
            raise Refusal(
                "the identities do not belong together", experimental=ExperimentalResultCode.ERROR_IDENTITIES_DONT_MATCH
            )
        return found

    def by_impi(self, mode: Mode, private_user_identity: str) -> IdentitySet:
        """Return the set of a private identity.

        Raises:
            Refusal: 5001.
        """
        try:
            found = self._by_impi.get(parse_impi(private_user_identity))
        except InvalidIdentity:
            found = None
        if found is None or not _is_known(mode, found):
            raise Refusal("no such private user identity", experimental=ExperimentalResultCode.ERROR_USER_UNKNOWN)
        return found

    def by_impu(self, mode: Mode, public_user_identity: str) -> tuple[IdentitySet, ...]:
        """Return the sets that hold a public identity, at least one.

        Raises:
            Refusal: 5001.
        """
        rows = self._by_impu.get(normal_impu(public_user_identity), [])
        found = tuple(row for row in rows if _is_known(mode, row))
        if not found:
            raise Refusal("no such public user identity", experimental=ExperimentalResultCode.ERROR_USER_UNKNOWN)
        return found


def directory_of(users: Iterable[UserTable]) -> Directory:
    """Return the directory that a configuration describes."""
    return Directory(
        IdentitySet(subscriber, row.private_user_identity, row.public_user_identities)
        for user in users
        for subscriber in [_subscriber(user)]
        for row in user.impis
    )


def normal_impu(text: str) -> str:
    """Return a public identity as the directory spells it, or nothing when it is none."""
    try:
        return parse_impu(text)
    except InvalidIdentity:
        return ""


def _subscriber(user: UserTable) -> Subscriber:
    k = bytes.fromhex(user.k)
    opc = opc_of(k, bytes.fromhex(user.op)) if user.op is not None else bytes.fromhex(user.opc or "")
    networks = None if user.visited_networks is None else frozenset(user.visited_networks)
    return Subscriber(user.name, Milenage(k, opc), bytes.fromhex(user.amf), networks, user.barred, user.ifc)


def _is_known(mode: Mode, row: IdentitySet) -> bool:
    return mode is not Mode.IMSI_ONLY or _IMSI_NAI.fullmatch(row.private_user_identity) is not None
