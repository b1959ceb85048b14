"""Bindings as rows of the database and back, and the one query that every registration waits for.

What a row means is said here and nowhere else; transactions are ``store``'s.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import bindparam, select

from mmserver.identity import Impi, Impu, SipIdentities
from mmserver.messages import BindingState, Deregistration, Role
from mmserver.migration.bindings import IdentityBinding, Registration
from mmserver.migration.schema import bindings, lent_identities

KEY_MAX: Final = 1000
"""A longer key is stored as its digest: PostgreSQL's index holds 2,704 octets a row."""
# Written once: SQLAlchemy takes longer to put such a statement together than SQLite to carry it out, and a registration
# at the partner waits for several of them.
_HELD: Final = select(lent_identities.c.binding_id).where(lent_identities.c.identity == bindparam("wanted"))
LENDERS: Final = select(bindings).where(bindings.c.id.in_(_HELD)).order_by(bindings.c.id)
"""The bindings that lend an identity, ``wanted``."""


def stored_key(key: str) -> str:
    """Return a key as it is stored."""
    return key if len(key) <= KEY_MAX else "sha256:" + hashlib.sha256(key.encode()).hexdigest()


def to_row(binding: IdentityBinding) -> dict[str, Any]:
    """Return the columns of a binding."""
    registration = binding.registration
    return {
        "handle": binding.handle,
        "role": binding.role.value,
        "state": binding.state.value,
        "key": stored_key(binding.key),
        "enabled": binding.enabled,
        "releasing": binding.releasing,
        "provisioned": binding.provisioned,
        "other_mc_system": binding.other_mc_system,
        "migration_management_server": binding.migration_management_server,
        "mc_service_ids": json.dumps(binding.mc_service_ids),
        "private_user_identity": binding.identities.private_user_identity,
        "public_user_identities": json.dumps(binding.identities.public_user_identities),
        "counterpart_private_user_identity": binding.counterpart.private_user_identity,
        "counterpart_public_user_identities": json.dumps(binding.counterpart.public_user_identities),
        "scope": binding.scope,
        "valid_until": binding.valid_until,
        "held_until": binding.held_until,
        "quarantined_until": binding.quarantined_until,
        "server_name": registration.server_name if registration else None,
        "scscf_host": registration.origin_host if registration else None,
        "scscf_realm": registration.origin_realm if registration else None,
        "registered_until": registration.until if registration else None,
        "deregistration": binding.deregistration.value,
        "due_at": binding.due_at,
        "version": binding.version,
        "withdrawal": binding.withdrawal,
        "unused_until": binding.unused_until,
        "unused_since": binding.unused_since,
    }


def from_row(row: Mapping[Any, Any]) -> IdentityBinding:
    """Return the binding of a row."""
    registration = None
    if row["server_name"] is not None:
        registration = Registration(row["server_name"], row["scscf_host"], row["scscf_realm"], row["registered_until"])
    return IdentityBinding(
        handle=row["handle"],
        role=Role(row["role"]),
        key=row["key"],
        other_mc_system=row["other_mc_system"],
        migration_management_server=row["migration_management_server"],
        mc_service_ids=tuple(json.loads(row["mc_service_ids"])),
        identities=_identities(row["private_user_identity"], row["public_user_identities"]),
        counterpart=_identities(row["counterpart_private_user_identity"], row["counterpart_public_user_identities"]),
        valid_until=row["valid_until"],
        state=BindingState(row["state"]),
        enabled=row["enabled"],
        provisioned=row["provisioned"],
        scope=row["scope"],
        held_until=row["held_until"],
        quarantined_until=row["quarantined_until"],
        registration=registration,
        deregistration=Deregistration(row["deregistration"]),
        releasing=row["releasing"],
        version=row["version"],
        withdrawal=row["withdrawal"],
        unused_until=row["unused_until"],
        unused_since=row["unused_since"],
    )


def _identities(impi: str, impus: str) -> SipIdentities:
    # They were parsed when they came in.
    return SipIdentities(Impi(impi), tuple(Impu(impu) for impu in json.loads(impus)))
