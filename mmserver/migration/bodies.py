"""HTTP bodies that only administrators and our own command line use: withdrawals, audit trail, import, dry run.

What the CMS, its partner and the proxies exchange is in ``mmserver.messages``.
"""

from datetime import datetime
from typing import Annotated, Any

from pydantic import Field

from mmserver.messages import Body, IdentitySet, McServiceId, Reason, Role, SystemName


class WithdrawalRequest(Body):
    """Withdraw migration for one user and one other MC system, or for all users of that agreement."""

    role: Annotated[Role, Field(description="primary: own users there; partner: inbound users from there.")] = (
        Role.PRIMARY
    )
    other_mc_system: SystemName
    mc_service_id: Annotated[McServiceId | None, Field(description="The user; absent: the whole agreement.")] = None
    reason: Reason = ""


class WithdrawalStatus(Body):
    """A withdrawal and how far it is.  ``remaining`` falls to 0, then ``pending``; ``unconfirmed`` had no RTA."""

    withdrawal: str
    role: Role
    other_mc_system: SystemName
    mc_service_id: str | None
    at: datetime
    by: Annotated[str, Field(description="Name in the client certificate of who asked.")]
    reason: str
    remaining: Annotated[int, Field(description="Bindings that are still enabled.")]
    disabled: Annotated[int, Field(description="Bindings that it has disabled.")]
    pending: Annotated[int, Field(description="Of those: an RTR is still to be sent or answered.")]
    confirmed: Annotated[int, Field(description="Of those: the S-CSCF has answered the RTR.")]
    unconfirmed: Annotated[int, Field(description="Of those: no RTA came; the next REGISTER is refused all the same.")]
    proxies_behind: Annotated[
        tuple[str, ...], Field(description="Diameter proxies that have not acknowledged all of it yet.")
    ] = ()


class RestoreResult(Body):
    """A withdrawal has been lifted."""

    withdrawal: str
    enabled: Annotated[int, Field(description="Bindings that may be used again.")]


class ReloadResult(Body):
    """The configuration file has been read again and is in force."""

    partners: tuple[SystemName, ...]
    primary_sets: Annotated[int, Field(description="Configured sets for own users, over all partners.")]
    partner_sets: Annotated[int, Field(description="Configured sets for inbound users.")]
    need_restart: Annotated[tuple[str, ...], Field(description="Settings that changed and wait for a restart.")]


class AuditRow(Body):
    """One thing that happened to a binding or a withdrawal."""

    id: Annotated[int, Field(description="Ask for what comes after the last one next.")]
    at: datetime
    binding: Annotated[str, Field(description="The binding, or the withdrawal.")]
    event: Annotated[str, Field(examples=["binding.disabled"])]
    actor: Annotated[str, Field(description="Who: a name in a client certificate, an Origin-Host, or sweep.")]
    reason: str
    state: str
    enabled: bool
    deregistration: str
    version: int
    role: str
    other_mc_system: str
    traceparent: Annotated[str, Field(description="W3C trace context of the request that caused it.")]


def audit_row(row: dict[str, Any], at: datetime) -> AuditRow:
    """Return a row of the store as a body."""
    values = {**row, "at": at, "binding": row["handle"]}
    del values["handle"]
    return AuditRow.model_validate(values)


class RefusedImport(Body):
    """A line that was not taken."""

    line: Annotated[int, Field(description="Its number in the file.")]
    type: Annotated[str, Field(examples=["urn:mc-migration:problem:identities-already-lent"])]
    detail: str


class ImportResult(Body):
    """What an import did; with ``dry_run`` nothing was written, and this is what it would have done."""

    dry_run: bool
    lines: int
    entered: int
    changed: int
    unchanged: int
    refused: tuple[RefusedImport, ...]


class DryRunResult(Body):
    """Whether step 5 or 10 would lend a set now, and if not, why not.  Nothing was written."""

    possible: bool
    step: Annotated[str, Field(examples=["10.1.X.1-5"])]
    binding: Annotated[str | None, Field(description="The binding that there is already; absent: a new one.")] = None
    identities: Annotated[IdentitySet | None, Field(description="Of the binding that there is already.")] = None
    type: Annotated[str | None, Field(examples=["urn:mc-migration:problem:migration-withdrawn"])] = None
    title: str | None = None
    detail: str | None = None
