"""Carries the steps of a scenario out in a lab that is up.

It judges nothing: it stops where a step has another outcome than the step names, because what follows would be
meaningless; the verdict is the capture's (``lab.evidence``).
"""

import asyncio
from collections.abc import Mapping
from typing import Any, Final

from lab.attach.flight import preflight
from lab.faults import marks
from lab.faults.fault import FaultError
from lab.faults.sighting import Sighting
from lab.runtime.runtime import RuntimeFailure
from lab.scenarios import model, system_steps, ue_steps
from lab.scenarios.calls import call
from lab.scenarios.chaos_runs import drill
from lab.scenarios.errands import (
    await_bindings,
    change_bindings,
    change_withdrawal,
    command_hss,
    enter_connection_details,
    import_binding,
    replay_assertion,
    rotate_key,
    send_mar,
)
from lab.scenarios.storms import blow, enter_crowd
from lab.supervisor.lab import Lab
from lab.supervisor.process import ProgramFailure

UE_ANSWER_S: Final = 20.0
ARRIVAL_S: Final = 5.0
COME_AGAIN: Final = (503, 504)
REGISTER_AGAIN: Final = (500, *COME_AGAIN)
"""What a UE registers again after (TS 24.229 §5.1.1.2.1): 500 is what Kamailio makes of a SAR that fails."""
PASSES: Final = (401, *COME_AGAIN)
COME_AGAIN_S: Final = 0.3


class StepFailed(RuntimeError):
    """A step had another outcome than it names, or no outcome at all."""


