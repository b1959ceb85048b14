"""``attach.toml``: an IMS core that is not the lab's, and where in its network our programs may be (docs/plug-in.md).

Read once and turned into settings of the lab's topology: the core becomes a system whose CSCFs and HSS are elsewhere.
Every error names the place in the file, and the mend where one is known.
"""

import tomllib
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Annotated, Any, Final, Self

from pydantic import Field, ValidationError, model_validator

from lab.topology import Domain, Name, Setting, Table, Uplink
from lab.topology_rules import refusal_of

LAB_SYSTEM: Final = "mc1"
"""The complete system of the lab's own at the other side."""
THEIRS: Final = ("pcscf", "icscf", "scscf", "hss")
OURS: Final = ("router", "proxy1", "proxy2", "mms", "cms", "idms", "ue")

SipUri = Annotated[str, Field(pattern=r"^sips?:[^\s<>\"]{1,250}$")]


class AttachError(ValueError):
    """The file cannot be used; the text is one line: place, what is wrong, and the mend."""


class Entity(Table):
    """One host of the core."""

    address: IPv4Address
    host: Annotated[Domain, Field(description="Its name: Diameter identity (Origin-Host) or FQDN.")]


class Core(Table):
    """``[core]``: the core as it is."""

    name: Annotated[Name, Field(description="A short name for it as an MC system; not mc1.")]
    network: Annotated[IPv4Network, Field(description="Its network; our hosts get addresses in it.")]
    home_domain: Annotated[Domain, Field(description="Home domain of SIP and Diameter realm.")]
    plmn: Annotated[str, Field(pattern=r"^[0-9]{5,6}$")]
    lent_prefix: Annotated[
        str, Field(pattern=r"^[a-z0-9\-]{1,32}$", description="No user of yours has a name with it.")
    ] = "mig-"
    server_name: Annotated[SipUri, Field(description="Server-Name of the S-CSCF, to the letter.")]
    pcscf: Entity
    icscf: Entity
    scscf: Entity
    hss: Entity
    hss_identities: Annotated[
        str, Field(pattern="^(lent|default)$", description="default: the HSS knows IMSIs only (PyHSS, Open5GS).")
    ] = "default"
    prime_with_uar: Annotated[bool, Field(description="The HSS wants a UAR before a MAR (Open5GS).")] = False


class Attachment(Table):
    """The whole file."""

    core: Core
    ours: Annotated[
        dict[str, IPv4Address],
        Field(description="Free addresses of the core's network for router, proxy1, proxy2, mms, cms, idms, ue."),
    ]
    names: dict[str, Domain] = Field({}, description="Names of ours, where they are to have others.")
    uplink: Uplink

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.core.name == LAB_SYSTEM:
            raise ValueError(f"core.name: {LAB_SYSTEM} is the lab's own system; take another name")
        _all_named("ours", set(self.ours), set(OURS))
        _known("names", set(self.names), set(OURS) - {"router", "ue"})
        seen: dict[IPv4Address, str] = {}
        for place, address in self._addresses():
            if address not in self.core.network:
                raise ValueError(f"{place}: {address} is not in core.network {self.core.network}")
            if address in seen:
                raise ValueError(f"{place}: {address} is that of {seen[address]} already")
            seen[address] = place
        return self

    def _addresses(self) -> Iterator[tuple[str, IPv4Address]]:
        for role in THEIRS:
            yield f"core.{role}.address", self.entity(role).address
        for role, address in self.ours.items():
            yield f"ours.{role}", address

    def entity(self, role: str) -> Entity:
        """Return one host of the core."""
        return {"pcscf": self.core.pcscf, "icscf": self.core.icscf, "scscf": self.core.scscf, "hss": self.core.hss}[
            role
        ]


def load_attachment(path: Path) -> Attachment:
    """Return the file at ``path``.

    Raises:
        AttachError: it cannot be read, is not TOML, or says something impossible.
    """
    try:
        raw = tomllib.loads(path.read_text())
    except OSError as exc:
        raise AttachError(f"{path}: {exc.strerror}") from exc
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as exc:
        raise AttachError(f"{path.name}: {exc}") from exc
    try:
        return Attachment.model_validate(raw)
    except ValidationError as exc:
        raise AttachError(f"{path.name}: {refusal_of(exc, Attachment)}") from exc


def settings_of(attachment: Attachment, ue: str) -> dict[str, Setting]:
    """Return the settings that make the lab's topology: its own system, the core's, and an agreement both ways."""
    core, ours = attachment.core, attachment.ours
    system: dict[str, Any] = {
        "network": str(core.network),
        "home_domain": core.home_domain,
        "plmn": core.plmn,
        "lent_prefix": core.lent_prefix,
        "hss_identities": core.hss_identities,
        "prime_with_uar": core.prime_with_uar,
        "server_name": core.server_name,
        "service_area": {"ecgi": [f"{core.plmn}-0000001"]},
        "elsewhere": list(THEIRS),
        "addresses": {role: str(attachment.entity(role).address) for role in THEIRS}
        | {ue if role == "ue" else role: str(address) for role, address in ours.items()},
        "names": {role: attachment.entity(role).host for role in THEIRS} | attachment.names,
        "uplink": attachment.uplink.model_dump(exclude_none=True),
        "agreements": {LAB_SYSTEM: {}},
    }
    return {
        f"systems.{core.name}": system,
        f"systems.{LAB_SYSTEM}.agreements.{core.name}": {},
        # The lab's user needs no set of the pool for a partner that nobody knew before.
        f"systems.{LAB_SYSTEM}.primary_allocation": "random",
        f"systems.{LAB_SYSTEM}.hss_identities": "default",
    }


def location_in(attachment: Attachment) -> dict[str, Any]:
    """Return a location inside the core's service area."""
    return {"ecgi": f"{attachment.core.plmn}-0000001"}


def _all_named(place: str, given: set[str], wanted: set[str]) -> None:
    _known(place, given, wanted)
    if missing := sorted(wanted - given):
        raise ValueError(f"{place}: {', '.join(missing)} missing: each needs a free address of core.network")


def _known(place: str, given: set[str], wanted: set[str]) -> None:
    if unknown := sorted(given - wanted):
        raise ValueError(f"{place}.{unknown[0]}: nothing of ours; there are {', '.join(sorted(wanted))}")
