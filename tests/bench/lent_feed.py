"""A feed with many lent sets, so that a proxy under measurement has the identity map of a large system.

Rows and pages as ``mmserver.messages`` describes them, over plain HTTP on loopback; a poll that finds nothing new is
held for a second.
"""

import contextlib
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

from tests.bench.cx_templates import PARTNER, PRIMARY, identities

NOT_AFTER_S: Final = 4_000_000_000.0


class LentFeed(ThreadingHTTPServer):
    """Serves ``users`` bindings: partner sets of ``system`` or primary sets lent to it."""

    daemon_threads = True

    def __init__(self, users: int, *, role: str, system: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.users: Final = users
        self.role: Final = role
        self.system: Final = system
        self._thread = threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """Where the proxy finds it."""
        return f"http://127.0.0.1:{self.server_address[1]}"

    def stop(self) -> None:
        """End it."""
        self.shutdown()
        self.server_close()

    def rows(self, after: int, limit: int) -> list[tuple[Any, ...]]:
        """Return the rows after a version (``mmserver.messages.FeedRow``); row N has version N."""
        return [_row(number, self.role, self.system) for number in range(after, min(after + limit, self.users))]


def _row(number: int, role: str, system: str) -> tuple[Any, ...]:
    sets = [identities(kind, f"{number:08d}") for kind in (PARTNER, PRIMARY)]
    mine, theirs = sets if role == "partner" else sets[::-1]
    return f"binding-{number:08d}", number + 1, False, role, system, True, NOT_AFTER_S, True, mine, theirs


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: LentFeed

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        query = parse_qs(url.query)
        after, limit = int(query["after"][0]), int(query["limit"][0])
        rows = self.server.rows(after, limit)
        if not rows:
            time.sleep(min(1.0, float(query.get("wait_s", "0")[0])))
        version = after + len(rows)
        page = {
            "lent_range": {"domain": PARTNER[1], "prefix": "mig-"},
            "version": version,
            "reset": False,
            "complete": version >= self.server.users,
        }
        kind = "rows" if url.path.endswith("/rows") else "entries"  # all is read as rows; nothing changes later
        with contextlib.suppress(ConnectionError):  # the proxy has ended, or reads its file again
            self._answer(json.dumps({**page, kind: rows}).encode())

    def do_PUT(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self._answer(b"{}")

    def _answer(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        """Say nothing."""
