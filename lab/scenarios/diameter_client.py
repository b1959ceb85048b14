"""One MAR of a scenario's own making, sent by a Diameter node that the proxies take for a CSCF (TS 29.229 §6.1.7).

A program of one errand: its task as JSON on standard input, its result as JSON on standard output.
"""

import asyncio
import json
import sys
from typing import Any, Final

import structlog

from diameter_proxy.diameter import commands
from diameter_proxy.diameter import dictionary as d
from diameter_proxy.diameter.errors import DiameterError
from diameter_proxy.diameter.message import Message, encode_request
from diameter_proxy.diameter.values import AuthSessionState
from diameter_proxy.node.config import NodeConfig, PeerConfig
from diameter_proxy.node.errors import NodeError
from diameter_proxy.node.node import Node

OPEN_S: Final = 5.0
ANSWER_S: Final = 3.0
LOOK_S: Final = 0.02
END_TO_END: Final = 0x4D410001


def mar(task: dict[str, Any]) -> bytes:
    """Return the MAR of a task, its AVPs in Kamailio's order."""
    realm = task["origin_realm"]
    avps = (
        d.SESSION_ID.encode(f"{task['origin_host']};1;1"),
        d.ORIGIN_HOST.encode(task["origin_host"]),
        d.ORIGIN_REALM.encode(realm),
        d.DESTINATION_REALM.encode(realm),
        d.VENDOR_SPECIFIC_APPLICATION_ID.encode(d.VENDOR_ID.encode(d.TGPP) + d.AUTH_APPLICATION_ID.encode(commands.CX)),
        d.AUTH_SESSION_STATE.encode(AuthSessionState.NO_STATE_MAINTAINED),
        d.PUBLIC_IDENTITY.encode(task["public_user_identity"]),
        d.USER_NAME.encode(task["private_user_identity"]),
        d.SIP_NUMBER_AUTH_ITEMS.encode(1),
        d.SIP_AUTH_DATA_ITEM.encode(d.SIP_AUTHENTICATION_SCHEME.encode(task["scheme"])),
        d.SERVER_NAME.encode(task["server_name"]),
    )
    return encode_request(commands.MAR, end_to_end=END_TO_END, avps=avps)


async def send(task: dict[str, Any]) -> dict[str, Any]:
    """Connect, send the MAR, and return the result code of the answer."""
    node = Node(
        NodeConfig(
            origin_host=task["origin_host"],
            origin_realm=task["origin_realm"],
            peers=(PeerConfig(task["peer"], task["origin_realm"], connect=True, address=task["address"]),),
        ),
        on_request=lambda _peer, _octets: None,
        on_peer=lambda _event: None,
    )
    await node.start()
    try:
        for _ in range(int(OPEN_S / LOOK_S)):
            if node.is_open(task["peer"]):
                break
            await asyncio.sleep(LOOK_S)
        answer = Message.decode(await node.request(task["peer"], mar(task), ANSWER_S))
    finally:
        await node.stop()
    result = answer.result()
    return {"ok": True, "vendor": result[0] if result else 0, "result": result[1] if result else None}


def main() -> None:
    """Do the errand; what the node logs goes to standard error."""
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    try:
        result = asyncio.run(send(json.load(sys.stdin)))
    except (NodeError, DiameterError, OSError, ValueError, KeyError) as exc:
        result = {"ok": False, "reason": f"{type(exc).__name__}: {exc}"}
    print(json.dumps(result))


if __name__ == "__main__":
    main()
