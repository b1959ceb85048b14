"""What ``check`` tries on this machine, beyond the file: certificates, store, addresses, pools, SIP database.

Each probe gives one line.  A configuration may be right on a machine where it cannot run yet, so a probe that fails is
reported and, unless asked to be strict, changes no exit code.
"""

import asyncio
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from diameter_proxy.node.taken_port import why_not_bound
from mmserver.http.tls import TlsError, parse_certificates
from mmserver.migration.config import MmsConfig
from mmserver.migration.errors import MigrationError
from mmserver.migration.pools import EVERYBODY, Pools

RENEW_BEFORE: Final = timedelta(days=30)
CONNECT_S: Final = 2.0
SQLITE: Final = "sqlite+aiosqlite:///"


@dataclass(frozen=True, slots=True)
class Probe:
    """One thing that was tried."""

    what: str
    ok: bool
    detail: str


async def probe_all(config: MmsConfig, pools: Pools) -> list[Probe]:
    """Try everything that can be tried without serving."""
    return [
        *probe_certificates(config),
        await probe_store(config),
        *probe_addresses(config),
        *probe_pools(config, pools),
        probe_quarantine(config),
        *await probe_sip_database(config),
    ]


def probe_certificates(config: MmsConfig, now: datetime | None = None) -> Iterator[Probe]:
    """Say how long our certificate and the CA of the clients are good for."""
    now = now or datetime.now(UTC)
    for what, path in (("tls.certificate", config.tls.certificate), ("http.client_ca", config.http.client_ca)):
        try:
            until = min(one.not_valid_after_utc for one in parse_certificates(path.read_text()))
        except (TlsError, OSError, UnicodeDecodeError) as exc:
            yield Probe(what, False, str(exc))
            continue
        if until <= now:
            yield Probe(what, False, f"expired at {until.isoformat()}: renew it")
        else:
            soon = until - now < RENEW_BEFORE
            yield Probe(what, not soon, f"valid until {until.isoformat()}{': renew it' if soon else ''}")


async def probe_store(config: MmsConfig) -> Probe:
    """Say whether the store can be read and has the schema of this program."""
    from mmserver.migration.store import BindingStore

    missing = _missing_file(config.store.url)
    if missing is not None:  # opening it would make an empty one
        return Probe("store", False, f"{missing} is not there: run `mmserver migration upgrade`")
    store = BindingStore(config.store.url, config.store.busy_timeout_s)
    try:
        await store.require_schema()
        async with store.reading() as transaction:
            count = await transaction.count()
    except MigrationError as exc:
        return Probe("store", False, str(exc))
    finally:
        await store.close()
    return Probe("store", True, f"schema is current, {count} bindings")


def probe_addresses(config: MmsConfig) -> Iterator[Probe]:
    """Say whether each address is ours and free."""
    wanted = [
        ("http", config.http.address, config.http.port),
        ("diameter", config.diameter.address, config.diameter.port),
    ]
    if config.metrics.address is not None:
        wanted.append(("metrics", config.metrics.address, config.metrics.port))
    for what, address, port in wanted:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        try:
            socket.create_server((address, port), family=family).close()
        except OSError as exc:
            yield Probe(what, False, why_not_bound(address, port, exc))
        else:
            yield Probe(what, True, f"{address}:{port} is free")


def probe_pools(config: MmsConfig, pools: Pools) -> Iterator[Probe]:
    """Say how many sets there are, and for which partner there are none though the mode needs some."""
    for role, mode in (("primary", config.allocation.primary.mode), ("partner", config.allocation.partner.mode)):
        if mode not in ("pool", "sip-database"):
            yield Probe(f"allocation.{role}", True, f"mode {mode}")
            continue
        for partner in config.partners:
            count = pools.primary_sizes.get(partner.name, 0)
            if role == "partner":
                count = len(pools.of_inbound(partner.name))
            shared = len(pools.own.get(EVERYBODY, ())) if role == "partner" else 0
            more = f", {shared} of them for all systems" if shared else ""
            yield Probe(f"allocation.{role}.{partner.name}", count > 0, f"mode {mode}, {count} sets{more}")


def probe_quarantine(config: MmsConfig) -> Probe:
    """Say whether an ended set stays unused until its last holder's registration is over, whatever he heard of it."""
    quarantine_s, registration_s = config.lifetime.quarantine_s, config.lifetime.registration_s
    if quarantine_s >= registration_s:
        return Probe("lifetime.quarantine_s", True, f"{quarantine_s:g} s, a registration at most {registration_s:g} s")
    why = f"{quarantine_s:g} s is less than registration_s ({registration_s:g} s): a set may be lent to two at once"
    return Probe("lifetime.quarantine_s", False, why)


async def probe_sip_database(config: MmsConfig) -> list[Probe]:
    """Say whether somebody accepts connections where the SIP database should be."""
    asked = config.sip_database
    if asked is None:
        return []
    where = f"{asked.address}:{asked.port}"
    try:
        _reader, writer = await asyncio.wait_for(asyncio.open_connection(asked.address, asked.port), CONNECT_S)
    except (OSError, TimeoutError) as exc:
        return [Probe("sip_database", False, f"{where}: {exc or 'no answer'}")]
    writer.close()
    return [Probe("sip_database", True, f"{where} accepts connections")]


def _missing_file(url: str) -> str | None:
    path = url.removeprefix(SQLITE)
    return path if path != url and not Path(path).exists() else None
