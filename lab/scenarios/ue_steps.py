"""What a user's UE does in a scenario, as data, each with the outcome that it wants (``lab.scenarios.model``).

The runner carries the steps out and stops at one whose outcome is another; what they prove is read from the capture.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Outcome = Literal["done", "refused"]


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

    ``patience_s``: for so long the UE comes again after 500, 503, 504.  ``vouched_by``: REGISTER carries the
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
