"""Rules about who can be reached: Diameter peers, TLS between them, CSCFs (RFC 6733 §5.3, §13.1; TS 24.229 §5.2.2).

Each is pure.  A connection that fails is no illness by itself: programs start in some order.  It counts where a
registration failed and its Cx request was never sent, or where TLS itself complained.
"""

from collections.abc import Iterator
from typing import Final

from lab.evidence.doctor.attempts import CHALLENGES, Attempt
from lab.evidence.doctor.connections import CERTIFICATE_ALERTS, Connection
from lab.evidence.doctor.sign import Sign, sign
from lab.evidence.doctor.view import View
from lab.evidence.messages import DiameterMessage, SipMessage, walk

CX: Final = "16777216"
AUTH_APPLICATION_ID: Final = 258
SUCCESS: Final = 2001
SHOWN_MAX: Final = 4


def certificate_mismatch(view: View) -> Iterator[Sign]:
    """A fatal alert about a certificate, or a Diameter connection that ends between its handshake and CER."""
    if not view.failed:
        return
    groups: dict[tuple[str, str], list[Connection]] = {}
    for connection in view.connections:
        if _has_complained(connection) or _is_rejected(view, connection):
            groups.setdefault((connection.client, connection.server), []).append(connection)
    for (client, server), connections in groups.items():
        one = connections[0]
        frames = [number for c in connections[:SHOWN_MAX] for number in c.frames]
        frames += [shown.frame for c in connections[:SHOWN_MAX] for shown in c.shown]
        yield sign(f"{view.name(client)} to {view.name(server)} port {one.port}: {_complaint(view, one)}", frames)


def peer_not_open(view: View) -> Iterator[Sign]:
    """A CSCF that has no open Diameter peer answers at once and asks nobody."""
    for attempt in view.failed:
        decider = attempt.decider
        if decider is None or not 500 <= decider.status < 600:
            continue
        who = decider.frame.source
        if _has_asked(attempt, who) or _has_passed_on(attempt, who):
            continue
        text, frames = _why_closed(view, who, decider.frame.time_s)
        said = f"{view.name(who)} answers {decider.status} without any Cx request"
        yield sign(f"{said}: {text}", (decider.frame.number, *frames), attempt)


def cscf_silent(view: View) -> Iterator[Sign]:
    """A REGISTER that goes to a CSCF and comes to nothing: no response, no next hop, no Cx request."""
    for attempt in view.failed:
        last = attempt.rounds[-1]
        answered = {(m.frame.source, m.frame.destination) for m in last.legs if not m.is_request}
        silent = [
            m
            for m in last.legs
            if m.is_request
            and (m.frame.destination, m.frame.source) not in answered
            and not _has_passed_on(attempt, m.frame.destination)
            and not _has_asked(attempt, m.frame.destination)
        ]
        if silent and attempt.status not in CHALLENGES:
            to = silent[-1].frame.destination
            times = sum(m.frame.destination == to for m in silent)
            text = f"{view.name(to)} answers none of {times} REGISTER from {view.name(silent[-1].frame.source)}"
            yield sign(text, _first_and_last(silent), attempt)


def _has_complained(connection: Connection) -> bool:
    return any(alert.code in CERTIFICATE_ALERTS for alert in connection.alerts)


def ends_before_cer(view: View, connection: Connection) -> bool:
    """Tell a readable TLS connection of a Diameter port that was closed before any Diameter passed."""
    return (
        connection.is_tls
        and connection.is_finished
        and connection.closed > 0
        and connection.port in view.diameter_ports
        and connection.stream not in view.diameter_streams
    )


def _is_rejected(view: View, connection: Connection) -> bool:
    """Tell a connection whose certificate its client did not take: another name, or the right one and closed by it.

    A server that closes although its own name was right has something against the client: database.realm_not_routed.
    """
    is_closed_by_client = connection.closed_by == connection.client
    return ends_before_cer(view, connection) and (is_closed_by_client or not shows_its_name(view, connection))


def shows_its_name(view: View, connection: Connection) -> bool:
    """Tell whether the server's certificate has the name under which it was sought."""
    shown = connection.shown_by(connection.server)
    return shown is not None and _expected(view, connection) in shown.names


def _complaint(view: View, connection: Connection) -> str:
    alert = next((alert for alert in connection.alerts if alert.code in CERTIFICATE_ALERTS), None)
    if alert is not None:
        what = f"{view.name(alert.sender)} sends the alert {CERTIFICATE_ALERTS[alert.code]}"
    else:
        what = f"closed by {view.name(connection.closed_by)} after the handshake and before CER"
    doubt = "; the name is right: who signed it is not trusted, or it has expired"
    is_named = shows_its_name(view, connection) and connection.closed_by == connection.client
    return f"{what}; {_names(view, connection)}{doubt if is_named else ''}"


def _names(view: View, connection: Connection) -> str:
    shown = connection.shown_by(connection.server)
    names = ", ".join(shown.names) if shown else "nothing that could be read"
    return f"the server shows {names}; expected {_expected(view, connection) or 'unknown'}"


def _expected(view: View, connection: Connection) -> str:
    return (view.facts.names().get(connection.server) if view.facts else "") or connection.asked_for


def _has_asked(attempt: Attempt, who: str) -> bool:
    return any(hop.request.frame.source == who for hop in attempt.hops)


def _has_passed_on(attempt: Attempt, who: str) -> bool:
    return any(m.is_request and m.frame.source == who for m in attempt.rounds[-1].legs)


def _why_closed(view: View, who: str, at_s: float) -> tuple[str, tuple[int, ...]]:
    """Return why a CSCF has no open peer, by the last thing that its Diameter connections show before a moment."""
    own = [c for c in view.connections if c.client == who and c.port in view.diameter_ports and c.opened_s <= at_s]
    if not own:
        return "the capture holds no Diameter connection of it (capture that interface too)", ()
    last = own[-1]
    end = f"{view.name(last.server)} port {last.port}"
    if last.refused:
        return f"{end} refuses the connection", last.frames
    if not last.accepted:
        return f"{end} does not answer its SYN", last.frames
    exchange = [m for m in view.exchanges_of_capabilities(who) if m.frame.stream == last.stream]
    answer = next((m for m in exchange if not m.is_request), None)
    numbers = (*last.frames, *(m.frame.number for m in exchange))
    if exchange and answer is None:
        return f"{end} never answers the CER", numbers
    if answer is not None and answer.result_code != SUCCESS:
        return f"{end} answers the CER with {answer.result_code}{_message(answer)}", numbers
    if answer is not None and not _has_cx(answer):
        return f"the CEA of {end} does not name Cx in a Vendor-Specific-Application-Id", numbers
    if last.closed:
        return f"{end} closed the connection in frame {last.closed} and none was opened since", numbers
    return f"its connection to {end} is open; the watchdog or the route to the realm is in doubt", numbers


def _has_cx(answer: DiameterMessage) -> bool:
    return any(avp.code == AUTH_APPLICATION_ID and CX in avp.value for avp in walk(answer.avps))


def _message(answer: DiameterMessage) -> str:
    text = answer.value(281)
    return f" ({text})" if text else ""


def _first_and_last(messages: list[SipMessage]) -> tuple[int, ...]:
    return (messages[0].frame.number, messages[-1].frame.number)
