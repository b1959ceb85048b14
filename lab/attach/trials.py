"""What a pre-flight check tries on the wire, where one of our hosts is: SIP OPTIONS, CER, the peers of a proxy.

A program of one errand: its task as JSON on standard input, its result as JSON on standard output.  What the results
mean is in ``preflight``.
"""

import json
import re
import secrets
import socket
import sys
import time
import urllib.request
from collections.abc import Callable, Mapping
from ipaddress import ip_address
from typing import Any, Final

from diameter_proxy.diameter import dictionary as d
from diameter_proxy.diameter.capabilities import Capabilities, encode_capabilities
from diameter_proxy.diameter.commands import CER, CX
from diameter_proxy.diameter.errors import DiameterError
from diameter_proxy.diameter.message import Message, encode_request
from diameter_proxy.diameter.wire import FrameBuffer

WAIT_S: Final = 3.0
OCTETS: Final = 65535
LOOK_EVERY_S: Final = 0.2
_OPEN: Final = re.compile(r'^diameter_peer_open\{group="[^"]*",peer="([^"]+)"\} ([01])', re.MULTILINE)


def options(task: Mapping[str, Any]) -> dict[str, Any]:
    """Send SIP OPTIONS over UDP and wait for any response (RFC 3261 §11)."""
    branch = f"z9hG4bK{secrets.token_hex(8)}"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as link:
        link.settimeout(WAIT_S)
        link.connect((task["address"], task["port"]))
        own = ":".join(map(str, link.getsockname()))
        lines = (
            f"OPTIONS sip:{task['domain']} SIP/2.0",
            f"Via: SIP/2.0/UDP {own};rport;branch={branch}",
            "Max-Forwards: 70",
            f"From: <sip:preflight@{task['domain']}>;tag={secrets.token_hex(4)}",
            f"To: <sip:{task['domain']}>",
            f"Call-ID: {secrets.token_hex(8)}",
            "CSeq: 1 OPTIONS",
            f"Contact: <sip:preflight@{own}>",
            "Content-Length: 0",
        )
        link.send("".join(f"{line}\r\n" for line in (*lines, "")).encode())
        answer = link.recv(OCTETS).partition(b"\r\n")[0].decode("utf-8", "replace")
    return {"reason": "" if answer.startswith("SIP/2.0 ") else f"answers {answer[:60]!r}"}


def capabilities(task: Mapping[str, Any]) -> dict[str, Any]:
    """Send a CER as our proxy would and return what the CEA says."""
    with socket.create_connection((task["address"], task["port"]), WAIT_S) as link:
        own = Capabilities(
            origin_host=task["origin_host"],
            origin_realm=task["origin_realm"],
            host_ip_addresses=(ip_address(link.getsockname()[0]),),
            product_name="mclab preflight",
            supported_vendor_ids=(d.TGPP,),
            vendor_specific_applications=((d.TGPP, CX),),
        )
        avps = (
            d.ORIGIN_HOST.encode(own.origin_host),
            d.ORIGIN_REALM.encode(own.origin_realm),
            *encode_capabilities(own),
        )
        link.sendall(encode_request(CER, end_to_end=secrets.randbits(32), avps=avps))
        message = _answer(link)
    result = message.result()
    return {
        "result": result[1] if result else None,
        "origin_host": message.get(d.ORIGIN_HOST),
        "applications": [
            [group.get(d.VENDOR_ID), group.get(d.AUTH_APPLICATION_ID)]
            for group in message.groups(d.VENDOR_SPECIFIC_APPLICATION_ID)
        ],
    }


def peers(task: Mapping[str, Any]) -> dict[str, Any]:
    """Return which peers are open at our proxy, once those wanted are or the time is over."""
    ends = time.monotonic() + task["within_s"]
    while True:
        with urllib.request.urlopen(f"http://{task['metrics']}/metrics", timeout=WAIT_S) as response:
            text = response.read().decode()
        states = {peer: "open" if value == "1" else "not open" for peer, value in _OPEN.findall(text)}
        if time.monotonic() > ends or all(states.get(peer) == "open" for peer in task["wanted"]):
            return {"peers": states}
        time.sleep(LOOK_EVERY_S)


def _answer(link: socket.socket) -> Message:
    buffer = FrameBuffer(OCTETS)
    while True:
        octets = link.recv(OCTETS)
        if not octets:
            raise ConnectionResetError("closed the connection before its CEA: it does not know our name?")
        for whole in buffer.receive_data(octets):
            return Message.decode(whole)


TRIALS: Final[dict[str, Callable[[Mapping[str, Any]], dict[str, Any]]]] = {
    "options": options,
    "capabilities": capabilities,
    "peers": peers,
}


def main() -> None:
    """Do the errand; what could not be tried is its reason."""
    task = json.load(sys.stdin)
    try:
        result = TRIALS[task["trial"]](task)
    except TimeoutError:
        result = {"reason": f"no answer within {WAIT_S:g} s"}
    except (OSError, DiameterError) as exc:
        result = {"reason": f"{type(exc).__name__}: {exc}"}
    print(json.dumps({"ok": True, **result}, default=str))


if __name__ == "__main__":
    main()
