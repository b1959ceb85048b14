"""A small MMS for the proxy to follow: long poll, large pages, look-up, acknowledgements, events and uses."""

import asyncio
import contextlib
import json
import time
from datetime import UTC, datetime
from urllib.parse import unquote

from mmserver.messages import FeedEntry, FeedPage, FeedRows, IdentitySet, LentRange


class Feed:
    """A small MMS: long poll, look-up, acknowledgements and events over HTTPS with mutual TLS."""

    def __init__(self, domain, prefix="mig-"):
        self.lent_range = LentRange(domain=domain, prefix=prefix)
        self.entries = {}
        self.hidden = {}
        self.version = 1
        self.resets = False
        self.acknowledged = []
        self.events = []
        self.uses = []
        self.looked_up = []
        self.is_down = False
        self.look_up_delay_s = 0.0
        self._changed = asyncio.Event()

    def lend(self, binding, role, other, identities, counterpart, *, told=True, **changes):
        """Enter or change a binding; with ``told=False`` only a look-up finds it."""
        self.version += 1
        fields = {
            "binding": binding,
            "version": self.version,
            "role": role,
            "other_mc_system": other,
            "enabled": True,
            "not_after": datetime.fromtimestamp(time.time() + 3600, UTC),
            "identities": IdentitySet(private_user_identity=identities[0], public_user_identities=identities[1:]),
            "counterpart": IdentitySet(private_user_identity=counterpart[0], public_user_identities=counterpart[1:]),
            "provisioned": True,
        }
        entry = FeedEntry(**{**fields, **changes})
        (self.entries if told else self.hidden)[binding] = entry
        if told:
            self.wake()
        else:
            self.version += 1
            self.hidden[binding] = entry.model_copy(update={"version": self.version + 1})
        return entry

    def change(self, binding, **changes):
        """Change fields of a binding; the next page holds it."""
        self.version += 1
        self.entries[binding] = self.entries[binding].model_copy(update={**changes, "version": self.version})
        self.wake()

    def wake(self):
        self._changed.set()
        self._changed = asyncio.Event()

    async def __call__(self, scope, receive, send):
        if scope["type"] != "http":
            return
        body = b""
        while True:
            part = await receive()
            body += part.get("body", b"")
            if not part.get("more_body"):
                break
        status, content = 503, b""
        if not self.is_down:
            status, content = await self.respond(scope, body)
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": content})

    async def respond(self, scope, body):
        path = scope["raw_path"].decode().split("?")[0]
        if path == "/feed/v1/changes":
            query = dict(pair.split("=") for pair in scope["query_string"].decode().split("&"))
            return 200, await self.page(int(query["after"]), float(query["wait_s"]), int(query["limit"]))
        if path == "/feed/v1/rows":
            query = dict(pair.split("=") for pair in scope["query_string"].decode().split("&"))
            return 200, self.rows(int(query["after"]), int(query["limit"]))
        if path.startswith("/feed/v1/identities/"):
            wanted = unquote(path.rpartition("/")[2])
            self.looked_up.append(wanted)
            await asyncio.sleep(self.look_up_delay_s)
            for entry in (*self.entries.values(), *self.hidden.values()):
                named = (entry.identities.private_user_identity, *entry.identities.public_user_identities)
                if wanted in named:
                    return 200, entry.model_dump_json().encode()
            return 404, b"{}"
        if path == "/feed/v1/acknowledgement":
            self.acknowledged.append(json.loads(body))
            return 204, b""
        if path == "/feed/v1/uses":
            self.uses.append(json.loads(body))
            return 204, b""
        if path == "/feed/v1/events":
            self.events.append(json.loads(body))
            return 204, b""
        return 404, b""

    async def page(self, after, wait_s, limit):
        reset = self.resets
        if reset:
            after, self.resets = 0, False
        found = self.after(after)
        if not found and not reset and wait_s:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._changed.wait(), wait_s)
            found = self.after(after)
        page = found[:limit]
        complete = len(found) <= limit
        version = self.version if complete else page[-1].version
        return (
            FeedPage(lent_range=self.lent_range, version=version, reset=reset, complete=complete, entries=tuple(page))
            .model_dump_json()
            .encode()
        )

    def rows(self, after, limit):
        """Return a large page: a row for each entry."""
        reset = self.resets
        if reset:
            after, self.resets = 0, False
        found = self.after(after)
        page, complete = found[:limit], len(found) <= limit
        version = self.version if complete else page[-1].version
        rows = tuple(map(row_of, page))
        return (
            FeedRows(lent_range=self.lent_range, version=version, reset=reset, complete=complete, rows=rows)
            .model_dump_json()
            .encode()
        )

    def after(self, version):
        return sorted((e for e in self.entries.values() if e.version > version), key=lambda e: e.version)


class Instance:
    """One more MMS over the database of a feed, which may be down by itself."""

    def __init__(self, feed):
        self.feed, self.is_down, self.asked = feed, False, []

    async def __call__(self, scope, receive, send):
        self.asked.append(scope.get("path", ""))
        if not self.is_down:
            await self.feed(scope, receive, send)
            return
        await send({"type": "http.response.start", "status": 503, "headers": []})
        await send({"type": "http.response.body", "body": b""})


def row_of(entry):
    """Return an entry of the feed as a row (``FeedRow``)."""
    mine, theirs = (
        (one.private_user_identity, *one.public_user_identities) for one in (entry.identities, entry.counterpart)
    )
    return (
        entry.binding, entry.version, entry.deleted, entry.role, entry.other_mc_system, entry.enabled,
        entry.not_after.timestamp(), entry.provisioned, mine, theirs,
    )  # fmt: skip
