"""What ``check`` tries, and how it says what failed."""

import socket
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import trustme

from mmserver.migration.config import MmsConfig
from mmserver.migration.pools import load_pools
from mmserver.migration.probes import (
    probe_addresses,
    probe_all,
    probe_certificates,
    probe_pools,
    probe_quarantine,
    probe_sip_database,
    probe_store,
)

RANGE = {
    "count": 3,
    "private_user_identity": "mig-{number:05}@ims.mc2.lab",
    "public_user_identities": ["sip:mig-{number:05}@ims.mc2.lab"],
}


@pytest.fixture
def config(make_config: Callable[..., MmsConfig], tmp_path: Path) -> MmsConfig:
    made = make_config()
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    soon = datetime.now(UTC) + timedelta(days=60)
    authority.issue_cert("mms.mc2.lab", not_after=soon).cert_chain_pems[0].write_to_path(tmp_path / "certificate.pem")
    return made


@pytest.mark.parametrize(("days", "ok", "word"), [(0, True, "valid"), (40, False, "renew it"), (90, False, "expired")])
def test_a_certificate_that_ends_soon_is_said_in_time(config: MmsConfig, days: int, ok: bool, word: str) -> None:
    ours = next(probe_certificates(config, datetime.now(UTC) + timedelta(days=days)))
    assert (ours.what, ours.ok, word in ours.detail) == ("tls.certificate", ok, True)


def test_a_certificate_that_is_none_is_said(config: MmsConfig) -> None:
    config.tls.certificate.write_text("nothing")
    assert not next(probe_certificates(config)).ok


@pytest.mark.parametrize(("quarantine_s", "ok"), [(600, True), (599.5, False)])
def test_a_quarantine_that_a_registration_outlasts_is_said(
    make_config: Callable[..., MmsConfig], quarantine_s: float, ok: bool
) -> None:
    found = probe_quarantine(make_config(lifetime__quarantine_s=quarantine_s))
    assert (found.ok, "a set may be lent to two at once" in found.detail) == (ok, not ok)


async def test_a_store_that_is_missing_is_not_made_by_looking(
    make_config: Callable[..., MmsConfig], tmp_path: Path
) -> None:
    config = make_config(store__url=f"sqlite+aiosqlite:///{tmp_path}/none.sqlite")
    found = await probe_store(config)
    assert (found.ok, "upgrade" in found.detail) == (False, True)
    assert not (tmp_path / "none.sqlite").exists()


async def test_a_store_is_counted(config: MmsConfig) -> None:
    assert (await probe_store(config)).detail == "schema is current, 0 bindings"


def test_an_address_in_use_or_not_ours_is_said(make_config: Callable[..., MmsConfig]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        config = make_config(
            http__port=taken.getsockname()[1],
            diameter__address="192.0.2.1",
            metrics={"address": "127.0.0.1", "port": 0},
        )
        found = {probe.what: probe.ok for probe in probe_addresses(config)}
    assert found == {"http": False, "diameter": False, "metrics": True}


def test_a_pool_without_sets_is_said_for_each_partner(make_config: Callable[..., MmsConfig]) -> None:
    allocation: dict[str, Any] = {"partner": {"mode": "pool", "ranges": [RANGE | {"partner": "mc1"}]}}
    config = make_config(allocation=allocation)
    found = {probe.what: (probe.ok, probe.detail) for probe in probe_pools(config, load_pools(config))}
    assert found == {
        "allocation.primary": (True, "mode random"),
        "allocation.partner.mc1": (True, "mode pool, 3 sets"),
        "allocation.partner.mc3": (False, "mode pool, 0 sets"),
    }


async def test_a_sip_database_that_is_not_there_is_said(make_config: Callable[..., MmsConfig]) -> None:
    assert await probe_sip_database(make_config()) == []
    with socket.create_server(("127.0.0.1", 0)) as listening:
        there = {"host": "hss.mc2.lab", "address": "127.0.0.1", "port": listening.getsockname()[1]}
        assert (await probe_sip_database(make_config(sip_database=there)))[0].ok
    assert not (await probe_sip_database(make_config(sip_database=there)))[0].ok


async def test_all_of_it_is_one_list(config: MmsConfig) -> None:
    found = await probe_all(config, load_pools(config))
    assert {"tls.certificate", "http.client_ca", "store", "http", "diameter"} <= {probe.what for probe in found}
    assert all(probe.ok for probe in found)
