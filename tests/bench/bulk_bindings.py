"""Fills the store of a migration management server with bindings, by SQL in the store's own schema.

python tests/bench/bulk_bindings.py mms.sqlite 1000000        after `mmserver migration upgrade`
Every second binding is a partner set for a user of mc1, every second a primary set lent to mc3: a system that is both.
"""

import json
import sqlite3
import sys
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

HOME = "ims.mc2.lab"
BATCH = 50_000
VALID_S = 86_400.0

INSERT = """
INSERT INTO bindings (id, handle, role, state, key, enabled, releasing, provisioned, other_mc_system,
    migration_management_server, mc_service_ids, private_user_identity, public_user_identities,
    counterpart_private_user_identity, counterpart_public_user_identities, scope, valid_until, deregistration, due_at,
    version)
VALUES (?, ?, ?, 'allocated', ?, 1, 0, 1, ?, ?, ?, ?, ?, ?, ?, '', ?, 'none', ?, ?)
"""

Row = tuple[object, ...]


def rows(first: int, valid_until: float) -> Iterator[Row]:
    """Yield bindings from that number on, without end."""
    number = first
    while True:
        role, other, other_home = ("partner", "mc1", "ims.mc1.lab") if number % 2 else ("primary", "mc3", HOME)
        mine, theirs = f"mig-{number:024x}@{HOME}", f"usr-{number:024x}@{other_home}"
        user = json.dumps([f"sip:user{number}@mc.lab"])
        publics, counterparts = json.dumps([f"sip:{mine}"]), json.dumps([f"sip:{theirs}"])
        names = (f"b-{number:030x}", role, f"key-{number}", other, f"mms.{other}.lab", user)
        yield (number, *names, mine, publics, theirs, counterparts, valid_until, valid_until, number)
        number += 1


def fill(path: Path, count: int) -> None:
    """Put ``count`` bindings into an upgraded store, each with its lent identities and a feed version."""
    with sqlite3.connect(path) as connection:
        first = connection.execute("SELECT v FROM feed_version").fetchone()[0] + 1
        endless = rows(first, time.time() + VALID_S)
        left = count
        while left:
            batch = list(islice(endless, min(BATCH, left)))
            connection.executemany(INSERT, batch)
            lent = ((identity, "", row[0]) for row in batch for identity in (row[6 + 1], f"sip:{row[6 + 1]}"))
            connection.executemany("INSERT INTO lent_identities (identity, scope, binding_id) VALUES (?, ?, ?)", lent)
            left -= len(batch)
        connection.execute("UPDATE feed_version SET v = ?", (first + count - 1,))
    connection.close()


if __name__ == "__main__":
    fill(Path(sys.argv[1]), int(sys.argv[2]))
