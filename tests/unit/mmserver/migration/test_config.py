"""mms.toml: what belongs together is held together."""

from collections.abc import Callable
from typing import Any

import pytest

from mmserver.http.settings import ConfigError
from mmserver.migration.config import MmsConfig

SET = {"private_user_identity": "mig-1@ims.mc2.lab", "public_user_identities": ["sip:mig-1@ims.mc2.lab"]}


def test_a_random_primary_set_is_not_provisioned_unless_it_is_said(make_config: Callable[..., MmsConfig]) -> None:
    def provisioned(**primary: Any) -> bool:
        return make_config(allocation__primary=primary).allocation.primary.is_provisioned

    assert [provisioned(mode=mode) for mode in ("random", "pool", "default")] == [False, True, True]
    assert provisioned(mode="random", provisioned=True)


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"allocation__primary": {"prefix": "other-"}}, "prefix"),
        ({"allocation__partner": {"mode": "pool", "sets": [SET, SET]}}, "stands twice"),
        (
            {"allocation__partner": {"sets": [SET | {"private_user_identity": "x@ims.mc2.lab"}]}},
            "is not mig-...@ims.mc2.lab",
        ),
        (
            {"allocation__primary": {"sets": [SET | {"mc_service_id": "sip:a@b", "partner": "mc9"}]}},
            "no partner 'mc9'",
        ),
        (
            {
                "allocation__primary": {
                    "sets": [SET | {"mc_service_id": "sip:a@b", "partner": "mc1", "private_user_identity": "a@b.c"}]
                }
            },
            "not in the home domain",
        ),
        ({"store__url": "mysql://x"}, "store.url"),
        ({"system__home_domain": "not a domain"}, "system.home_domain"),
        ({"lifetime__held_s": 0}, "lifetime.held_s: 0 is not more than 0"),
        ({"diameter__scscf": []}, "diameter.scscf"),
    ],
)
def test_a_contradiction_is_named(make_config: Callable[..., MmsConfig], changes: dict[str, Any], fault: str) -> None:
    with pytest.raises(ConfigError, match=fault.replace("(", r"\(")):
        make_config(**changes)
