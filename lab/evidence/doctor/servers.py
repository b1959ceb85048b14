"""Rules about the servers of migration and of authentication: one that is away, one whose store cannot be used.

Each is pure.  A connection that is refused is no illness by itself: programs start in some order, and a second instance
may serve.  It counts where a UE wanted it, or where who wanted it told somebody 502, 503 or 504 for it.
"""

from collections.abc import Iterator
from typing import Final

from lab.evidence.doctor.connections import Connection
from lab.evidence.doctor.sign import Sign, sign
from lab.evidence.doctor.view import View
from lab.evidence.messages import HttpMessage

HTTPS: Final = 443
PASSED_ON: Final = frozenset({502, 503, 504})
PASSED_ON_WITHIN_S: Final = 5.0
"""A server gives another up before that (``peers.timeout_s``)."""
CSC_4: Final = "/csc-4/"
STORE: Final = "store-unavailable"


def server_away(view: View) -> Iterator[Sign]:
    """Nobody accepts a connection for HTTP, or it ends with a request unanswered; and somebody suffers by it."""
    groups: dict[tuple[str, str], list[tuple[Connection, str, tuple[int, ...]]]] = {}
    for connection in view.connections:
        what = _what_is_wrong(view, connection)
        suffers = _who_suffers(view, connection) if what else None
        if suffers is not None:
            groups.setdefault((connection.client, connection.server), []).append((connection, what, suffers))
    for (client, server), found in groups.items():
        connection, what, _ = found[0]
        frames = [number for one, _, told in found[:2] for number in (*one.frames, *told)]
        yield sign(f"{view.name(client)} to {view.name(server)} port {connection.port}: {what}", frames)


def store_unavailable(view: View) -> Iterator[Sign]:
    """503 of a server that cannot read or write its store (RFC 9457 problem type store-unavailable)."""
    for message in view.capture.http:
        problem = str(message.json().get("type", "")) if message.status == 503 else ""
        if problem.rpartition(":")[2] == STORE:
            who = view.name(message.frame.source)
            yield sign(f"{who} answers 503 {STORE}: its disk is full, or its database gone", (message.frame.number,))


def _what_is_wrong(view: View, connection: Connection) -> str:
    """Return what is wrong with a connection for HTTP, empty when nothing is."""
    if connection.port != HTTPS and connection.stream not in {m.frame.stream for m in view.capture.http}:
        return ""
    if connection.refused:
        return "the connection is refused"
    if connection.opened and not connection.accepted:
        return "nobody answers the SYN"
    if connection.closed_by == connection.server and _is_waiting(view, connection):
        return "it ends while a request waits for its answer"
    return ""


def _is_waiting(view: View, connection: Connection) -> bool:
    messages = [m for m in view.capture.http if m.frame.stream == connection.stream]
    return sum(m.is_request for m in messages) > sum(not m.is_request for m in messages)


def _who_suffers(view: View, connection: Connection) -> tuple[int, ...] | None:
    """Return the frame in which the client says 502, 503 or 504 for it, none where it is a UE; None: nobody suffers."""
    if _is_ue(view, connection.client):
        return ()  # nobody asks a UE, so it has nobody to tell
    told = next((m for m in view.capture.http if _is_told(m, connection)), None)
    return None if told is None else (told.frame.number,)


def _is_ue(view: View, address: str) -> bool:
    """Tell a UE: by the run's facts, else by what it asks for."""
    if view.facts is not None:
        return any(address in ue.addresses for ue in view.facts.ues)
    asked = (m.frame.source for m in view.capture.http if m.is_request and CSC_4 in m.path)
    return address in {attempt.ue for attempt in view.attempts}.union(asked)


def _is_told(message: HttpMessage, connection: Connection) -> bool:
    after_s = message.frame.time_s - connection.opened_s
    is_its = message.frame.source == connection.client and message.status in PASSED_ON
    return is_its and 0 <= after_s <= PASSED_ON_WITHIN_S
