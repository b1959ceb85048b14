"""The look-up of one identity on SQLite, on a connection of its own and without a thread.

A UAR, LIR or look-up of a proxy asks for one identity, twice for each registration at the partner.  By the driver of
``store`` that is a transaction of some eighteen visits to another thread; here it is one indexed query of some tens of
microseconds, made where the request is answered.  It cannot wait for a writer: under the write-ahead log a reader sees
what was committed last.  It writes nothing, and answers nothing but this.
"""

from typing import Any, Final

import sqlalchemy
from sqlalchemy import event
from sqlalchemy.pool import StaticPool

from mmserver.migration.bindings import IdentityBinding
from mmserver.migration.store_rows import LENDERS, from_row

WAIT_S: Final = 0.0  # who cannot be read at once (a recovery, a restore) is asked the ordinary way


class LookUp:
    """One read-only connection, opened at the first look-up, used by the one thread that made it."""

    def __init__(self, url: str) -> None:
        """Look up in the SQLite database that ``url`` names; nothing is opened yet."""
        self._engine = sqlalchemy.create_engine(
            sqlalchemy.make_url(url).set(drivername="sqlite"),
            poolclass=StaticPool,
            isolation_level="AUTOCOMMIT",  # one query is one snapshot
            connect_args={"timeout": WAIT_S},
        )

        @event.listens_for(self._engine, "connect")
        def _on_connect(dbapi: Any, _record: Any) -> None:
            dbapi.execute("pragma query_only=on").close()

    def find_by_identity(self, identity: str) -> list[IdentityBinding] | None:
        """Return the bindings that lend this identity, as last committed; None when that cannot be said at once."""
        try:
            with self._engine.connect() as connection:
                return [from_row(row) for row in connection.execute(LENDERS, {"wanted": identity}).mappings()]
        except sqlalchemy.exc.OperationalError:
            return None

    def close(self) -> None:
        """Close the connection."""
        self._engine.dispose()
