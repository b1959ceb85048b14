"""What the administrator's commands print for people: bindings, withdrawals and audit rows as lines of text."""

from typing import Any


def binding_line(one: dict[str, Any]) -> str:
    """Return a binding in one line."""
    off = "" if one["enabled"] else " disabled"
    behind = f" behind: {','.join(one['proxies_behind'])}" if one["proxies_behind"] else ""
    return (
        f"{one['binding']} {one['role']} {one['other_mc_system']} {','.join(one['mc_service_ids'])} "
        f"{one['identities']['private_user_identity']} {one['state']}{off} until {one['valid_until']}{behind}"
    )


def binding_details(one: dict[str, Any]) -> str:
    """Return a binding member by member."""
    return "\n".join(f"{key:28}{_shown(value)}" for key, value in one.items())


def withdrawal_line(one: dict[str, Any]) -> str:
    """Return a withdrawal and how far it is."""
    whom = one["mc_service_id"] or "all users"
    behind = f", not yet at {', '.join(one['proxies_behind'])}" if one["proxies_behind"] else ""
    why = f" ({one['reason']})" if one["reason"] else ""
    return (
        f"{one['withdrawal']} {one['role']} {one['other_mc_system']} {whom} by {one['by']} at {one['at']}{why}: "
        f"{one['disabled']} disabled, {one['remaining']} remain, RTRs: {one['confirmed']} confirmed, "
        f"{one['unconfirmed']} unconfirmed, {one['pending']} pending{behind}"
    )


def audit_line(row: dict[str, Any]) -> str:
    """Return one row of the audit trail."""
    off = "" if row["enabled"] else " disabled"
    what = f"{row['at']} {row['binding']} {row['event']} by {row['actor']}"
    return f"{what} -> {row['state']}{off} {row['reason']}".rstrip()


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return " ".join([value["private_user_identity"], *value["public_user_identities"]])
    if isinstance(value, list):
        return " ".join(value) or "-"
    return "-" if value is None else str(value)
