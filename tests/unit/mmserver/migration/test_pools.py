"""Configured sets: from the file, from files beside it, from numbered ranges; each held to its place, none twice."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mmserver.http.settings import ConfigError
from mmserver.identity import SipIdentities, parse_sip_identities
from mmserver.migration.config import MmsConfig
from mmserver.migration.pools import InboundPool, load_pools

SET = {"private_user_identity": "mig-1@ims.mc2.lab", "public_user_identities": ["sip:mig-1@ims.mc2.lab"]}
OTHER = {"private_user_identity": "mig-2@ims.mc2.lab", "public_user_identities": ["sip:mig-2@ims.mc2.lab"]}
RANGE = {
    "private_user_identity": "mig-n{number:05}@ims.mc2.lab",
    "public_user_identities": ["sip:mig-n{number:05}@ims.mc2.lab", "sip:mig-n{number:05}b@ims.mc2.lab"],
}


def identities(name: str, impus: int = 1) -> SipIdentities:
    return parse_sip_identities(f"{name}@d.x", [f"sip:{name}{number}@d.x" for number in range(impus)])


def all_of(pool: InboundPool, wanted: int = 1) -> list[str]:
    return [one.private_user_identity for chunk in pool.large_enough(wanted) for one in chunk]


def test_the_smallest_set_that_is_large_enough_comes_first() -> None:
    pool = InboundPool([identities("large", 4), identities("middle", 2), identities("small", 1)])
    assert all_of(pool, 2) == ["middle@d.x", "large@d.x"]
    assert [one.private_user_identity for chunk in pool.too_small(2) for one in chunk] == ["small@d.x"]
    assert (len(pool), all_of(pool, 5)) == (3, [])


def test_what_was_taken_comes_last_next_time() -> None:
    pool = InboundPool([identities(name) for name in "abc"])
    pool.took(identities("a"))
    assert all_of(pool) == ["b@d.x", "c@d.x", "a@d.x"]
    pool.took(identities("c"))
    assert all_of(pool) == ["a@d.x", "b@d.x", "c@d.x"]
    pool.took(identities("not-of-the-pool"))
    assert all_of(pool) == ["a@d.x", "b@d.x", "c@d.x"]


def test_the_whole_inbound_range_of_a_system_is_one_pattern(make_config: Callable[..., MmsConfig]) -> None:
    pools = load_pools(make_config(allocation__partner={"ranges": [RANGE | {"partner": "mc1", "count": 10_000}]}))
    assert (len(pools.of_inbound("mc1")), len(pools.of_inbound("mc3")), len(pools.of_inbound("mc9"))) == (10_000, 0, 0)
    names = all_of(pools.of_inbound("mc1"), 2)
    assert (names[0], names[-1]) == ("mig-n00000@ims.mc2.lab", "mig-n09999@ims.mc2.lab")
    assert len(set(names)) == 10_000


def test_sets_without_a_partner_are_for_all(make_config: Callable[..., MmsConfig]) -> None:
    pools = load_pools(make_config(allocation__partner={"sets": [SET, OTHER | {"partner": "mc3"}]}))
    assert (len(pools.of_inbound("mc1")), len(pools.of_inbound("mc3"))) == (1, 2)


def test_sets_may_lie_in_files(make_config: Callable[..., MmsConfig], tmp_path: Path) -> None:
    primary = [one | {"mc_service_id": "sip:a@b", "partner": "mc1"} for one in (SET, OTHER)]
    (tmp_path / "primary.jsonl").write_text("".join(json.dumps(one) + "\n" for one in primary))
    (tmp_path / "partner.jsonl").write_text(json.dumps(SET) + "\n\n" + json.dumps(OTHER | {"partner": "mc1"}))
    files: dict[str, Any] = {"primary": {"file": "primary.jsonl"}, "partner": {"file": "partner.jsonl"}}
    pools = load_pools(make_config(allocation=files))
    assert [one.private_user_identity for one in pools.of_user(("sip:a@b",), "mc1")] == [
        "mig-1@ims.mc2.lab",
        "mig-2@ims.mc2.lab",
    ]
    assert pools.of_user(("sip:a@b",), "mc3") == []
    assert pools.primary_sizes == {"mc1": 2}
    assert (len(pools.of_inbound("mc1")), len(pools.of_inbound("mc3"))) == (2, 1)


@pytest.mark.parametrize(
    ("lines", "fault"),
    [
        ("{}", "sets.jsonl:1: private_user_identity: "),
        ("\n{", "sets.jsonl:2: Invalid JSON"),
        (json.dumps(SET) + "\n" + json.dumps(SET), "sets.jsonl:2: mig-1@ims.mc2.lab stands twice"),
        (json.dumps(SET | {"partner": "mc9"}), "sets.jsonl:1: no partner 'mc9'"),
    ],
)
def test_a_fault_in_a_file_is_named_with_its_line(
    make_config: Callable[..., MmsConfig], tmp_path: Path, lines: str, fault: str
) -> None:
    (tmp_path / "sets.jsonl").write_text(lines)
    config = make_config(allocation__partner={"file": "sets.jsonl"})
    with pytest.raises(ConfigError) as caught:
        load_pools(config)
    assert str(caught.value).startswith(fault)


def test_a_file_that_is_no_text_is_one_line(make_config: Callable[..., MmsConfig], tmp_path: Path) -> None:
    (tmp_path / "sets.jsonl").write_bytes(b"\xff\xfe\n")
    config = make_config(allocation__partner={"file": "sets.jsonl"})
    with pytest.raises(ConfigError, match=r"sets\.jsonl"):
        load_pools(config)


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"allocation__partner": {"sets": [SET, SET]}}, "allocation.partner.sets.1: .* stands twice"),
        (
            {"allocation__partner": {"sets": [SET | {"private_user_identity": "x@ims.mc2.lab"}]}},
            "x@ims.mc2.lab is not mig-...@ims.mc2.lab",
        ),
        (
            {"allocation__partner": {"ranges": [RANGE | {"count": 2}, RANGE | {"first": 1, "count": 2}]}},
            "ranges.1: mig-n00001@ims.mc2.lab stands twice",
        ),
        (
            {"allocation__primary": {"sets": [SET | {"mc_service_id": "sip:a@b", "partner": "mc9"}]}},
            "allocation.primary.sets.0: no partner 'mc9'",
        ),
        (
            {
                "allocation__primary": {
                    "sets": [SET | {"mc_service_id": "sip:a@b", "partner": "mc1", "private_user_identity": "a@b.c"}]
                }
            },
            "allocation.primary.sets.0: not in the home domain",
        ),
    ],
)
def test_a_set_out_of_its_place_is_named(
    make_config: Callable[..., MmsConfig], changes: dict[str, Any], fault: str
) -> None:
    with pytest.raises(ConfigError, match=fault):
        load_pools(make_config(**changes))
