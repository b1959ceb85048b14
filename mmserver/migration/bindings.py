"""A binding and its life: held -> allocated -> registered -> quarantined (TS 23.280 CR, 7.4.2.2.X and 10.1.X.1).

Pure: each step takes a binding and the time and returns the next binding, or refuses.  Time is POSIX seconds.
What is on its way out is first disabled, then de-registered by an RTR, and only then quarantined.
"""

import json
from dataclasses import dataclass, replace
from typing import Final

from mmserver.identity import Impi, SipIdentities
from mmserver.messages import BindingState, Deregistration, Role
from mmserver.migration.errors import BindingNotLive, MigrationWithdrawn

SERVED: Final = frozenset({BindingState.ALLOCATED, BindingState.REGISTERED})
"""States in which the Diameter proxies and the Cx server honour a binding."""

PENDING_DUE_AT: Final = 0.0


@dataclass(frozen=True, slots=True)
class Registration:
    """Where a lent set is registered: the S-CSCF's name and Diameter node, until when at the latest."""

    server_name: str
    origin_host: str
    origin_realm: str
    until: float


@dataclass(frozen=True, slots=True)
class IdentityBinding:
    """One user's lent set and what it stands for."""

    handle: str
    role: Role
    key: str
    other_mc_system: str
    migration_management_server: str
    mc_service_ids: tuple[str, ...]
    identities: SipIdentities
    counterpart: SipIdentities
    valid_until: float
    state: BindingState = BindingState.HELD
    enabled: bool = True
    provisioned: bool = False
    scope: str = ""
    held_until: float | None = None
    quarantined_until: float | None = None
    registration: Registration | None = None
    deregistration: Deregistration = Deregistration.NONE
    releasing: bool = False
    version: int = 0
    withdrawal: str = ""
    unused_until: float | None = None
    unused_since: float | None = None

    def is_served(self, now: float) -> bool:
        """Say whether it is allocated and in time; it may still be disabled."""
        return self.state in SERVED and now < self.valid_until and not self.releasing

    def is_registered(self, now: float) -> bool:
        """Say whether its set is registered in the core, as far as the ageing goes."""
        return self.registration is not None and now < self.registration.until

    @property
    def is_in_feed(self) -> bool:
        """Whether proxies have it in their identity map; a held or quarantined one is not there."""
        return self.state in SERVED

    @property
    def due_at(self) -> float:
        """When the sweep must look at it next; ``PENDING_DUE_AT`` while an RTR is to be sent."""
        if self.state is BindingState.HELD:
            return self.held_until or 0.0
        if self.state is BindingState.QUARANTINED:
            return self.quarantined_until or 0.0
        if self.deregistration is Deregistration.PENDING:
            return PENDING_DUE_AT
        ageing = self.registration.until if self.registration else self.valid_until
        unused = self.valid_until if self.unused_until is None else self.unused_until
        return min(self.valid_until, ageing, unused)


def primary_key(mc_service_ids: tuple[str, ...], default: SipIdentities, partner: str) -> str:
    """Return the key of a binding at the primary MMS: MC user, default IMPI, default IMPU, partner system."""
    user = sorted(set(mc_service_ids))
    return json.dumps([user, default.private_user_identity, default.public_user_identities[0], partner])


def partner_key(migration_management_server: str, primary: SipIdentities) -> str:
    """Return the key of a binding at the partner MMS: primary MMS identifier and primary migration set (step 10)."""
    return json.dumps([migration_management_server, primary.private_user_identity, *primary.public_user_identities])


def confirm(binding: IdentityBinding, now: float, unused_s: float = 0.0) -> IdentityBinding:
    """Return it allocated: the CMS has finished steps 6 to 12.  Confirming twice changes nothing.

    With ``unused_s`` it ends by itself if nobody has used it by then: registered with it at the partner, been given a
    vector for it at the primary, as far as our proxies reported (``uses``).

    Raises:
        BindingNotLive: the hold has lapsed, or it is released.
    """
    if binding.is_served(now):
        return binding
    if binding.state is not BindingState.HELD or now >= (binding.held_until or 0.0):
        raise BindingNotLive(f"binding {binding.handle} is {binding.state.value} and cannot be confirmed")
    since, until = (now, now + unused_s) if unused_s > 0 else (None, None)
    return replace(binding, state=BindingState.ALLOCATED, held_until=None, unused_since=since, unused_until=until)


