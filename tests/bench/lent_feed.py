"""A feed with many lent sets, so that a proxy under measurement has the identity map of a large system.

Pages as ``mmserver.messages.FeedPage`` describes them, over plain HTTP on loopback; a poll that finds nothing new is
held for a second.
"""

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

from tests.bench.cx_templates import PARTNER, PRIMARY, identities

NOT_AFTER: Final = "2099-01-01T00:00:00+00:00"


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

    def entries(self, after: int, limit: int) -> list[dict[str, Any]]:
        """Return the entries after a version; entry N has version N."""
        return [_entry(number, self.role, self.system) for number in range(after, min(after + limit, self.users))]


def _entry(number: int, role: str, system: str) -> dict[str, Any]:
    ours, theirs = _set(PARTNER, number), _set(PRIMARY, number)
    return {
        "binding": f"binding-{number:08d}",
        "version": number + 1,
        "role": role,
        "other_mc_system": system,
        "enabled": True,
        "not_after": NOT_AFTER,
        "identities": ours if role == "partner" else theirs,
        "counterpart": theirs if role == "partner" else _set(PARTNER, number),
        "provisioned": True,
    }


def _set(kind: tuple[str, str], number: int) -> dict[str, Any]:
    impi, impu = identities(kind, f"{number:08d}")
    return {"private_user_identity": impi, "public_user_identities": [impu]}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: LentFeed

    def do_GET(self) -> None:
        query = parse_qs(urlsplit(self.path).query)
        after, limit = int(query["after"][0]), int(query["limit"][0])
        entries = self.server.entries(after, limit)
        if not entries:
            time.sleep(min(1.0, float(query["wait_s"][0])))
        version = after + len(entries)
        page = {
            "lent_range": {"domain": PARTNER[1], "prefix": "mig-"},
            "version": version,
            "reset": False,
            "complete": version >= self.server.users,
            "entries": entries,
        }
        self._answer(json.dumps(page).encode())

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
