"""The soak of `make drill` for some seconds: every request answered, no wrong identity, through kills and reloads."""

from tests.bench.soak import Sample, growth_mib, is_flat, soak


async def test_every_request_is_answered_while_an_hss_is_killed_and_the_files_are_reloaded(tmp_path):
    """RFC 6733 §5.5.4: what a killed HSS had not answered goes to the other one; a reload drops nothing."""
    seen = await soak(tmp_path, for_s=5.0, rate=200.0, restart_s=1.5, reload_s=1.2)
    assert (seen["unanswered"], seen["faults"], seen["ended"], seen["errors"]) == (0, 0, [], [])
    assert set(seen["answers"]) <= {2001, 3002, 3004}
    assert seen["answers"][2001] > 0
    assert seen["sent"] == sum(seen["answers"].values())
    assert min(seen["restarts"], seen["reloads"]) >= 2
    assert seen["logged_errors"] == []


def test_memory_that_grows_to_the_end_is_found_and_a_warm_up_is_none():
    warm_up = [Sample(at, 50.0 + min(at, 10) * 5, 80.0) for at in range(100)]
    leak = [Sample(at, 100.0, 80.0 + at * 0.5) for at in range(100)]
    assert growth_mib(warm_up) == (0.0, 0.0)
    assert is_flat(warm_up)
    assert growth_mib(leak)[1] == 25.0
    assert not is_flat(leak)
