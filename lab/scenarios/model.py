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
from typing import TYPE_CHECKING, Any, Final

from lab.faults.fault import Seen
from lab.scenarios.system_steps import (
    AwaitBindings,
    BeginFault,
    ChangeBindings,
    Chaos,
    Cut,
    EndFault,
    EnterConnectionDetails,
    EnterCrowd,
    Hss,
    ImportBinding,
    Kill,
    Mark,
    Mend,
    Pause,
    Preflight,
    ReplayAssertion,
    Restore,
    Resume,
    RotateKey,
    SendDiameter,
    Start,
    Storm,
    Withdraw,
)
from lab.scenarios.ue_steps import (
    Attach,
    Authenticate,
    Call,
    Deregister,
    GetConnectionDetails,
    Isim,
    Message,
    Move,
    Refresh,
    Register,
)

if TYPE_CHECKING:
    from lab.topology import Setting

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
        is_long: it goes through a table of faults: ``mclab run --all`` has it, the tests that CI runs leave it out.
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
