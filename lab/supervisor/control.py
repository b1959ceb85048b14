"""The supervisor's Unix socket: one JSON object a line in, one out.

    {"command":"status"}                                     what runs
    {"command":"down"}                                       take the lab down
    {"command":"ue","ue":"ue1","values":{"command":...}}     a command to a UE (``ue-agent run``)
    {"command":"kill"|"start"|"pause"|"resume","host":...}   a program
    {"command":"begin-fault","fault":{"kind":...}}           a fault (lab.faults.fault); end-fault, end-faults mend
    {"command":"move"|"attach","ue":...,"system":...}  {"command":"cut"|"mend","system":...}

Root alone may open it.
"""

import asyncio
import json
from pathlib import Path
from types import TracebackType
from typing import Any, Final

from lab.faults.fault import FaultError, parse_fault
from lab.runtime.runtime import RuntimeFailure
from lab.supervisor.lab import Lab
from lab.supervisor.process import ProgramFailure

SOCKET_NAME: Final = "supervisor"
STAY: Final = b"stay\n"
"""What a supervisor is told on its standard input, and nothing else, where the lab is to outlive whoever started it."""
LINE_OCTETS_MAX: Final = 1 << 20
UE_ANSWER_S: Final = 30.0


class ControlServer:
    """Serves one lab's socket."""

    def __init__(self, lab: Lab, stop: asyncio.Event) -> None:
        self._lab = lab
        self._stop = stop
        self._server: asyncio.Server | None = None
        self._path: Path = lab.files.socket(SOCKET_NAME)

    async def __aenter__(self) -> "ControlServer":
        """Open the socket."""
        self._server = await asyncio.start_unix_server(self._serve, path=self._path, limit=LINE_OCTETS_MAX)
        self._path.chmod(0o600)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it."""
        if self._server is not None:
            self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async for line in reader:
                writer.write(json.dumps(await self._answer(line), default=str).encode() + b"\n")
                await writer.drain()
        except (ConnectionError, ValueError):
            pass  # the caller has gone, or sent a line without end
        finally:
            writer.close()

    async def _answer(self, line: bytes) -> dict[str, Any]:
        try:
            request = json.loads(line)
            return {"ok": True, **await self._do(request)}
        except (ProgramFailure, RuntimeFailure, FaultError) as exc:
            return {"ok": False, "reason": str(exc)}
        except (ValueError, KeyError, TypeError, AttributeError):
            return {"ok": False, "reason": "not a command of the supervisor"}

    async def _do(self, request: dict[str, Any]) -> dict[str, Any]:
        match request["command"]:
            case "status":
                return self._lab.status()
            case "down":
                self._stop.set()
            case "ue":
                return {"answer": await self._lab.command(request["ue"], request["values"], UE_ANSWER_S)}
            case "kill":
                await self._lab.kill(request["host"])
            case "start":
                await self._lab.restart(request["host"])
            case "pause":
                self._lab.pause(request["host"])
            case "resume":
                self._lab.resume(request["host"])
            case "begin-fault" | "end-fault" | "end-faults":
                return await self._change_faults(request)
            case "move":
                await self._lab.move(request["ue"], request["system"])
            case "attach":
                await self._lab.attach(request["ue"], request["system"])
            case "cut":
                await self._lab.cut(request["system"])
            case "mend":
                await self._lab.mend(request["system"])
            case other:
                return {"ok": False, "reason": f"no command {other}"}
        return {}

    async def _change_faults(self, request: dict[str, Any]) -> dict[str, Any]:
        faults, topology = self._lab.faults, self._lab.topology
        match request["command"]:
            case "begin-fault":
                hosts = [host.key for host in topology.hosts()]
                fault = parse_fault(request["fault"], list(topology.systems), hosts)
                await faults.begin(fault)
                return {"began": str(fault)}
            case "end-fault":
                return {"ended": [str(await faults.end(request["kind"], request["target"]))]}
            case _:
                return {"ended": [str(fault) for fault in await faults.end_all()]}
