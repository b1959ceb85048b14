"""Where a request goes: the total table of source, command and owner (docs/diameter-proxy.md; TS 23.280 CR, 10.6.2).

What no row names is refused with 3001.  Peers, budgets and octets are none of this module's business.
"""

from collections.abc import Iterator
from enum import Enum, StrEnum
from typing import Final, NamedTuple

from diameter_proxy.diameter.result_codes import ExperimentalResultCode, ResultCode
from diameter_proxy.ownership import Owner

UAR: Final = 300
SAR: Final = 301
LIR: Final = 302
MAR: Final = 303
RTR: Final = 304
PPR: Final = 305
COMMANDS: Final = (UAR, SAR, LIR, MAR, RTR, PPR)
NAMES: Final = {UAR: "UAR", SAR: "SAR", LIR: "LIR", MAR: "MAR", RTR: "RTR", PPR: "PPR"}


class Source(StrEnum):
    """The class of the peer that a request came from."""

    CSCF = "cscf"
    HSS = "hss"
    MMS = "mms"
    PARTNER = "partner"
    AGENT = "agent"


class Route(Enum):
    """What is done with a request that is not refused."""

    HSS = "to the HSS, unchanged"
    LENT_DATABASE = "to the SIP database of lent identities"
    PARTNER = "mapped partner to primary, over CSC-Y"
    HSS_AS_KNOWN = "mapped to what the HSS knows, to the HSS"
    SCSCF = "to the S-CSCF named by Destination-Host"
    AGENT = "to the agent that Destination-Host or the realm leads to, unchanged"


class Refusal(NamedTuple):
    """An answer of our own: Result-Code or Experimental-Result, why (for our log alone), and the step of 10.6.2."""

    reason: str
    result_code: int | None = None
    experimental: int | None = None
    step: str = "10.6.2-4"
    failed_avp: bytes = b""


_UNKNOWN: Final = ExperimentalResultCode.ERROR_USER_UNKNOWN
_ROAMING: Final = ExperimentalResultCode.ERROR_ROAMING_NOT_ALLOWED
_NO_PAIR: Final = ExperimentalResultCode.ERROR_IDENTITIES_DONT_MATCH

NOT_SUPPORTED: Final = Refusal("command not for this peer", result_code=ResultCode.COMMAND_UNSUPPORTED)
MIXED: Final = Refusal("identities of two sets", experimental=_NO_PAIR)
FOREIGN: Final = Refusal("identity neither ours nor lent", experimental=_UNKNOWN)
NOT_THE_OWNER: Final = Refusal("identity is not this database's", experimental=_UNKNOWN)

_REFUSED: Final = {
    Owner.UNBOUND: Refusal("identity not bound", experimental=_UNKNOWN),
    Owner.EXPIRED: Refusal("binding expired", experimental=_UNKNOWN),
    Owner.DISABLED: Refusal("binding disabled", experimental=_UNKNOWN),
    Owner.FOREIGN: FOREIGN,
    Owner.OWN: FOREIGN,
    Owner.MIXED: MIXED,
}
_REFUSED_UAR: Final = {**_REFUSED, Owner.DISABLED: Refusal("binding disabled", experimental=_ROAMING)}


def _rows() -> Iterator[tuple[tuple[Source, int, Owner], Route | Refusal]]:
    for command in (UAR, SAR, LIR, MAR):
        # CSCF, of our own users, all commands: to the HSS, unchanged.
        yield (Source.CSCF, command, Owner.OWN), Route.HSS
        yield (Source.CSCF, command, Owner.FOREIGN), FOREIGN
        yield (Source.CSCF, command, Owner.MIXED), MIXED
    # CSCF, lent by us: MAR over CSC-Y; UAR, SAR, LIR to the MMS's Cx server or the HSS, which says what has become
    # of the registration: a de-registration is taken even when the set is disabled.
    yield (Source.CSCF, MAR, Owner.LENT), Route.PARTNER
    yield (Source.CSCF, UAR, Owner.LENT), Route.LENT_DATABASE
    for owner in (Owner.LENT, Owner.UNBOUND, Owner.EXPIRED, Owner.DISABLED):
        yield (Source.CSCF, SAR, owner), Route.LENT_DATABASE
        yield (Source.CSCF, LIR, owner), Route.LENT_DATABASE
    for owner in (Owner.UNBOUND, Owner.EXPIRED, Owner.DISABLED):
        yield (Source.CSCF, UAR, owner), _REFUSED_UAR[owner]
        yield (Source.CSCF, MAR, owner), _REFUSED[owner]
    # Other MC system: MAR for a primary migration set lent to that system; nothing else reaches the HSS.
    yield (Source.PARTNER, MAR, Owner.LENT), Route.HSS_AS_KNOWN
    for owner, refusal in _REFUSED.items():
        yield (Source.PARTNER, MAR, owner), refusal._replace(step="10.6.2-6")
    # HSS, MMS: RTR and PPR from the owner of the identity, to the S-CSCF.
    for command in (RTR, PPR):
        yield (Source.HSS, command, Owner.OWN), Route.SCSCF
        yield (Source.MMS, command, Owner.LENT), Route.SCSCF
        for owner in (Owner.LENT, Owner.FOREIGN, Owner.MIXED):
            yield (Source.HSS, command, owner), NOT_THE_OWNER
        for owner in (Owner.OWN, Owner.FOREIGN, Owner.MIXED):
            yield (Source.MMS, command, owner), NOT_THE_OWNER
    # Another agent: by realm to the next agent; never to a database or a CSCF of ours (RFC 6733 §2.8.1).
    for command in COMMANDS:
        yield (Source.AGENT, command, Owner.OWN), Route.AGENT


TABLE: Final[dict[tuple[Source, int, Owner], Route | Refusal]] = dict(_rows())


def is_for_default_route(source: Source, command: int, owner: Owner) -> bool:
    """Say whether ``routing.default_route`` takes this, where there is one: what a CSCF asks of nobody's identity."""
    return source is Source.CSCF and owner is Owner.FOREIGN and decide(source, command, owner) is FOREIGN


def decide(source: Source, command: int, owner: Owner) -> Route | Refusal:
    """Return what is done with a request; the table is total."""
    return TABLE.get((source, command, owner), NOT_SUPPORTED)