def ask_again(
    binding: IdentityBinding, now: float, held_s: float, valid_until: float, valid_s: float
) -> IdentityBinding:
    """Return the live binding for a repeated request: the same, its hold renewed, or its validity when half is gone.

    Raises:
        MigrationWithdrawn: it is disabled.
        BindingNotLive: it is being released, or about to be because its time is over.
    """
    if binding.releasing or now >= binding.valid_until:
        raise BindingNotLive(f"binding {binding.handle} is being released; ask again")
    if not binding.enabled:
        raise MigrationWithdrawn(f"binding {binding.handle} is disabled")
    if binding.state is BindingState.HELD:
        return replace(binding, held_until=now + held_s, valid_until=valid_until)
    if binding.valid_until - now < valid_s / 2 and valid_until > binding.valid_until:
        return replace(binding, valid_until=valid_until)
    return binding


def disable(binding: IdentityBinding, now: float, withdrawal: str = "") -> IdentityBinding:
    """Return it disabled, by a withdrawal or alone; a registered set is to be de-registered next.

    Raises:
        BindingNotLive: it is neither allocated nor registered.
    """
    _require_live(binding)
    return _with_deregistration_due(replace(binding, enabled=False, withdrawal=withdrawal), now)


def enable(binding: IdentityBinding) -> IdentityBinding:
    """Return it enabled again.

    Raises:
        BindingNotLive: it is neither allocated nor registered, or being released.
    """
    _require_live(binding)
    return replace(binding, enabled=True, deregistration=Deregistration.NONE, withdrawal="")


def begin_release(binding: IdentityBinding, now: float) -> IdentityBinding:
    """Return it on its way out: disabled, no longer served, a registered set to be de-registered next."""
    return _with_deregistration_due(replace(binding, enabled=False, releasing=True), now)


def finish_release(binding: IdentityBinding, now: float, quarantine_s: float) -> IdentityBinding:
    """Return it quarantined; its identities are lent to nobody until the longest Expires granted has passed."""
    return replace(
        binding,
        state=BindingState.QUARANTINED,
        quarantined_until=now + quarantine_s,
        held_until=None,
        registration=None,
    )


def finish_deregistration(binding: IdentityBinding, *, confirmed: bool) -> IdentityBinding:
    """Return it with the outcome of the RTR: without an RTA it is unconfirmed, and refused at UAR all the same."""
    outcome = Deregistration.CONFIRMED if confirmed else Deregistration.UNCONFIRMED
    return replace(_without_registration(binding), deregistration=outcome)


def register(binding: IdentityBinding, registration: Registration) -> IdentityBinding:
    """Return it registered at that S-CSCF (SAR 1 and 2)."""
    return replace(
        binding,
        state=BindingState.REGISTERED,
        registration=registration,
        deregistration=Deregistration.NONE,
        unused_since=None,
        unused_until=None,
    )


def use(binding: IdentityBinding) -> IdentityBinding:
    """Return it used: from now on only its validity ends it by itself.  Using it again changes nothing."""
    return replace(binding, unused_since=None, unused_until=None)


def deregister(binding: IdentityBinding) -> IdentityBinding:
    """Return it without its registration, allocated again if it was registered (SAR 4, 5, 8 to 11, or aged)."""
    return _without_registration(binding)


def touches_private_identity(binding: IdentityBinding, impi: Impi) -> bool:
    """Say whether ``impi`` is that of the lent set or of its counterpart."""
    return impi in (binding.identities.private_user_identity, binding.counterpart.private_user_identity)


def _require_live(binding: IdentityBinding) -> None:
    if binding.state not in SERVED or binding.releasing:
        raise BindingNotLive(f"binding {binding.handle} is {binding.state.value}")


def _with_deregistration_due(binding: IdentityBinding, now: float) -> IdentityBinding:
    if not binding.is_registered(now):
        return _without_registration(binding)
    return replace(binding, deregistration=Deregistration.PENDING)


def _without_registration(binding: IdentityBinding) -> IdentityBinding:
    state = BindingState.ALLOCATED if binding.state is BindingState.REGISTERED else binding.state
    return replace(binding, state=state, registration=None)
