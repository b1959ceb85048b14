"""What operators, attackers and bad luck do to the systems in a scenario, as data (``lab.scenarios.model``)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from lab.faults.fault import Fault


@dataclass(frozen=True, slots=True)
class EnterConnectionDetails:
    """Connection details that did not come over CSC-4 are put into the UE: what anybody could do to a UE of theirs.

    ``configured``: with the partner's initial UE configuration data, as an operator would provision a UE (NOTE 2).
    """

    ue: str
    partner: str
    private_user_identity: str
    public_user_identities: tuple[str, ...]
    configured: bool = False


@dataclass(frozen=True, slots=True)
class ChangeBindings:
    """Over CSC-X, as an administrator: release, disable or enable the bindings of one side, with one other system."""

    system: str
    action: Literal["release", "disable", "enable"]
    role: Literal["primary", "partner"]
    other_system: str = ""
    reason: str = "by hand"


@dataclass(frozen=True, slots=True)
class Withdraw:
    """Over CSC-X, as an administrator: migration is withdrawn from a UE's user for one partner (7.4.2.2.X, EXAMPLE)."""

    ue: str
    partner: str
    reason: str = "by hand"


@dataclass(frozen=True, slots=True)
class Restore:
    """Over CSC-X, as an administrator: the withdrawal of a UE's user for one partner is lifted."""

    ue: str
    partner: str
    reason: str = "by hand"


@dataclass(frozen=True, slots=True)
class ImportBinding:
    """Over CSC-X, as an administrator: one user's binding is imported into both MMSs (pre-provisioned mode).

    The primary migration set is the first that the user has for the partner, the partner set the first of its pool.
    """

    ue: str
    partner: str


@dataclass(frozen=True, slots=True)
class AwaitBindings:
    """Over CSC-X, as an administrator: wait until an MMS lists so many bindings of a role, in a state where given.

    ``served``: enabled, and allocated or registered; ``ended``: disabled or quarantined, and its RTR answered or given
    up.
    """

    system: str
    role: Literal["primary", "partner"]
    count: int = 1
    state: Literal["", "held", "allocated", "registered", "quarantined", "served", "ended"] = ""
    within_s: float = 10.0


@dataclass(frozen=True, slots=True)
class Hss:
    """A command to the HSS simulator's control socket."""

    system: str
    command: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Kill:
    """The program of a host ends at once (SIGKILL)."""

    host: str


@dataclass(frozen=True, slots=True)
class Start:
    """The program of a host is started again, and is ready when the step is done."""

    host: str


@dataclass(frozen=True, slots=True)
class Pause:
    """The program of a host stops where it is (SIGSTOP)."""

    host: str


@dataclass(frozen=True, slots=True)
class Resume:
    """A paused program goes on."""

    host: str


@dataclass(frozen=True, slots=True)
class Cut:
    """The link between a system and the others is cut."""

    system: str


@dataclass(frozen=True, slots=True)
class Mend:
    """The link is mended."""

    system: str


@dataclass(frozen=True, slots=True)
class SendDiameter:
    """A MAR of one's own making from the system's probe host, which the proxies take for a CSCF.

    ``private_user_identity`` and ``public_user_identity`` are texts, or ``ue1.partner`` / ``ue1.default`` for what a
    UE was given or has in its ISIM; ``result`` is the wanted (experimental) result code.
    """

    system: str
    private_user_identity: str
    public_user_identity: str
    result: int
    scheme: str = "Digest-AKAv1-MD5"
    command: Literal["MAR"] = "MAR"


@dataclass(frozen=True, slots=True)
class RotateKey:
    """A system's IdMS signs with a new key: partners get it out of band first; nothing is restarted."""

    system: str


@dataclass(frozen=True, slots=True)
class ReplayAssertion:
    """A security token of the UE's user is given to a partner's IdMS twice: the second time it must be refused."""

    ue: str
    system: str
    status: int = 400


@dataclass(frozen=True, slots=True)
class EnterCrowd:
    """Over CSC-X, as an administrator: the binding of each of the crowd is imported into both MMSs."""


@dataclass(frozen=True, slots=True)
class Storm:
    """The crowd registers from where a UE is: at home (``native``) or at the partner (``migrated``)."""

    ue: str
    side: Literal["native", "migrated"]
    rate: float
    ramp_s: float = 1.0
    for_s: float | None = None
    expires: int = 600
    deregister: bool = False
    timeout_s: float = 32.0
    find_rate: bool = False
    p99_ms: float = 100.0


@dataclass(frozen=True, slots=True)
class Chaos:
    """Runs ``first`` to ``last`` of a chaos drill: a UE migrates, a program dies at a moment that the seed chooses."""

    ue: str
    home: str
    partner: str
    seed: str
    first: int
    last: int
    location: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class BeginFault:
    """A fault of the lab begins here (docs/lab.md, Faults)."""

    fault: Fault


@dataclass(frozen=True, slots=True)
class EndFault:
    """It is mended here; faults that no step ends are ended with the lab."""

    fault: Fault


@dataclass(frozen=True, slots=True)
class Mark:
    """The moment gets a name, which is written into the capture: checks look from there to the next mark."""

    name: str


@dataclass(frozen=True, slots=True)
class Preflight:
    """A core that is elsewhere is tried before a user goes there: names, certificates, SIP, Cx, its CSCFs at ours."""

    ue: str
    system: str
