"""Who the crowd of a storm is: each subscriber's three sets by number, and the number behind an identity.

The crowd is made again from its few values in ``run.json``, as every program of the lab makes it; no key is kept.
"""

import re
from collections.abc import Iterator
from typing import Final, Literal, NamedTuple, TypeAlias

from lab.evidence.facts import RunFacts, UeFacts
from lab.evidence.story import LentSets
from lab.load.crowd import Member, Place, member
from mmserver.identity import SipIdentities

Kind: TypeAlias = Literal["isim", "primary", "partner"]
KINDS: Final[tuple[Kind, ...]] = ("isim", "primary", "partner")


class Known(NamedTuple):
    """Whose an identity is, and of which set."""

    number: int
    kind: Kind


class Person(NamedTuple):
    """One of the crowd as a story needs it."""

    ue: UeFacts
    sets: LentSets


class People:
    """The crowd of one run."""

    def __init__(self, facts: RunFacts) -> None:
        assert facts.crowd is not None
        self.crowd: Final = facts.crowd
        self._home, self._partner = _place(facts, facts.crowd.home), _place(facts, facts.crowd.partner)
        self._addresses = tuple(address for ue in facts.ues for address in ue.addresses)
        self._known: dict[bytes, Known] = {}
        for ue in facts.ues:
            if ue.system == facts.crowd.home:
                for identity in (ue.private_user_identity, *ue.public_user_identities):
                    self._known[_bare(identity)] = Known(0, "isim")
        named = [re.escape(user) for user in self._known]
        for number in range(1, facts.crowd.users + 1):
            for kind, identities in _sets(self._member(number)):
                for identity in _all(identities):
                    self._known[_bare(identity)] = Known(number, kind)
        home, partner = (re.escape(f"@{place.home_domain}".encode()) for place in (self._home, self._partner))
        forms = (
            *named,
            rb"crowd-\d{6}" + home,
            re.escape(self._home.plmn).encode() + rb"9\d{9}" + home,
            re.escape(self._home.lent_prefix).encode() + rb"[a-z2-7]{20}" + home,
            re.escape(self._partner.lent_prefix).encode() + rb"[a-z2-7]{20}" + partner,
        )
        self._form: Final = re.compile(b"|".join(forms), re.IGNORECASE)

    def kinds_in(self, octets: bytes) -> Iterator[tuple[str, Known]]:
        """Yield the identities of the crowd, and of the UE that it is with, in some octets."""
        for found in set(self._form.findall(octets)):
            known = self._known.get(found.lower())
            if known is not None:
                yield found.decode(), known

    def number_of(self, identity: str | None) -> int | None:
        """Return whose an IMPI or IMPU is, where it is one of the crowd's."""
        known = self._known.get(_bare(identity)) if identity else None
        return known.number if known else None

    def person(self, number: int) -> Person:
        """Return one of the crowd."""
        one = self._member(number)
        ue = UeFacts.model_construct(
            name=one.name,
            system=self.crowd.home,
            mc_service_id=one.mc_service_id,
            private_user_identity=one.isim.private_user_identity,
            public_user_identities=one.isim.public_user_identities,
            addresses=self._addresses,
        )
        return Person(ue, LentSets(_all(one.primary), _all(one.partner), by_hand=True))

    def _member(self, number: int) -> Member:
        return member(self.crowd, number, self._home, self._partner)


def _place(facts: RunFacts, name: str) -> Place:
    system = facts.system(name)
    return Place(system.home_domain, system.plmn, system.lent_prefix)


def _sets(one: Member) -> tuple[tuple[Kind, SipIdentities], ...]:
    return (("isim", one.isim), ("primary", one.primary), ("partner", one.partner))


def _all(identities: SipIdentities) -> tuple[str, ...]:
    return (str(identities.private_user_identity), *map(str, identities.public_user_identities))


def _bare(identity: str) -> bytes:
    """Return an identity as both kinds have it: without scheme and parameters, in lower case."""
    return identity.removeprefix("sip:").partition(";")[0].lower().encode()
