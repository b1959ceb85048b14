"""What Prometheus gets: allocations, refusals, bindings, pools, feed lag, RTRs."""

from collections.abc import Callable
from typing import Any

from mmserver.http.metrics import Metrics
from mmserver.messages import Role
from mmserver.migration.metrics import MmsMetrics
from mmserver.migration.pools import load_pools
from mmserver.migration.store import BindingStore

RANGE = {
    "count": 3,
    "private_user_identity": "mig-{number:05}@ims.mc2.lab",
    "public_user_identities": ["sip:mig-{number:05}@ims.mc2.lab"],
}
OWN = {"private_user_identity": "mig-x@ims.mc2.lab", "public_user_identities": ["sip:mig-x@ims.mc2.lab"]}
ALLOCATION = {
    "primary": {"mode": "pool", "sets": [OWN | {"mc_service_id": "sip:a@mc2.lab", "partner": "mc1"}]},
    "partner": {"mode": "pool", "ranges": [RANGE]},
}


def metrics_of(mms: Any, store: BindingStore | None = None) -> MmsMetrics:
    return MmsMetrics(
        Metrics(),
        store=store or mms.store,
        pools=load_pools(mms.config),
        feed_readers=("proxy1.mc2.lab", "proxy2.mc2.lab"),
        peers=("proxy1.mc2.lab", "proxy2.mc2.lab"),
        open_peers=lambda: ("proxy2.mc2.lab",),
    )


async def lines(metrics: MmsMetrics) -> set[str]:
    return set((await metrics.families.expose()).decode().splitlines())


async def test_levels_come_from_the_store_and_the_pools(make_mms: Callable[..., Any]) -> None:
    mms = make_mms(allocation=ALLOCATION)
    binding = await mms.allocated()
    await mms.partner("b")
    await mms.user_withdrawals.withdraw(Role.PRIMARY, "mc3", "", "", "admin")
    async with mms.store.writing() as transaction:
        await transaction.acknowledge("proxy1.mc2.lab", binding.version, mms.now)
    found = await lines(metrics_of(mms))
    assert 'mms_bindings{enabled="true",other_mc_system="mc1",role="partner",state="allocated"} 1.0' in found
    assert 'mms_bindings{enabled="true",other_mc_system="mc1",role="partner",state="held"} 1.0' in found
    assert 'mms_pool_sets{other_mc_system="*",role="partner"} 3.0' in found
    assert 'mms_pool_sets_free{other_mc_system="*",role="partner"} 1.0' in found
    assert 'mms_pool_sets_free{other_mc_system="mc1",role="primary"} 1.0' in found
    assert 'mms_feed_lag_versions{proxy="proxy1.mc2.lab"} 0.0' in found
    assert any(line.startswith('mms_feed_lag_versions{proxy="proxy2.mc2.lab"} 1') for line in found)
    assert 'mms_diameter_peer_open{peer="proxy1.mc2.lab"} 0.0' in found
    assert 'mms_diameter_peer_open{peer="proxy2.mc2.lab"} 1.0' in found
    assert 'mms_withdrawals{of="agreement",other_mc_system="mc3",role="primary"} 1.0' in found


async def test_what_happened_is_counted(mms: Any) -> None:
    metrics = metrics_of(mms)
    metrics.allocated(Role.PRIMARY, "mc1", "new")
    metrics.refused("10.1.X.1-5", "migration-withdrawn")
    metrics.deregistered(True)
    metrics.deregistered(False)
    found = await lines(metrics)
    assert 'mms_allocations_total{other_mc_system="mc1",outcome="new",role="primary"} 1.0' in found
    assert 'mms_refusals_total{problem="migration-withdrawn",step="10.1.X.1-5"} 1.0' in found
    assert 'mms_rtrs_total{outcome="confirmed"} 1.0' in found
    assert 'mms_rtrs_total{outcome="unconfirmed"} 1.0' in found


async def test_a_store_that_fails_leaves_its_levels_out_and_nothing_else(mms: Any, tmp_path: Any) -> None:
    gone = BindingStore(f"sqlite+aiosqlite:///{tmp_path / 'no' / 'such.sqlite'}")
    metrics = metrics_of(mms, gone)
    metrics.refused(None, "unknown-binding")
    found = "\n".join(await lines(metrics))
    await gone.close()
    assert "mms_bindings{" not in found
    assert 'mms_refusals_total{problem="unknown-binding",step=""} 1.0' in found
