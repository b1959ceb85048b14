"""The runs of a chaos drill in one lab: a user migrates, a program dies meanwhile, both stores are read, he goes home.

What the UE is told on the way is noted, not judged: it comes again, as a person would, until it is through.  ``chaos``
has the plan and what must hold.
"""

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from lab.scenarios import system_steps
from lab.scenarios.chaos import LIVE, ChaosRun, Store, Strike, judge_empty, judge_stores, private_identity, strike_of
from lab.scenarios.errands import administer, ask_feed
from lab.supervisor.process import ProgramFailure

if TYPE_CHECKING:
    from lab.supervisor.lab import Lab

THROUGH_S: Final = 60.0
AGREE_S: Final = 15.0
ANSWER_S: Final = 45.0
COME_AGAIN_S: Final = 0.3
LOOK_EVERY_S: Final = 0.3
REASON: Final = "chaos drill"
NOT_REGISTERED: Final = "not registered at"
"""What a UE says that has nothing left to de-register."""


async def drill(lab: "Lab", step: system_steps.Chaos) -> dict[str, Any]:
    """Do the runs, telling each, and stop after the first that fails: what follows it would prove nothing."""
    done: list[ChaosRun] = []
    for number in range(step.first, step.last + 1):
        strike = strike_of(step.seed, number, killable(lab))
        lab.timeline.note("chaos.began", number=number, strike=strike.shown())
        run = await _Drill(lab, step, strike).run()
        done.append(run)
        lab.timeline.note("chaos.run", run=run.as_json())
        if run.faults:
            break
    return {"runs": len(done), "failed": sum(bool(run.faults) for run in done)}


def killable(lab: "Lab") -> list[str]:
    """Return the hosts whose program may die: every functional entity; the UE is who looks."""
    return [host.key for host in lab.topology.hosts() if host.role != "ue" and host.key in lab.processes]


class _Drill:
    """One run."""

    def __init__(self, lab: "Lab", step: system_steps.Chaos, strike: Strike) -> None:
        self._lab = lab
        self._step = step
        self._strike = strike
        self._run = ChaosRun(strike)
        self._striking: asyncio.Task[None] | None = None
        self._known: dict[str, set[str]] = {step.home: set(), step.partner: set()}

    async def run(self) -> ChaosRun:
        """Do it and return what came of it."""
        began = _now()
        try:
            await self._migrate()
            await self._everything_is_up()
            await self._until_right(judge_stores)
            await self._go_home()
        except (ProgramFailure, TimeoutError, OSError) as exc:
            self._run.faults.append(str(exc).splitlines()[0])
        finally:
            if self._striking is not None and not self._striking.done():
                self._striking.cancel()
                await asyncio.gather(self._striking, return_exceptions=True)
        self._run.took_s = round(_now() - began, 2)
        return self._run

    async def _migrate(self) -> None:
        """Do stage after stage; where one fails, come again from the first."""
        step, deadline = self._step, _now() + THROUGH_S
        stages: tuple[tuple[str, Mapping[str, Any]], ...] = (
            ("authenticate", {"command": "authenticate", "system": step.home, "flow": "password"}),
            (
                "get-connection-details",
                {"command": "get-connection-details", "partner": step.partner, "location": dict(step.location)},
            ),
            ("authenticate-at-partner", {"command": "authenticate", "system": step.partner, "flow": "password"}),
            ("register", {"command": "register", "system": step.partner, "expires": 600}),
        )
        position = 0
        while position < len(stages):
            name, values = stages[position]
            if name == "authenticate-at-partner":
                await self._lab.runtime.move(step.ue, step.partner)
            if name == self._strike.stage and self._striking is None:
                self._striking = asyncio.create_task(self._hit())
            if await self._asked(name, values):
                position += 1
                continue
            if _now() > deadline:
                raise ProgramFailure(f"{step.ue} did not come through in {THROUGH_S:g} s: {self._run.seen[-1]}")
            await asyncio.sleep(COME_AGAIN_S)
            position = 0

    async def _hit(self) -> None:
        await asyncio.sleep(self._strike.after_s)
        await self._lab.kill(self._strike.host)
        await asyncio.sleep(self._strike.dead_s)
        await self._lab.restart(self._strike.host)

    async def _asked(self, name: str, values: Mapping[str, Any]) -> bool:
        """Tell the UE what to do; note what it says where that is no success."""
        answer = await self._lab.command(self._step.ue, values, ANSWER_S)
        status = answer.get("status")
        if answer.get("ok") and (values["command"] not in ("register", "deregister") or status == 200):
            return True
        parts = [str(answer[key]) for key in ("status", "step", "reason") if answer.get(key)]
        self._run.seen.append(f"{name} {' '.join(parts)[:80]}")
        return False

    async def _everything_is_up(self) -> None:
        if self._striking is None:
            raise ProgramFailure("the strike never came")
        await self._striking
        down = [one["host"] for one in self._lab.status()["hosts"] if one["state"] not in ("ready", "no program")]
        if down:
            raise ProgramFailure(f"not up again: {', '.join(down)}")

    async def _until_right(self, judge: Any) -> None:
        """Read both stores until nothing is wrong with them, or long enough: then what is wrong is a fault."""
        deadline = _now() + AGREE_S
        while True:
            faults = judge(
                await self._store(self._step.home, "primary"), await self._store(self._step.partner, "partner")
            )
            if not faults or _now() > deadline:
                self._run.faults += faults
                return
            await asyncio.sleep(LOOK_EVERY_S)

    async def _store(self, system: str, role: str) -> Store:
        listed = await administer(self._lab, system, {"action": "list", "role": role})
        bindings = tuple(listed["bindings"])
        self._known[system] |= {private_identity(one) for one in bindings}
        found = await ask_feed(self._lab, system, sorted(self._known[system]))
        return Store(bindings, found)

    async def _go_home(self) -> None:
        """De-register, go home, and give everything back: the next run begins as the first one did."""
        step, deadline = self._step, _now() + THROUGH_S
        while not await self._asked("deregister", {"command": "deregister", "system": step.partner}):
            if NOT_REGISTERED in self._run.seen[-1]:
                break  # the S-CSCF had died after the 200 and refused; the RTR of the release must end the rest
            if _now() > deadline:
                raise ProgramFailure(f"{step.ue} could not de-register: {self._run.seen[-1]}")
            await asyncio.sleep(COME_AGAIN_S)
        await self._lab.runtime.move(step.ue, step.home)
        for system, role in ((step.home, "primary"), (step.partner, "partner")):
            task = {"action": "release", "role": role, "other_system": "", "reason": REASON, "states": sorted(LIVE)}
            await administer(self._lab, system, {**task, "none_is_fine": True})
        await self._until_right(judge_empty)


def _now() -> float:
    return asyncio.get_running_loop().time()
