"""Does the MMS slow down with its bindings?  A small store against a large one, on SQLite and on PostgreSQL.

python tests/bench/bench_mms.py [--small 1000] [--large 1000000] [--samples 5000] [--only sqlite|postgresql]
Steps 5/10 (a hold), look-ups and reads of the feed's newest 1,000 changes, in one process over the real store, durable
(SQLite: synchronous=FULL; PostgreSQL: fsync and synchronous_commit on), the small store and the large one in turn.
Exits 1 when a look-up grows (p50 over 1.5x: what repeated runs of one size differ by) or p99 of an allocation doubles.
"""

import argparse
import asyncio
import json
import random
import secrets
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from itertools import islice
from pathlib import Path

import psycopg
import structlog
from bulk_bindings import BATCH, HOME, VALID_S, fill, rows

from mmserver.http.settings import validate
from mmserver.messages import LentRange, PartnerSipIdentitiesRequest
from mmserver.migration.config import MmsConfig
from mmserver.migration.feed import Feed
from mmserver.migration.schema.upgrade import upgrade
from mmserver.migration.server import MigrationManagementServer
from mmserver.migration.store import BindingStore
from tests.databases import Database, PostgreSql, sqlite

ALLOCATION_P99_MAX = 2.0
LOOK_UP_P50_MAX = 1.5
CATCH_UP = 1000
COLUMNS = (
    "id, handle, role, key, other_mc_system, migration_management_server, mc_service_ids, private_user_identity,"
    " public_user_identities, counterpart_private_user_identity, counterpart_public_user_identities, valid_until,"
    " due_at, version"
)
DEFAULTS = {"state": "'allocated'", "enabled": "true", "releasing": "false", "provisioned": "true"} | {
    "scope": "''",
    "deregistration": "'none'",
}


class Side:
    """One store and what works on it."""

    def __init__(self, folder: Path, database: Database, bindings: int) -> None:
        self.bindings = bindings
        upgrade(database.url)
        self.first = database.one("SELECT v FROM feed_version") + 1
        if database.name == "sqlite":
            fill(folder / "mms.sqlite", bindings)
        else:
            copy_in(database, self.first, bindings)
        database.execute("ANALYZE")
        config = validate(settings(database.url), MmsConfig, name="mms.toml", folder=folder)
        self.store = BindingStore(database.url, 10.0)
        self.server = MigrationManagementServer(config, self.store, clock=time.time, randomness=secrets.token_bytes)
        self.feed = Feed(self.store, LentRange(domain=HOME, prefix="mig-"), clock=time.time)
        self._random = random.Random(1)
        self._count = 0

    async def allocate(self) -> None:
        """Lend a partner set to a user who has none (step 10)."""
        self._count += 1
        user = f"new{self._count}"
        primary = {"private_user_identity": f"p-{user}@ims.mc1.lab"}
        primary["public_user_identities"] = [f"sip:p-{user}@ims.mc1.lab"]  # type: ignore[assignment]
        body = {"primary_mc_system": "mc1", "migration_management_server": "mms.mc1.lab"}
        request = {**body, "primary_mc_system_sip_identities": primary, "mc_service_ids": [f"sip:{user}@mc1.lab"]}
        await self.server.get_partner_sip_identities(PartnerSipIdentitiesRequest.model_validate(request), "bench")

    async def look_up(self) -> None:
        """Find one of the bindings by its IMPI, as a proxy does on a miss."""
        number = self.first + self._random.randrange(self.bindings)
        assert await self.feed.look_up(f"mig-{number:024x}@{HOME}") is not None

    async def catch_up(self) -> None:
        """Read the newest changes, as a proxy does that was away for a moment."""
        await self.feed.rows(self.first + self.bindings - 1 - CATCH_UP, CATCH_UP)


def settings(url: str) -> dict[str, object]:
    """Return a configuration with random sets."""
    clients = {"csc_x": ["cms"], "feed": ["proxy"]}
    diameter = {"origin_host": "mms.mc2.lab", "origin_realm": HOME, "address": "127.0.0.1", "port": 0}
    return {
        "system": {"name": "mc2", "identifier": "mms.mc2.lab", "home_domain": HOME},
        "http": {"address": "127.0.0.1", "port": 0, "clients": clients, "client_ca": "x"},
        "tls": {"certificate": "x", "private_key": "x"},
        "diameter": {**diameter, "peers": ["proxy"], "scscf": ["sip:scscf.mc2.lab"]},
        "store": {"url": url},
        "partners": [{"name": "mc1", "realms": ["ims.mc1.lab"], "migration_management_servers": ["mms.mc1.lab"]}],
    }


