"""A call between two UEs of a lab: who rings, who answers, how long RTP flows, who hangs up."""

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from lab.scenarios import ue_steps
from lab.supervisor.process import ProgramFailure

if TYPE_CHECKING:
    from lab.supervisor.lab import Lab

RING_S: Final = 10.0
ANSWER_S: Final = 15.0
MEDIA_S: Final = 8.0


async def call(lab: "Lab", step: ue_steps.Call, to: str) -> dict[str, Any]:
    """Carry out a call to ``to``; return the RTP packets of the caller, or the refusal.

    Raises:
        ProgramFailure: the call has another end than the step names, or no RTP flows.
    """
    callee = lab.process(step.callee)
    since = len(callee.events)
    values = {"command": "call", "system": step.caller_system, "to": to, "ring": RING_S}
    calling = asyncio.create_task(lab.command(step.caller, values, ANSWER_S))
    try:
        await callee.event(lambda event: event.get("event") == "call.received", since, RING_S)
        answer = {"command": "answer", "system": step.callee_system, "status": step.status}
        wanted("the answer", await lab.command(step.callee, answer, ANSWER_S), step.status)
        answered = wanted("the call", await calling, step.status)
    finally:
        calling.cancel()
        await asyncio.gather(calling, return_exceptions=True)
    if step.status != 200:
        return answered
    return await _talk(lab, step)


async def _talk(lab: "Lab", step: ue_steps.Call) -> dict[str, Any]:
    ends = {"caller": (step.caller, step.caller_system), "callee": (step.callee, step.callee_system)}
    media = {"command": "await-media", "packets": step.packets, "within": MEDIA_S}
    for ue, system in ends.values():
        counted = await lab.command(ue, {**media, "system": system}, ANSWER_S)
        if not counted.get("ok"):
            raise ProgramFailure(f"{ue}: {counted.get('reason')}")
    ue, system = ends.pop(step.ended_by)
    ((other, _),) = ends.values()
    process = lab.process(other)
    since = len(process.events)
    ended = await lab.command(ue, {"command": "hang-up", "system": system}, ANSWER_S)
    await process.event(lambda event: event.get("event") == "call.ended", since, RING_S)
    return ended


def wanted(what: str, answer: Mapping[str, Any], status: int) -> dict[str, Any]:
    """Return an answer with the status that is wanted.

    Raises:
        ProgramFailure: it has another.
    """
    if answer.get("status") != status:
        raise ProgramFailure(f"{what} ended with {answer.get('status')} {answer.get('reason', '')}, wanted {status}")
    return dict(answer)
