"""A scenario as data: what is done in the lab, which steps of TS 23.280 that proves, what else the capture must show.

A scenario's verdict comes from the capture (``lab.evidence``): every id in ``proves`` must be proved, every id in
``absent`` must not have taken place, every check must hold.  The runner only carries steps out; it stops at a step
whose outcome is not the one that the step names.

Checks that scenarios name (``lab.evidence.checks`` implements them; parameters in brackets, ``leg`` is one of gm,
aaa-2, csc-y, hss, mms, csc-4, csc-x, csc-17, csc-1):

    sip-status(ue, system, method, status)      the UE's last such request in that system ended with this status
    sip-never(ue, system, method, status)       no such request of the UE in that system got this status
    http-refused(ue, wire, status, step)        the last request on the wire was refused with it, naming the step
    diameter-answer(leg, command, code)         some answer of that command on the leg has this (experimental) result
    nothing-on(leg)                             no request of the migration on this leg: csc-x, csc-17, csc-y; hss: no
                                                MAR that came over CSC-Y
    identity-absent(leg, identity)              the text is nowhere on the leg, payload or header
    registrations(ue, system, count)            so many registrations of the UE ended with 200 and Expires over 0
    deregistered(ue, system)                    REGISTER with Expires 0 ended with 200, and SAR type 5 went out
    resynchronised(ue, system)                  REGISTER with auts, RAND||AUTS octet for octet up to the HSS, fresh
                                                challenge, 200
    challenge-unanswered(ue, system)            after the 401 no REGISTER with a response followed
    message-delivered(ue, system)               a MESSAGE reached the UE through that system's S-CSCF and got 200
    called(caller, callee, system, packets)     INVITE, LIR, LIA, the S-CSCF, 200, ACK, so much RTP each way, BYE
    call-refused(caller, callee, system, status)  an INVITE that reached the callee got this status, and no RTP flowed
    service-authorised(ue, system)              third-party REGISTER with the access token: 200 of the MC service server
    service-refused(ue, system, issuer)         one without a token, or with one of this issuer, got 403, warning 101
    distinct-sets(ues)                          no identity of one UE's migration and partner sets is another's
    partner-chosen(ue, system)                  step 13 names this partner and its area holds the location of step 1
    hss-asked-for(ue, identities)               the MAR at the HSS names the `lent` or the `default` set
    through-agents(ue, csc_y, hss)              these agents, in this order, between the proxies and before the HSS
    impus-paired(ue, count)                     primary and partner set have so many IMPUs, mapped by position
    home-registration-kept(ue)                  between the migrated 200 and the end no SAR/RTR ended the home one
    at-moment(moment, ue, sip, diameter, no_answer, http, broken_by, broken_within_s)
                                                what came between a named moment and the next
    time-between(ue, first, last, at_most_s)    e.g. REGISTER and its 200 in a system
"""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal

from lab.faults.fault import Fault, Seen

if TYPE_CHECKING:
    from lab.topology import Setting

Outcome = Literal["done", "refused"]

# Every step id of the two procedures, in order.
CONNECTIVITY: Final = tuple(f"10.1.X.1-{number}" for number in range(1, 14))
HOME: Final = tuple(f"10.6.1-{number}" for number in range(1, 4))
MIGRATION: Final = tuple(f"10.6.2-{number}" for number in range(1, 15))


@dataclass(frozen=True, slots=True)
class Check:
    """A check of the evidence by name, with its parameters."""

    name: str
    parameters: Mapping[str, Any] = field(default_factory=dict)


def check(name: str, **parameters: object) -> Check:
    """Return a check by name."""
    return Check(name, parameters)


# --- steps ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Authenticate:
    """MC service user authentication: OIDC at home, token exchange toward a partner (10.6.1-1, 10.6.2-1).

    ``status`` other than 200 is the refusal of one of the two identity management servers (RFC 6749 §5.2), 0 that no
    answer came.
    """

    ue: str
    system: str
    flow: Literal["password", "code"] = "password"
    status: int = 200


@dataclass(frozen=True, slots=True)
class GetConnectionDetails:
    """The UE asks its primary CMS how to reach a partner (10.1.X.1).

    ``status`` other than 200 is a refusal, 0 that no answer came at all.  ``patience_s``: for so long the UE asks again
    when its token is not known yet (401) or somebody is away (503, 504).
    """

    ue: str
    partner: str | None = None
    location: Mapping[str, Any] = field(default_factory=dict)
    status: int = 200
    refused_in: str | None = None
    partner_given: str | None = None
    patience_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Move:
    """The UE leaves its network for another system's: its interface and its address change."""

    ue: str
    system: str