class Runner:
    """One scenario in one lab."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self._details: dict[tuple[str, str], Mapping[str, Any]] = {}

    async def run(self, steps: tuple[model.Step, ...]) -> None:
        """Carry the steps out, one after the other.

        Raises:
            StepFailed: a step's outcome is not the one that it names.
        """
        for number, step in enumerate(steps, 1):
            self._lab.timeline.note("step.began", number=number, **model.describe(step))
            try:
                outcome = await self._carry_out(step)
            except (ProgramFailure, RuntimeFailure, FaultError, TimeoutError, OSError) as exc:
                self._lab.timeline.note("step.failed", number=number, reason=str(exc))
                raise StepFailed(f"step {number} {shown(step)}: {exc}") from exc
            except StepFailed as exc:
                self._lab.timeline.note("step.failed", number=number, reason=str(exc))
                raise StepFailed(f"step {number} {shown(step)}: {exc}") from exc
            self._lab.timeline.note("step.done", number=number, step=type(step).__name__, outcome=outcome)

    async def _carry_out(self, step: model.Step) -> dict[str, Any]:
        match step:
            case ue_steps.Authenticate():
                return await self._authenticate(step)
            case ue_steps.GetConnectionDetails():
                return await self._get_connection_details(step)
            case ue_steps.Register():
                values = {"command": "register", "system": step.system, "expires": step.expires}
                if step.vouched_by is not None:
                    values["service_authorisation"] = step.vouched_by
                return await self._register(step, values)
            case ue_steps.Refresh():
                values = {"command": "refresh", "system": step.system}
                return await self._register(step, values)
            case ue_steps.Deregister():
                values = {"command": "deregister", "system": step.system}
                return await self._register(step, values)
            case ue_steps.Message():
                return await self._message(step)
            case ue_steps.Call():
                return await call(self._lab, step, self._identities(f"{step.callee}.{step.callee_system}")[1])
            case ue_steps.Isim():
                return await self._done(step.ue, {"command": "isim", "sqn": step.sqn})
            case system_steps.EnterConnectionDetails():
                return self._enter_details(step)
            case model.During():
                return await self._during(step)
            case _:
                return await self._do_errand(step)

    async def _do_errand(self, step: model.Step) -> dict[str, Any]:
        match step:
            case system_steps.ChangeBindings():
                return await change_bindings(self._lab, step)
            case system_steps.AwaitBindings():
                return await await_bindings(self._lab, step)
            case system_steps.Withdraw() | system_steps.Restore():
                return await change_withdrawal(self._lab, step)
            case system_steps.ImportBinding():
                return await import_binding(self._lab, step)
            case system_steps.RotateKey():
                return await rotate_key(self._lab, step)
            case system_steps.ReplayAssertion():
                return await replay_assertion(self._lab, step)
            case system_steps.Hss():
                return await command_hss(self._lab, step)
            case system_steps.SendDiameter():
                return await self._send_diameter(step)
            case system_steps.EnterCrowd():
                return await enter_crowd(self._lab)
            case system_steps.Storm():
                return await blow(self._lab, step)
            case system_steps.Preflight():
                return await self._preflight(step)
            case system_steps.Chaos():
                return await drill(self._lab, step)
            case _:
                return await self._change_lab(step)

    async def _change_lab(self, step: model.Step) -> dict[str, Any]:
        match step:
            case ue_steps.Move():
                await self._lab.runtime.move(step.ue, step.system)
            case ue_steps.Attach():
                await self._lab.runtime.attach(step.ue, step.system)
            case system_steps.Kill():
                await self._lab.kill(step.host)
            case system_steps.Start():
                await self._lab.restart(step.host)
            case system_steps.Pause():
                self._lab.pause(step.host)
            case system_steps.Resume():
                self._lab.resume(step.host)
            case system_steps.Cut():
                await self._lab.runtime.cut(step.system)
            case system_steps.Mend():
                await self._lab.runtime.mend(step.system)
            case system_steps.BeginFault():
                await self._lab.faults.begin(step.fault)
            case system_steps.EndFault():
                await self._lab.faults.end(step.fault.kind, step.fault.target)
            case system_steps.Mark():
                await self._lab.faults.mark(marks.MOMENT + step.name)
            case model.Wait():
                await asyncio.sleep(step.seconds)
            case _:
                raise StepFailed("nobody knows how to carry this out")
        return {}

    async def _during(self, step: model.During) -> dict[str, Any]:
        """Carry out what happens meanwhile, once the step is under way; its outcome is the step's."""
        sighting = await Sighting.start(self._lab, step.when) if step.when else None
        under_way = asyncio.create_task(self._carry_out(step.step))
        try:
            if sighting is not None:
                await sighting.wait(under_way)
            for one in step.meanwhile:
                await self._carry_out(one)
            return await under_way
        finally:
            if sighting is not None:
                await sighting.end()
            under_way.cancel()
            await asyncio.gather(under_way, return_exceptions=True)

    async def _authenticate(self, step: ue_steps.Authenticate) -> dict[str, Any]:
        values = {"command": "authenticate", "system": step.system, "flow": step.flow}
        if step.status == 200:
            return await self._done(step.ue, values)
        return await self._with_status(step.ue, values, step.status)

    async def _ask(self, ue: str, values: Mapping[str, Any]) -> dict[str, Any]:
        return await self._lab.command(ue, values, UE_ANSWER_S)

    async def _done(self, ue: str, values: Mapping[str, Any]) -> dict[str, Any]:
        answer = await self._ask(ue, values)
        if not answer.get("ok"):
            raise StepFailed(f"{ue} answers {reason_of(answer)}")
        return answer

    async def _ask_again(self, ue: str, values: Mapping[str, Any], patience_s: float) -> dict[str, Any]:
        """Ask until the answer is none that passes by itself, or the patience is over."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + patience_s
        while True:
            answer = await self._ask(ue, values)
            if answer.get("status") not in PASSES or loop.time() > deadline:
                return answer
            await asyncio.sleep(COME_AGAIN_S)

    async def _with_status(
        self,
        ue: str,
        values: Mapping[str, Any],
        wanted: int | tuple[int, ...],
        patience_s: float = 0.0,
        come_again: tuple[int, ...] = COME_AGAIN,
    ) -> dict[str, Any]:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + patience_s
        while True:
            answer = await self._ask(ue, values)
            if (answer.get("status") or 0) in (wanted if isinstance(wanted, tuple) else (wanted,)):
                return answer
            if answer.get("status") not in come_again or loop.time() > deadline:
                raise StepFailed(f"{ue} answers {reason_of(answer)}, wanted status {wanted}")
            await asyncio.sleep(COME_AGAIN_S)

    async def _register(
        self, step: ue_steps.Register | ue_steps.Refresh | ue_steps.Deregister, values: Mapping[str, Any]
    ) -> dict[str, Any]:
        return await self._with_status(step.ue, values, step.status, step.patience_s, REGISTER_AGAIN)

    async def _get_connection_details(self, step: ue_steps.GetConnectionDetails) -> dict[str, Any]:
        values = {
            "command": "get-connection-details",
            "partner": step.partner,
            "location": dict(step.location) or None,
        }
        answer = await self._ask_again(step.ue, values, step.patience_s)
        if step.status == 200:
            if not answer.get("ok"):
                raise StepFailed(f"{step.ue} answers {reason_of(answer)}")
            given = str(answer.get("partner_mc_system"))
            if step.partner_given not in (None, given):
                raise StepFailed(f"partner {given} was given, wanted {step.partner_given}")
            self._details[step.ue, given] = answer
            return answer
        if answer.get("ok") or (answer.get("status") or 0) != step.status:
            raise StepFailed(f"{step.ue} answers {reason_of(answer)}, wanted status {step.status}")
        if step.refused_in is not None and answer.get("step") not in (None, step.refused_in):
            raise StepFailed(f"refused in step {answer.get('step')}, wanted {step.refused_in}")
        return answer

    async def _message(self, step: ue_steps.Message) -> dict[str, Any]:
        receiver = self._lab.process(step.receiver)
        since = len(receiver.events)
        to = self._identities(f"{step.receiver}.{step.receiver_system}")[1]
        values = {"command": "message", "system": step.sender_system, "to": to, "text": step.text}
        answer = await self._with_status(step.sender, values, step.status, step.patience_s, (*COME_AGAIN, 200))
        if step.status == 200:
            await receiver.event(
                lambda event: event.get("event") == "message.received" and event.get("text") == step.text,
                since,
                ARRIVAL_S,
            )
        return answer

    def _enter_details(self, step: system_steps.EnterConnectionDetails) -> dict[str, Any]:
        identities = {
            "private_user_identity": step.private_user_identity,
            "public_user_identities": list(step.public_user_identities),
        }
        enter_connection_details(self._lab, step, identities)
        self._details[step.ue, step.partner] = {"identities": identities}
        return {}

    async def _preflight(self, step: system_steps.Preflight) -> dict[str, Any]:
        findings = await preflight(self._lab, step.system, step.ue)
        self._lab.timeline.note("preflight.done", findings=[one.as_json() for one in findings])
        failed = [one for one in findings if not one.ok]
        if failed:
            raise StepFailed(f"{len(failed)} of {len(findings)} checks before the flight fail: {failed[0].what}")
        return {"checks": len(findings)}

    async def _send_diameter(self, step: system_steps.SendDiameter) -> dict[str, Any]:
        private = self._resolved(step.private_user_identity, 0)
        public = self._resolved(step.public_user_identity, 1)
        return await send_mar(self._lab, step, private, public)

    def _resolved(self, text: str, position: int) -> str:
        head, _, which = text.partition(".")
        if "@" in text or head not in self._lab.topology.ues:
            return text
        return self._identities(f"{head}.{which}")[position]

    def _identities(self, which: str) -> tuple[str, str]:
        """Return IMPI and first IMPU of ``ue.system``: the ISIM's at home, those lent by a partner elsewhere."""
        ue, _, system = which.partition(".")
        topology = self._lab.topology
        if system == topology.home_of(ue):
            isim = topology.users[topology.ues[ue].isim_of or topology.ues[ue].user].isim
            return isim.private_user_identity, isim.public_user_identities[0]
        try:
            identities = self._details[ue, system]["identities"]
        except KeyError:
            raise StepFailed(f"{ue} has no connection details of {system}") from None
        return identities["private_user_identity"], identities["public_user_identities"][0]


def reason_of(answer: Mapping[str, Any]) -> str:
    """Return a UE's answer in one line."""
    parts = [str(answer[key]) for key in ("status", "step", "reason") if answer.get(key) is not None]
    return " ".join(parts) or str(dict(answer))


def shown(step: model.Step) -> str:
    """Return a step in one line."""
    values = {key: value for key, value in model.describe(step).items() if key != "step" and value}
    inside = ", ".join(f"{key}={value}" for key, value in values.items())
    return f"{type(step).__name__}({inside})"