def copy_in(database: Database, first: int, count: int) -> None:
    """Fill an upgraded PostgreSQL store as ``bulk_bindings.fill`` does SQLite."""
    with psycopg.connect(database.url.replace("+psycopg", "")) as connection:
        cursor = connection.cursor()
        for column, value in DEFAULTS.items():
            cursor.execute(f"ALTER TABLE bindings ALTER COLUMN {column} SET DEFAULT {value}")
        endless = rows(first, time.time() + VALID_S)
        for start in range(0, count, BATCH):
            batch = list(islice(endless, min(BATCH, count - start)))
            with cursor.copy(f"COPY bindings ({COLUMNS}) FROM STDIN") as copy:
                for row in batch:
                    copy.write_row(row)
            with cursor.copy("COPY lent_identities (identity, scope, binding_id) FROM STDIN") as copy:
                for row in batch:
                    for identity in (row[7], f"sip:{row[7]}"):
                        copy.write_row((identity, "", row[0]))
        for column in DEFAULTS:
            cursor.execute(f"ALTER TABLE bindings ALTER COLUMN {column} DROP DEFAULT")
        cursor.execute("UPDATE feed_version SET v = %s", (first + count - 1,))


async def timed(work: Callable[[], Awaitable[None]]) -> float:
    """Return the milliseconds that it took."""
    began = time.perf_counter()
    await work()
    return (time.perf_counter() - began) * 1000


async def sample(sides: list[Side], samples: int) -> dict[str, list[list[float]]]:
    """Return milliseconds by kind and side: one of the small, one of the large, and so on."""
    taken: dict[str, list[list[float]]] = {kind: [[], []] for kind in ("allocate", "look_up", "catch_up")}
    for number in range(samples + 100):
        for at, side in enumerate(sides if number % 2 else sides[::-1]):
            place = at if number % 2 else 1 - at
            for kind, values in taken.items():
                if kind == "catch_up" and number % 50:
                    continue
                took = await timed(getattr(side, kind))
                if number >= 100:  # the first ones warm caches on both sides
                    values[place].append(took)
    for side in sides:
        await side.store.close()
    return taken


def report(name: str, sizes: tuple[int, int], taken: dict[str, list[list[float]]]) -> list[str]:
    """Print the table of one database; return what missed its ratio."""
    missed = []
    for kind, (small, large) in taken.items():
        for label, quantile in (("p50", 50), ("p99", 99)):
            low, high = (statistics.quantiles(values, n=100)[quantile - 1] for values in (small, large))
            ratio = high / low
            limit = {("allocate", 99): ALLOCATION_P99_MAX, ("look_up", 50): LOOK_UP_P50_MAX}.get((kind, quantile))
            target = "" if limit is None else f"<= {limit:g}x"
            print(
                f"{name:<11}{kind.replace('_', '-'):<10}{label}  {sizes[0]:>9,}: {low:8.3f} ms  {sizes[1]:>9,}: "
                f"{high:8.3f} ms  {ratio:5.2f}x  {target:<8}({len(small)} samples)",
                flush=True,
            )
            if limit is not None and ratio > limit:
                missed.append(f"{name} {kind} {label}: {ratio:.2f}x, wanted {target}")
    return missed


def main() -> None:
    """Measure, print, and exit 1 on a missed ratio."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--small", type=int, default=1000)
    arguments.add_argument("--large", type=int, default=1_000_000)
    arguments.add_argument("--samples", type=int, default=5000)
    arguments.add_argument("--only", choices=["sqlite", "postgresql"])
    wanted = arguments.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    sizes, missed = (wanted.small, wanted.large), []
    with tempfile.TemporaryDirectory() as scratch:
        for name in ("sqlite", "postgresql"):
            if wanted.only not in (None, name):
                continue
            server = PostgreSql() if name == "postgresql" else None
            sides = []
            for size in sizes:
                folder = Path(scratch) / f"{name}-{size}"
                folder.mkdir()
                (folder / "x").touch()
                began = time.monotonic()
                sides.append(Side(folder, sqlite(folder) if server is None else server.create(), size))
                print(json.dumps({"filled": size, "in": name, "s": round(time.monotonic() - began)}), file=sys.stderr)
            missed += report(name, sizes, asyncio.run(sample(sides, wanted.samples)))
            if server is not None:
                server.close()
    for sentence in missed:
        print(f"missed: {sentence}")
    raise SystemExit(1 if missed else 0)


if __name__ == "__main__":
    main()
