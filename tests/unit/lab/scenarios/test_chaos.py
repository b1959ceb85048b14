"""The plan of a drill comes out the same again; the verdict sees every set that is lost, doubled or not agreed on."""

from typing import Any

import pytest

from lab.scenarios.chaos import STAGES, ChaosRun, Store, judge_empty, judge_stores, strike_of

HOSTS = [f"{role}.{system}" for role in ("mms", "cms", "proxy1", "hss") for system in ("mc1", "mc2")]


def binding(name: str, counterpart: str, **changes: Any) -> dict[str, Any]:
    return {
        "binding": f"b-{name}",
        "state": "registered",
        "enabled": True,
        "proxies_behind": [],
        "identities": {"private_user_identity": name, "public_user_identities": [f"sip:{name}"]},
        "counterpart": {"private_user_identity": counterpart, "public_user_identities": [f"sip:{counterpart}"]},
    } | changes


def store(*bindings: dict[str, Any], **feed: str | None) -> Store:
    lent = {one["identities"]["private_user_identity"]: one["binding"] for one in bindings}
    return Store(bindings, lent | feed)


PRIMARY, PARTNER = binding("lent@a", "isim@a"), binding("taken@b", "lent@a")


def test_the_same_seed_and_number_strike_the_same() -> None:
    assert strike_of("7", 3, HOSTS) == strike_of("7", 3, reversed(HOSTS))


def test_other_numbers_and_other_seeds_strike_elsewhere() -> None:
    strikes = [strike_of("7", number, HOSTS) for number in range(1, 200)]
    assert {strike.host for strike in strikes} == set(HOSTS)
    assert {strike.stage for strike in strikes} == set(STAGES)
    assert strikes != [strike_of("8", number, HOSTS) for number in range(1, 200)]


def test_two_stores_and_feeds_that_agree_are_right() -> None:
    assert judge_stores(store(PRIMARY), store(PARTNER)) == []


def test_what_was_given_back_and_is_not_in_the_feed_does_not_matter() -> None:
    old = binding("old@a", "isim@a", state="quarantined")
    assert judge_stores(Store((PRIMARY, old), {"lent@a": "b-lent@a", "old@a": None}), store(PARTNER)) == []


@pytest.mark.parametrize(
    ("primary", "partner", "said"),
    [
        (store(), store(PARTNER), "primary: a set is lost"),
        (store(PRIMARY), store(), "partner: a set is lost"),
        (store(PRIMARY), store(PARTNER, binding("more@b", "lent@a")), "partner: 2 sets are lent"),
        (store(PRIMARY, PRIMARY), store(PARTNER), "primary: lent@a is lent 2 times"),
        (store(PRIMARY), store(binding("taken@b", "other@a")), "the two stores bind different sets"),
        (store(PRIMARY | {"state": "held"}), store(PARTNER), "primary: lent@a stayed held"),
        (store(PRIMARY | {"enabled": False}), store(PARTNER), "primary: lent@a is disabled"),
        (store(PRIMARY), store(PARTNER | {"proxies_behind": ["proxy2"]}), "partner: not known to proxy2"),
        (Store((PRIMARY,), {"lent@a": None}), store(PARTNER), "primary: the feed does not lend lent@a"),
        (store(PRIMARY), Store((PARTNER,), {"taken@b": "b-other"}), "partner: the feed does not lend taken@b"),
        (store(PRIMARY, **{"old@a": "b-old"}), store(PARTNER), "primary: the feed lends old@a, the store does not"),
    ],
)
def test_each_wrong_is_named(primary: Store, partner: Store, said: str) -> None:
    assert any(fault.startswith(said) for fault in judge_stores(primary, partner))


def test_after_going_home_nothing_is_lent() -> None:
    gone = Store((PRIMARY | {"state": "quarantined"},), {"lent@a": None})
    assert judge_empty(gone, gone) == []
    assert judge_empty(gone, store(PARTNER))[0] == "partner: registered set is still lent: taken@b"
    assert judge_empty(Store((), {"lent@a": "b"}), gone) == ["primary: the feed still lends lent@a"]


def test_a_run_is_one_line_and_survives_its_way_as_json() -> None:
    run = ChaosRun(strike_of("7", 3, HOSTS), ["register 504", "register 504", "register 403"], ["a set is lost"], 4.25)
    assert ChaosRun.from_json(run.as_json()) == run
    assert "\n" not in run.line()
    assert run.line().startswith("fail  run   3  ")
    assert run.line().endswith("the UE saw register 504 (2 times), register 403; 4.2 s; a set is lost")
    assert "nothing but success" in ChaosRun(run.strike).line()
