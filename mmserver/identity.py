"""IMS identities as values: IMPI, IMPU and the sets that MC systems lend each other.

TS 23.003 §13.3 (private user identity), §13.4 (public user identity); TS 23.280 (CR) 7.4.2.2.X (sets).
A leaf: no I/O, and no opinion about who owns an identity.
"""

import re
from dataclasses import dataclass
from typing import NewType

Impi = NewType("Impi", str)
"""IMS private user identity, a NAI: ``user@realm``, the realm in lower case (TS 23.003 §13.3)."""

Impu = NewType("Impu", str)
"""IMS public user identity: ``sip:user@host`` with the host in lower case, or ``tel:+digits`` (TS 23.003 §13.4)."""

IDENTITY_OCTETS_MAX = 255
PUBLIC_USER_IDENTITIES_MAX = 16

_USER = r"[A-Za-z0-9\-_.!~*'()&=+$,;?/%]+"
_HOST = r"(?=.{1,253}$)[A-Za-z0-9](?:[A-Za-z0-9\-]*[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9\-]*[A-Za-z0-9])?)*"
_NAI = re.compile(rf"({_USER})@({_HOST})", re.ASCII)
_SIP = re.compile(rf"sip:({_USER})@({_HOST})", re.ASCII | re.IGNORECASE)
_TEL = re.compile(r"tel:\+?[0-9\-.()]{1,32}", re.ASCII | re.IGNORECASE)
_DOMAIN = re.compile(_HOST, re.ASCII)


class InvalidIdentity(ValueError):
    """The text is not an identity of the kind that was wanted."""


@dataclass(frozen=True, slots=True)
class SipIdentities:
    """One identity set: an IMPI and one or more IMPUs, in order (TS 23.280 CR, 7.4.2.2.X)."""

    private_user_identity: Impi
    public_user_identities: tuple[Impu, ...]

    def __post_init__(self) -> None:
        """Hold the set to 1..16 distinct IMPUs.

        Raises:
            InvalidIdentity: there is none, there are too many, or one stands twice.
        """
        count = len(self.public_user_identities)
        if not 1 <= count <= PUBLIC_USER_IDENTITIES_MAX:
            raise InvalidIdentity(
                f"a set holds 1 to {PUBLIC_USER_IDENTITIES_MAX} public user identities, found {count}"
            )
        if len(set(self.public_user_identities)) != count:
            raise InvalidIdentity("a public user identity stands twice in the set")

    @property
    def sip_uris(self) -> tuple[Impu, ...]:
        """The IMPUs with the scheme ``sip:``, the only ones that are mapped."""
        return tuple(impu for impu in self.public_user_identities if impu.startswith("sip:"))

    @property
    def mapped(self) -> tuple[Impi | Impu, ...]:
        """The identities that a binding pairs by position: the IMPI, then the IMPUs with the scheme ``sip:``."""
        return (self.private_user_identity, *self.sip_uris)


def parse_impi(text: str) -> Impi:
    """Return ``text`` as an IMPI, its realm in lower case.

    Raises:
        InvalidIdentity: it is not ``user@realm``, or is over 255 octets.
    """
    match = _NAI.fullmatch(text)
    if match is None or len(text) > IDENTITY_OCTETS_MAX:
        raise InvalidIdentity(f"private user identity {_shown(text)}: wanted user@realm")
    return Impi(f"{match[1]}@{match[2].lower()}")


def parse_impu(text: str) -> Impu:
    """Return ``text`` as an IMPU: scheme and host in lower case, the user part as it is.

    Raises:
        InvalidIdentity: it is neither ``sip:user@host`` nor ``tel:``, or is over 255 octets.
    """
    if len(text) <= IDENTITY_OCTETS_MAX:
        if match := _SIP.fullmatch(text):
            return Impu(f"sip:{match[1]}@{match[2].lower()}")
        if _TEL.fullmatch(text):
            return Impu(text.lower())
    raise InvalidIdentity(f"public user identity {_shown(text)}: wanted sip:user@host or tel:+number")


def parse_domain(text: str) -> str:
    """Return ``text`` as a domain name in lower case.

    Raises:
        InvalidIdentity: it is not a domain name of 1 to 253 octets.
    """
    if _DOMAIN.fullmatch(text) is None:
        raise InvalidIdentity(f"domain {_shown(text)}: wanted a name such as ims.example.org")
    return text.lower()


def parse_sip_identities(private_user_identity: str, public_user_identities: list[str]) -> SipIdentities:
    """Return the set made of these texts.

    Raises:
        InvalidIdentity: one of them is not an identity, or the set is empty, too large or holds one twice.
    """
    return SipIdentities(parse_impi(private_user_identity), tuple(parse_impu(impu) for impu in public_user_identities))


def domain_of(identity: Impi | Impu) -> str:
    """Return the part after ``@``, or an empty text for a ``tel:`` URI."""
    return identity.rpartition("@")[2] if "@" in identity else ""


def _shown(text: str) -> str:
    return repr(text if len(text) <= 64 else text[:61] + "...")
