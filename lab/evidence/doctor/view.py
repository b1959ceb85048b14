"""What a doctor sees of a capture, and who is who in it: by the run's facts, else by what each address does."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from lab.evidence.doctor.attempts import MAR, SAR, UAR, Attempt, hops_of
from lab.evidence.doctor.authorisations import Authorisation
from lab.evidence.doctor.connections import Connection
from lab.evidence.doctor.isim import IsimKeys
from lab.evidence.facts import RunFacts
from lab.evidence.messages import Capture, DiameterMessage

CAPABILITIES_EXCHANGE: Final = 257
LENT_PREFIX: Final = "mig-"
DIAMETER_PORTS: Final = frozenset({3868, 5868, 5658})


@dataclass(frozen=True, slots=True)
class View:
    """A capture as a doctor looks at it.

    Attributes:
        facts: of a run of ours; None for a capture from elsewhere.
        notes: what could not be read, a line each.
        isims: keys by UE of the run; under the empty name those that were given for any UE.
    """

    capture: Capture
    attempts: tuple[Attempt, ...]
    connections: tuple[Connection, ...] = ()
    facts: RunFacts | None = None
    roles: Mapping[str, str] | None = None
    notes: tuple[str, ...] = ()
    isims: Mapping[str, IsimKeys] = field(default_factory=dict)
    authorisations: tuple[Authorisation, ...] = ()

    @property
    def failed(self) -> tuple[Attempt, ...]:
        """The registrations that did not succeed."""
        return tuple(attempt for attempt in self.attempts if attempt.has_failed)

    @property
    def refused(self) -> tuple[Authorisation, ...]:
        """The service authorisations that did not succeed."""
        return tuple(one for one in self.authorisations if one.has_failed)

    @property
    def diameter_ports(self) -> frozenset[int]:
        """The ports of Diameter servers: those registered, and those that Diameter was seen on."""
        requests = [m for m in self.capture.diameter if m.is_request and m.command_code == CAPABILITIES_EXCHANGE]
        return DIAMETER_PORTS | {m.frame.destination_port for m in requests}

    @property
    def diameter_streams(self) -> frozenset[int]:
        """The TCP connections in which Diameter could be read."""
        return frozenset(m.frame.stream for m in self.capture.diameter)

    def name(self, address: str) -> str:
        """Return what people call an address: its host in a run of ours, else its role and the address."""
        if self.facts is not None:
            name = self.facts.names().get(address)
            return name.removesuffix(".lab") if name else address
        role = (self.roles or {}).get(address)
        return f"{role} {address}" if role else address

    def isim_of(self, address: str) -> IsimKeys | None:
        """Return the keys of the UE at an address, where they are known."""
        name = self.facts.names().get(address, "") if self.facts else ""
        return self.isims.get(name) or self.isims.get("")

    def is_lent(self, identity: str) -> bool:
        """Tell an identity of a lent range: by the run's prefixes, else by the prefix that is the default."""
        prefixes = {system.lent_prefix for system in self.facts.systems} if self.facts else {LENT_PREFIX}
        return identity.removeprefix("sip:").startswith(tuple(prefixes))

    def exchanges_of_capabilities(self, address: str) -> list[DiameterMessage]:
        """Return the CERs and CEAs that an address sent or got."""
        return [
            m
            for m in self.capture.diameter
            if m.command_code == CAPABILITIES_EXCHANGE and address in (m.frame.source, m.frame.destination)
        ]


def infer_roles(
    capture: Capture, attempts: tuple[Attempt, ...], authorisations: tuple[Authorisation, ...] = ()
) -> dict[str, str]:
    """Return address -> role, from behaviour alone; what does nothing of a role has none."""
    roles = {one.server: "MC service server" for one in authorisations}
    for attempt in attempts:
        roles[attempt.ue] = "UE"
        roles.setdefault(attempt.edge, "P-CSCF")
    hops = hops_of(capture.diameter)
    received = {(hop.request.frame.destination, hop.request.end_to_end) for hop in hops}
    sent = {(hop.request.frame.source, hop.request.end_to_end) for hop in hops}
    for hop in hops:
        request = hop.request
        if (request.frame.source, request.end_to_end) in received:
            roles[request.frame.source] = "Diameter agent"
        elif request.command_code in (MAR, SAR):
            roles[request.frame.source] = "S-CSCF"
        elif request.command_code == UAR and roles.get(request.frame.source) != "S-CSCF":
            roles[request.frame.source] = "I-CSCF"
        if (request.frame.destination, request.end_to_end) not in sent:
            # Who only ever answers errors may as well be an agent.
            if 2000 <= hop.code < 3000:
                roles[request.frame.destination] = "HSS"
            roles.setdefault(request.frame.destination, "Cx server")
    return roles
