"""mms.toml: what belongs together is held together."""

import re
from collections.abc import Callable
from typing import Any

import pytest

from mmserver.http.settings import ConfigError
from mmserver.migration.config import LifetimeTable, MmsConfig

RANGE = {
    "count": 2,
    "private_user_identity": "mig-{number:05}@ims.mc2.lab",
    "public_user_identities": ["sip:mig-{number:05}@ims.mc2.lab"],
}


def test_a_random_primary_set_is_not_provisioned_unless_it_is_said(make_config: Callable[..., MmsConfig]) -> None:
    def provisioned(**primary: Any) -> bool:
        return make_config(allocation__primary=primary).allocation.primary.is_provisioned

    assert [provisioned(mode=mode) for mode in ("random", "pool", "default")] == [False, True, True]
    assert provisioned(mode="random", provisioned=True)


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"allocation__primary": {"prefix": "other-"}}, "prefix"),
        ({"allocation__primary": {"mode": "sip-database"}}, "sip_database: is missing"),
        (
            {"allocation__partner": {"ranges": [RANGE | {"private_user_identity": "mig-{number.x}@ims.mc2.lab"}]}},
            "no other braces",
        ),
        ({"allocation__partner": {"ranges": [RANGE | {"private_user_identity": "mig-1@ims.mc2.lab"}]}}, "{number}"),
        ({"allocation__partner": {"ranges": [RANGE | {"count": 0}]}}, "ranges.0.count"),
        ({"store__url": "mysql://x"}, "store.url"),
        ({"store__url": "postgresql+psycopg://mms@h:54x2/mms"}, "store.url: its port is not one of 1 to 65535"),
        ({"store__url": "postgresql+psycopg://mms@a:5432,b:5432/mms"}, "?host=A:5432&host=B:5432"),
        ({"diameter__scscf": ["sip:s\x00.lab"]}, "a character that a document in XML cannot hold"),
        ({"system__home_domain": "not a domain"}, "system.home_domain"),
        ({"lifetime__held_s": 0}, "lifetime.held_s: 0 is not more than 0"),
        ({"diameter__scscf": []}, "diameter.scscf"),
    ],
)
def test_a_contradiction_is_named(make_config: Callable[..., MmsConfig], changes: dict[str, Any], fault: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(fault)):
        make_config(**changes)


@pytest.mark.parametrize(
    ("table", "quarantine_s"),
    [({}, 3600), ({"registration_s": 7200}, 7200), ({"registration_s": 7200, "quarantine_s": 0}, 0)],
)
def test_an_ended_set_is_kept_for_the_longest_expires_granted(table: dict[str, Any], quarantine_s: float) -> None:
    """Unless told otherwise: its last holder may think that long that he is registered."""
    assert LifetimeTable.model_validate(table).quarantine_s == quarantine_s
