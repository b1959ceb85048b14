"""A crowd: many subscribers of one system, made from a number and a seed, with the sets that they migrate with.

The HSS, both migration management servers and the load generator each make the same crowd from the same few values, so
that no list of keys travels.  Pure; these are keys of a lab.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field

from mmserver.identity import SipIdentities, parse_sip_identities

USERS_MAX: Final = 100_000
_ALPHABET: Final = "abcdefghijklmnopqrstuvwxyz234567"
_OPAQUE_CHARACTERS: Final = 20


class Crowd(BaseModel):
    """``[crowd]`` of the topology: so many users of ``home``, each with a binding for ``partner``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    home: Annotated[str, Field(description="Their primary MC system.")]
    partner: Annotated[str, Field(description="The partner MC system that they are lent to.")]
    users: Annotated[int, Field(ge=1, le=USERS_MAX)]
    seed: Annotated[str, Field(pattern=r"^[A-Za-z0-9]{1,32}$", description="Another seed makes another crowd.")] = "1"


@dataclass(frozen=True, slots=True)
class Place:
    """What the identities of one system look like."""

    home_domain: str
    plmn: str
    lent_prefix: str


@dataclass(frozen=True, slots=True)
class Member:
    """One subscriber: K and OPc, the ISIM's set, the primary migration set and the partner set."""

    name: str
    k: bytes = field(repr=False)
    opc: bytes = field(repr=False)
    isim: SipIdentities
    primary: SipIdentities
    partner: SipIdentities

    @property
    def mc_service_id(self) -> str:
        """The MC service id: no identity of the ISIM, for it goes where those may not."""
        return f"sip:{self.name}@mc.{self.isim.private_user_identity.partition('@')[2]}"


def members(crowd: Crowd, home: Place, partner: Place) -> Iterator[Member]:
    """Yield the crowd, always the same for the same values."""
    for number in range(1, crowd.users + 1):
        yield member(crowd, number, home, partner)


def member(crowd: Crowd, number: int, home: Place, partner: Place) -> Member:
    """Return one of the crowd by its number, from 1."""
    name = f"crowd-{number:06d}"
    return Member(
        name=name,
        k=_octets(crowd, "k", number)[:16],
        opc=_octets(crowd, "opc", number)[:16],
        isim=_set(f"{home.plmn}{9_000_000_000 + number:010d}", name, home),
        primary=_opaque(crowd, "primary", number, home),
        partner=_opaque(crowd, "partner", number, partner),
    )


def _opaque(crowd: Crowd, kind: str, number: int, place: Place) -> SipIdentities:
    octets = _octets(crowd, kind, number)[:_OPAQUE_CHARACTERS]
    user = place.lent_prefix + "".join(_ALPHABET[octet & 31] for octet in octets)
    return _set(user, user, place)


def _set(private: str, public: str, place: Place) -> SipIdentities:
    return parse_sip_identities(f"{private}@{place.home_domain}", [f"sip:{public}@{place.home_domain}"])


def _octets(crowd: Crowd, kind: str, number: int) -> bytes:
    return hashlib.sha256(f"{crowd.seed}.{kind}.{number}".encode()).digest()
