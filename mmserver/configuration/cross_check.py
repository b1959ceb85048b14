"""Our agreements beside those of our own migration management server, which has to know each partner too (steps 5, 10).

An agreement over the admin API is refused where that server does not know the partner: every migration would be
refused.  Everything else is said and nothing more: that the two differ in services, realms or servers, or that nobody
could be asked.  Whoever narrows an agreement in need must not be held up by the state of another server.
"""

import asyncio
from collections.abc import Callable, Iterable, Iterator
from typing import Final, Protocol

import structlog

from mmserver.configuration.catalogue import Catalogue
from mmserver.configuration.errors import EntryNotUsable
from mmserver.configuration.peer import PeerFailure
from mmserver.configuration.terms import Partner
from mmserver.messages import AgreementAtMms

RETRY_S: Final = 2.0
UNKNOWN: Final = (
    "the migration management server has no agreement with {name}: add it to [[partners]] of its mms.toml, "
    "then have that read (mmserver migration reload)"
)
NOT_CHECKED: Final = "not checked against the migration management server: {why}"

log = structlog.get_logger()


class AgreementsAtMms(Protocol):
    """The part of CSC-X that is asked."""

    async def agreements(self) -> list[AgreementAtMms]:
        """Return the agreements in force there; raises PeerFailure."""


class CrossCheck:
    """Holds the agreements in force, or one that is to be, against those of the migration management server."""

    def __init__(self, mms: AgreementsAtMms, current: Callable[[], Catalogue], *, retry_s: float = RETRY_S) -> None:
        self._mms = mms
        self._current = current
        self._retry_s = retry_s
        self._answered = True
        self._due = asyncio.Event()
        self._due.set()

    async def require_known(self, partner: Partner) -> tuple[str, ...]:
        """Return what to say about an agreement that is to be put in force.

        Raises:
            EntryNotUsable: the migration management server answers, and does not know the partner.
        """
        try:
            at_mms = await self._mms.agreements()
        except PeerFailure as exc:
            log.warning("agreement.unchecked", partner=partner.name, why=str(exc))
            return (NOT_CHECKED.format(why=exc),)
        if partner.name not in {one.name for one in at_mms}:
            raise EntryNotUsable(UNKNOWN.format(name=partner.name))
        found = tuple(differences((partner,), at_mms))
        _say(found)
        return tuple(map(_sentence, found))

    async def find(self) -> tuple[str, ...]:
        """Return each difference of the agreements in force.

        Raises:
            PeerFailure: the migration management server cannot be asked.
        """
        return tuple(map(_sentence, await self._find()))

    async def review(self) -> tuple[str, ...]:
        """Write each difference of the agreements in force to the log, and return them; never fails.

        Where the migration management server cannot be asked now, ``run`` asks again until it can.
        """
        try:
            found = await self._find()
        except PeerFailure as exc:
            if self._answered:
                log.warning("agreements.unchecked", why=str(exc))
            self._answered = False
            self._due.set()
            return (NOT_CHECKED.format(why=exc),)
        self._answered = True
        _say(found)
        log.info("agreements.checked", agreements=len(self._current().partners), differences=len(found))
        return tuple(map(_sentence, found))

    async def run(self) -> None:
        """Review at the start, and again after a review that nobody answered, until cancelled."""
        while True:
            await self._due.wait()
            self._due.clear()
            await self.review()
            if self._due.is_set():
                await asyncio.sleep(self._retry_s)

    async def _find(self) -> tuple[tuple[str, str], ...]:
        partners = self._current().partners
        return tuple(differences(partners.values(), await self._mms.agreements())) if partners else ()


def differences(partners: Iterable[Partner], at_mms: Iterable[AgreementAtMms]) -> Iterator[tuple[str, str]]:
    """Yield partner and difference: what one of the two servers has agreed and the other has not."""
    theirs = {one.name: one for one in at_mms}
    for partner in partners:
        other = theirs.get(partner.name)
        if other is None:
            yield partner.name, UNKNOWN.format(name=partner.name)
            continue
        yield from ((partner.name, text) for text in _compared(partner, other))


def _compared(partner: Partner, at_mms: AgreementAtMms) -> Iterator[str]:
    pairs: tuple[tuple[str, Iterable[str], Iterable[str]], ...] = (
        ("services", partner.services, at_mms.services),
        ("realms", partner.realms, at_mms.realms),
    )
    if partner.migration_management_servers:  # without one nobody comes in at step 8, whatever step 10 would say
        pairs += (
            (
                "migration_management_servers",
                partner.migration_management_servers,
                at_mms.migration_management_servers,
            ),
        )
    for what, ours, theirs in pairs:
        here, there = ({one.lower() for one in some} for some in (ours, theirs))
        if here != there:
            yield f"{what}: {_listed(here)} here, {_listed(there)} in mms.toml"


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))


def _sentence(found: tuple[str, str]) -> str:
    return f"agreement {found[0]}: {found[1]}"


def _say(found: Iterable[tuple[str, str]]) -> None:
    for partner, why in found:
        log.warning("agreement.differs", partner=partner, why=why)
