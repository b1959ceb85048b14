"""A PostgreSQL primary and its stand-by by streaming replication, for tests that end the one and promote the other.

Both begin as a ``pg_basebackup``: the primary as a copy of the tests' own server, the stand-by as one of the primary.
Each has a guard that ends it when our end of the guard's input closes, also because the tests were killed.
"""

import os
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path

import sqlalchemy

from tests.databases import Database, PostgreSql

CONFIGURATION = """
listen_addresses = '127.0.0.1'
port = {port}
unix_socket_directories = ''
hba_file = '{folder}/pg_hba.conf'
max_connections = 300
fsync = off
synchronous_standby_names = '{stand_by}'
"""
GUARD = 'cat; "$1/pg_ctl" stop --mode=immediate --pgdata="$2/data"; rm -rf "$2"'
TRUST = "host all all 127.0.0.1/32 trust\nhost replication all 127.0.0.1/32 trust\n"


class Server:
    """A server of its own: a copy of another one, that runs apart from it (``stand_by``: follows it)."""

    def __init__(self, source: "PostgreSql | Server", *, is_stand_by: bool = False, waits_for: str = "") -> None:
        """Copy and start; with ``waits_for`` no commit is answered before a stand-by of that name has it."""
        self.environment = source.environment
        self._programs = Path(f"/usr/lib/postgresql/{self.environment['PGVERSION']}/bin")
        self._folder = Path(tempfile.mkdtemp(prefix="replication."))
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        settings = CONFIGURATION.format(port=self.port, folder=self._folder, stand_by=waits_for)
        (self._folder / "postgresql.conf").write_text(settings)
        (self._folder / "pg_hba.conf").write_text(TRUST)
        if os.geteuid() == 0:  # PostgreSQL does not run as root
            for path in (self._folder, *self._folder.iterdir()):
                shutil.chown(path, "postgres", "postgres")
        command = [*_as_postgres(), "sh", "-c", GUARD, "guard", str(self._programs), str(self._folder)]
        # A session of its own: Ctrl-C at the terminal is not for the guard.
        quiet = subprocess.DEVNULL
        self._guard = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=quiet, stderr=quiet, cwd="/", start_new_session=True
        )
        try:
            self._copy(source, is_stand_by=is_stand_by)
            self.start()
        except BaseException:
            self.close()
            raise

    def _copy(self, source: "PostgreSql | Server", *, is_stand_by: bool) -> None:
        follow = ["--write-recovery-conf"] if is_stand_by else []
        port = source.port if isinstance(source, Server) else self.environment["PGPORT"]
        where = ["--host=127.0.0.1", f"--port={port}", f"--username={self.environment['PGUSER']}"]
        self._run("pg_basebackup", "--checkpoint=fast", "--no-sync", *where, *follow, f"--pgdata={self._data}")

    @property
    def _data(self) -> Path:
        return self._folder / "data"

    def url(self, database: Database) -> str:
        """Return the URL of its copy of ``database``."""
        address = sqlalchemy.make_url(database.url).set(host="127.0.0.1", port=self.port)
        return address.render_as_string(hide_password=False)

    def start(self) -> None:
        log, options = f"--log={self._folder}/log", f"-c config_file={self._folder}/postgresql.conf"
        self._run("pg_ctl", "start", "--wait", f"--pgdata={self._data}", log, f"--options={options}")

    def stop(self) -> None:
        """End it as a loss of power would, but for the disk."""
        self._run("pg_ctl", "stop", "--mode=immediate", "--wait", f"--pgdata={self._data}")

    def promote(self) -> None:
        """Make the stand-by the primary."""
        self._run("pg_ctl", "promote", "--wait", f"--pgdata={self._data}")

    def close(self) -> None:
        """End it, if it runs, and take its files away."""
        self._guard.communicate(timeout=60)
        assert not self._folder.exists(), f"{self._folder} is left behind"

    def _run(self, program: str, *arguments: str) -> None:
        command = [*_as_postgres(), str(self._programs / program), *arguments]
        # Not a pipe: a server that was started keeps what it is given.
        with tempfile.TemporaryFile() as said:
            done = subprocess.run(
                command, stdout=said, stderr=said, env=self.environment, cwd="/", timeout=60, check=False
            )
            said.seek(0)
            assert done.returncode == 0, f"{command}: {said.read().decode()}"


def _as_postgres() -> list[str]:
    return ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []


def both(database: Database, first: Server, second: Server) -> str:
    """Return a store's URL that names two hosts, as an operator's does."""
    address = sqlalchemy.make_url(database.url)
    hosts = (f"127.0.0.1:{first.port}", f"127.0.0.1:{second.port}")
    several = sqlalchemy.URL.create(
        address.drivername,
        username=address.username,
        password=address.password,
        database=address.database,
        query={"host": hosts},
    )
    return several.render_as_string(hide_password=False)
