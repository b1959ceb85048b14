"""The two databases that a store may lie in, for tests: a file of SQLite, or one database of a throw-away PostgreSQL.

``pg_virtualenv`` of Debian makes the server, on a port of ours, and takes it away when our end of its input closes.
"""

import contextlib
import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy
from sqlalchemy.pool import NullPool

DISK = "/mnt"
SHOW = "import json, os; print(json.dumps({k: v for k, v in os.environ.items() if k.startswith('PG')}), flush=True)"


class Database:
    """One store's database, looked at from outside the program."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._engine = sqlalchemy.create_engine(url.replace("+aiosqlite", ""), poolclass=NullPool)

    @property
    def name(self) -> str:
        return self._engine.dialect.name

    def connect(self) -> sqlalchemy.Connection:
        return self._engine.connect()

    def one(self, query: str, **values: Any) -> Any:
        return self.rows(query, **values)[0][0]

    def rows(self, query: str, **values: Any) -> list[tuple[Any, ...]]:
        with self._engine.connect() as connection:
            return [tuple(row) for row in connection.execute(sqlalchemy.text(query), values)]

    @contextmanager
    def snapshot(self) -> Iterator[Callable[[str], list[tuple[Any, ...]]]]:
        """Yield a function that asks one moment of the database, whatever others commit meanwhile."""
        with self._engine.connect() as connection:
            if self.name == "sqlite":
                connection.exec_driver_sql("BEGIN")
            else:
                connection = connection.execution_options(isolation_level="REPEATABLE READ")
            yield lambda query: [tuple(row) for row in connection.execute(sqlalchemy.text(query))]

    def execute(self, statement: str, **values: Any) -> None:
        with self._engine.begin() as connection:
            connection.execute(sqlalchemy.text(statement), values)


class PostgreSql:
    """A throw-away server; databases are made in it one by one.

    With ``disk_octets`` its files lie on a tmpfs of that size, in a mount namespace of its own.
    """

    def __init__(self, *settings: str, disk_octets: int | None = None) -> None:
        assert shutil.which("pg_virtualenv"), "PostgreSQL is not installed: packaging/set-up.sh database"
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        options = [word for setting in settings for word in ("-o", setting)]
        enter: list[str] = []
        if disk_octets is not None:
            options += ["-c", f"--datadir={DISK}/data"]
            enter = on_a_disk_of(disk_octets)
        script = f'"{sys.executable}" -c "{SHOW}"; cat'
        self._process = subprocess.Popen(
            [*enter, "pg_virtualenv", "-t", *options, "sh", "-c", script],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, "PGPORT": str(port)},
        )
        try:
            self.environment = {**os.environ, **self._variables()}
        except BaseException:
            self.close()
            raise
        self._count = 0

    def create(self, template: Database | None = None) -> Database:
        """Make an empty database, or one like ``template``."""
        self._count += 1
        name = f"mms{self._count}_{secrets.token_hex(4)}"
        like = "template1" if template is None else sqlalchemy.make_url(template.url).database
        self._command(f"CREATE DATABASE {name} TEMPLATE {like}")
        return Database(self._url(name))

    def drop(self, database: Database) -> None:
        """Take a database away, whoever is connected."""
        name = sqlalchemy.make_url(database.url).database
        self._command(f"DROP DATABASE {name} WITH (FORCE)")

    def control(self, *arguments: str) -> None:
        """Call ``pg_ctlcluster`` (stop, start, with options) on the server."""
        command = ["pg_ctlcluster", self.environment["PGVERSION"], "regress", *arguments]
        run = subprocess.run(command, env=self.environment, capture_output=True, text=True, timeout=60, check=False)
        assert run.returncode == 0, f"{command}: {run.stdout}{run.stderr}"

    @contextmanager
    def full_disk(self) -> Iterator[None]:
        """Leave no room on its disk as long as the block lasts."""
        filler = Path(f"/proc/{self._process.pid}/root{DISK}/filler")
        try:
            with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
                while file.write(bytes(1 << 16)):
                    pass
            yield
        finally:
            filler.unlink()

    def close(self) -> None:
        """End the server."""
        self._process.communicate("", timeout=60)

    def _variables(self) -> dict[str, str]:
        """Wait until the server runs, and return where."""
        assert self._process.stdout is not None
        said = []
        for line in self._process.stdout:
            if line.startswith("{"):
                return dict(json.loads(line))
            said.append(line)
        raise AssertionError(f"no PostgreSQL: {''.join(said)}")

    def _url(self, database: str) -> str:
        # pg_virtualenv's superuser is postgres for root, and has our own name for everybody else.
        user, password, port = (self.environment[name] for name in ("PGUSER", "PGPASSWORD", "PGPORT"))
        return f"postgresql+psycopg://{user}:{password}@localhost:{port}/{database}"

    def _command(self, statement: str) -> None:
        engine = sqlalchemy.create_engine(self._url("postgres"), isolation_level="AUTOCOMMIT", poolclass=NullPool)
        with engine.connect() as connection:
            connection.execute(sqlalchemy.text(statement))


def on_a_disk_of(octets: int) -> list[str]:
    """Return what a command is begun with that shall find a disk of that size at ``DISK``."""
    mount = f"mount -t tmpfs -o mode=0777,size={octets} tmpfs {DISK}"
    if os.geteuid() == 0:
        return ["unshare", "--mount", "sh", "-c", f'{mount} && exec "$@"', "sh"]
    # PostgreSQL runs for nobody who seems to be root, and only root mounts: root at first, then ourselves again.
    again = f"unshare --user --map-user={os.geteuid()} --map-group={os.getegid()}"
    return ["unshare", "--map-root-user", "--mount", "sh", "-c", f'{mount} && exec {again} "$@"', "sh"]


def sqlite(folder: Path) -> Database:
    """Return the database of a file in ``folder``."""
    return Database(f"sqlite+aiosqlite:///{folder}/mms.sqlite")
