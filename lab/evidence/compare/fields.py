"""Which AVPs, headers and members the frames of each step have: by name, and with a value only where it may be shown.

Values differ from run to run; a field that is there in one run and not in the other is what is looked for.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeAlias

from lab.evidence.decoded import DEPTH_MAX, Message, decoded_fields
from lab.evidence.messages import DiameterMessage, HttpMessage, SipMessage, walk
from lab.evidence.report import StepReport
from lab.evidence.story import Evidence
from lab.evidence.texts import digest_parameters, form_of

Fields: TypeAlias = dict[str, str]


def fields_of_steps(steps: Iterable[StepReport], evidence: Evidence) -> dict[str, Fields]:
    """Return step -> field name -> value; the value is empty where it may not be shown (``decoded``)."""
    capture = evidence.capture
    messages: defaultdict[int, list[Message]] = defaultdict(list)
    everything: tuple[Message, ...] = (*capture.sip, *capture.diameter, *capture.http)
    for message in everything:
        messages[message.frame.number].append(message)
    return {step.id: _merged(m for number in step.frames for m in messages[number]) for step in steps}


def _merged(messages: Iterable[Message]) -> Fields:
    found: Fields = {}
    for message in messages:
        shown = dict(decoded_fields(message))
        for name in _names(message):
            found.setdefault(name, shown.get(name.partition(": ")[2], ""))
    return found


def _names(message: Message) -> Iterator[str]:
    """Yield the names of all fields, with what they are of: ``MAR: User-Name``, ``REGISTER: contact``."""
    match message:
        case DiameterMessage():
            kind = dict(decoded_fields(message))["command"].partition(" ")[0]
            yield from (f"{kind}: {avp.name}" for avp in walk(message.avps))
        case SipMessage():
            kind = message.method or f"{message.cseq[1]} {message.status // 100}xx"
            yield from (f"{kind}: {name}" for name in message.headers)
            for header in ("authorization", "www-authenticate"):
                yield from (f"{kind}: {header} {name}" for name in digest_parameters(message.header(header)))
        case HttpMessage():
            kind = "request" if message.is_request else "response"
            yield from (f"{kind}: header {name}" for name in message.headers)
            body = form_of(message) if "form" in message.headers.get("content-type", "") else message.json()
            yield from (f"{kind}: {name}" for name in _members(body))


def _members(value: Mapping[str, Any], path: tuple[str, ...] = ()) -> Iterator[str]:
    for name, inner in value.items():
        yield ".".join((*path, str(name)))
        if isinstance(inner, dict) and len(path) < DEPTH_MAX:
            yield from _members(inner, (*path, str(name)))