@dataclass(frozen=True, slots=True)
class Attach:
    """The UE gets a second interface, in another system's network."""

    ue: str
    system: str


@dataclass(frozen=True, slots=True)
class Register:
    """SIP registration in a system; ``status`` is the final status, 401 when the UE does not answer the challenge.

    ``patience_s``: for so long the UE comes again when it is told to (503, 504).  ``vouched_by``: REGISTER carries the
    access token of that system's IdMS (TS 24.379 §7.2.1).
    """

    ue: str
    system: str
    expires: int = 600
    status: int | tuple[int, ...] = 200
    patience_s: float = 0.0
    vouched_by: str | None = None


@dataclass(frozen=True, slots=True)
class Refresh:
    """Registration again over the same Call-ID; ``patience_s`` as in Register."""

    ue: str
    system: str
    status: int | tuple[int, ...] = 200
    patience_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Deregister:
    """Registration with Expires 0; ``patience_s`` as in Register."""

    ue: str
    system: str
    status: int = 200
    patience_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Message:
    """A MESSAGE from one UE to another, which must arrive there; the receiver's identity is that in ``system``.

    ``patience_s``: for so long it is sent again while it ends with another status.
    """

    sender: str
    sender_system: str
    receiver: str
    receiver_system: str
    text: str = "hello"
    status: int | tuple[int, ...] = 200
    patience_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Call:
    """A call from one UE to another, answered, with RTP both ways, hung up; ``status`` other than 200: refused so.

    Each is known by its identity in the system named.  ``packets``: of RTP, each way, before anybody hangs up.
    """

    caller: str
    caller_system: str
    callee: str
    callee_system: str
    status: int = 200
    packets: int = 25
    ended_by: Literal["caller", "callee"] = "caller"


@dataclass(frozen=True, slots=True)
class Isim:
    """Set the sequence numbers of the UE's ISIM: ``old`` makes the HSS's next vector old, so that it resynchronises."""

    ue: str
    sqn: str = "old"


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


@dataclass(frozen=True, slots=True)
class During:
    """One step is under way while others are carried out, from the moment ``when`` on; then its outcome is awaited."""

    step: "Step"
    meanwhile: "tuple[Step, ...]"
    when: Seen | None = None


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing for a while: for timers that are under test themselves."""

    seconds: float


Step = (
    Authenticate
    | GetConnectionDetails
    | Move
    | Attach
    | Register
    | Refresh
    | Deregister
    | Message
    | Call
    | Isim
    | EnterConnectionDetails
    | ChangeBindings
    | Withdraw
    | Restore
    | ImportBinding
    | AwaitBindings
    | RotateKey
    | ReplayAssertion
    | EnterCrowd
    | Storm
    | Chaos
    | Preflight
    | During
    | BeginFault
    | EndFault
    | Mark
    | Hss
    | Kill
    | Start
    | Pause
    | Resume
    | Cut
    | Mend
    | SendDiameter
    | Wait
)


@dataclass(frozen=True, slots=True)
class Scenario:
    """A scenario.

    Attributes:
        is_long: it takes half a minute or more: ``mclab run --all`` has it, the tests that CI runs leave it out.
        settings: laid over the topology by dotted path.
        proves, absent: step ids that must be proved, and that must not take place.
        checks: what else the capture must show.
    """

    name: str
    what: str
    steps: tuple[Step, ...]
    systems: tuple[str, ...] = ("mc1", "mc2")
    ues: tuple[str, ...] = ("ue1",)
    is_long: bool = False
    settings: Mapping[str, "Setting"] = field(default_factory=dict)
    proves: tuple[str, ...] = ()
    absent: tuple[str, ...] = ()
    checks: tuple[Check, ...] = ()


def flat(steps: tuple[Step, ...]) -> Iterator[Step]:
    """Yield the steps one after the other, what happens during one of them right after it."""
    for step in steps:
        if isinstance(step, During):
            yield from flat((step.step, *step.meanwhile))
        else:
            yield step


def describe(step: Step) -> dict[str, Any]:
    """Return a step as a JSON object, for ``run.json`` and the timeline."""
    if isinstance(step, During):
        return {
            "step": "During",
            "during": describe(step.step),
            "meanwhile": [describe(one) for one in step.meanwhile],
            "when": asdict(step.when) if step.when else None,
        }
    return {"step": type(step).__name__, **asdict(step)}
