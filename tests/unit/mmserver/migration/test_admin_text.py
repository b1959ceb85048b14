"""Lines for people."""

from typing import Any

from mmserver.migration.admin_text import audit_line, binding_details, binding_line, withdrawal_line

BINDING: dict[str, Any] = {
    "binding": "b-1",
    "role": "partner",
    "other_mc_system": "mc1",
    "mc_service_ids": ["sip:a@mc1.lab"],
    "identities": {"private_user_identity": "mig-a@d", "public_user_identities": ["sip:mig-a@d"]},
    "state": "allocated",
    "enabled": False,
    "valid_until": "2030-01-01T00:00:00Z",
    "registered_until": None,
    "proxies_behind": ["proxy1"],
}


def test_a_binding_is_one_line_with_what_matters_at_night() -> None:
    line = binding_line(BINDING)
    assert line == (
        "b-1 partner mc1 sip:a@mc1.lab mig-a@d allocated disabled until 2030-01-01T00:00:00Z behind: proxy1"
    )


def test_its_details_are_a_line_each() -> None:
    lines = binding_details(BINDING | {"proxies_behind": []}).splitlines()
    assert len(lines) == len(BINDING)
    assert lines[4].split() == ["identities", "mig-a@d", "sip:mig-a@d"]
    assert lines[8].split() == ["registered_until", "-"]
    assert lines[9].split() == ["proxies_behind", "-"]


def test_a_withdrawal_says_of_whom_by_whom_why_and_how_far() -> None:
    one = {"withdrawal": "w-1", "role": "primary", "other_mc_system": "mc1", "mc_service_id": None, "by": "admin"}
    one |= {"at": "now", "reason": "lost", "proxies_behind": ["proxy2"]}
    one |= {"disabled": 5, "remaining": 4, "confirmed": 3, "unconfirmed": 2, "pending": 1}  # type: ignore[dict-item]
    assert withdrawal_line(one) == (
        "w-1 primary mc1 all users by admin at now (lost): 5 disabled, 4 remain, "
        "RTRs: 3 confirmed, 2 unconfirmed, 1 pending, not yet at proxy2"
    )


def test_a_row_of_the_trail_says_who_what_why() -> None:
    row = {"at": "now", "binding": "b-1", "event": "binding.disabled", "actor": "admin", "state": "allocated"}
    assert audit_line(row | {"enabled": False, "reason": "lost"}) == (
        "now b-1 binding.disabled by admin -> allocated disabled lost"
    )
