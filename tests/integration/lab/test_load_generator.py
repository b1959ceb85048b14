"""The load generator as a program over UDP on loopback, against a registrar that makes and checks its own vectors."""

import asyncio
import base64
import hashlib
import json
import re
import sys
from collections import Counter
from typing import Any

from lab.load.crowd import Crowd, Place, members
from ue_agent.aka.aka import generate_vector
from ue_agent.aka.milenage import Milenage

HOME = {"home_domain": "ims.mc1.lab", "plmn": "00101", "lent_prefix": "mig-"}
PARTNER = {"home_domain": "ims.mc2.lab", "plmn": "00102", "lent_prefix": "mig-"}
PATIENCE_S = 120


class Registrar(asyncio.DatagramProtocol):
    """Challenges and checks every REGISTER; ``busy`` first ones get 503, ``deaf`` first ones nothing."""

    def __init__(self, crowd: Crowd, *, busy: int = 0, deaf: int = 0) -> None:
        self.seen: Counter[str] = Counter()
        self.users: set[str] = set()
        self._crowd = {
            str(one.partner.private_user_identity): Milenage(one.k, one.opc)
            for one in members(crowd, Place(**HOME), Place(**PARTNER))
        }
        self._nonces: dict[str, bytes] = {}
        self._answered: dict[str, bytes] = {}
        self.repeated = 0
        self._busy, self._deaf, self._sqn = busy, deaf, 0

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, addr: Any) -> None:
        text = data.decode()
        if self._deaf > 0:
            self._deaf -= 1
            return
        transaction = text.partition("branch=")[2].partition("\r\n")[0]
        if transaction in self._answered:  # sent again before our answer came: the same one (RFC 3261 §17.2.2)
            self.repeated += 1
            self.transport.sendto(self._answered[transaction], addr)
            return
        status, more = self._answer(text)
        self.seen[status] += 1
        heads = [line for line in text.split("\r\n") if line.startswith(("Via:", "CSeq:", "Call-ID:"))]
        lines = [f"SIP/2.0 {status} x", *heads, *more, "Content-Length: 0", "", ""]
        self._answered[transaction] = "\r\n".join(lines).encode()
        self.transport.sendto(self._answered[transaction], addr)

    def _answer(self, text: str) -> tuple[str, list[str]]:
        if self._busy > 0:
            self._busy -= 1
            return "503", ["Retry-After: 0"]
        said = dict(re.findall(r'(\w+)="?([^",\r]*)"?', text.partition("Authorization: Digest ")[2]))
        if not said["response"]:
            return "401", [self._challenge(said["username"])]
        return ("200", []) if self._is_right(said) else ("403", [])

    def _challenge(self, user: str) -> str:
        self._sqn += 1 << 5
        vector = generate_vector(self._crowd[user], self._sqn.to_bytes(16, "big"), self._sqn, b"\x80\x00")
        nonce = base64.b64encode(vector.rand + vector.autn).decode()
        self._nonces[nonce] = vector.xres
        return f'WWW-Authenticate: Digest realm="ims.mc2.lab", nonce="{nonce}", algorithm=AKAv1-MD5, qop="auth"'

    def _is_right(self, said: dict[str, str]) -> bool:
        a1 = hashlib.md5(f"{said['username']}:{said['realm']}:".encode() + self._nonces.pop(said["nonce"])).hexdigest()
        a2 = hashlib.md5(f"REGISTER:{said['uri']}".encode()).hexdigest()
        wanted = hashlib.md5(f"{a1}:{said['nonce']}:{said['nc']}:{said['cnonce']}:auth:{a2}".encode()).hexdigest()
        self.users.add(said["username"])
        return wanted == said["response"]


async def storm(users: int, order: dict[str, Any], **registrar: int) -> tuple[dict[str, Any], Registrar]:
    crowd = Crowd(home="mc1", partner="mc2", users=users)
    loop = asyncio.get_running_loop()
    transport, server = await loop.create_datagram_endpoint(
        lambda: Registrar(crowd, **registrar), local_addr=("127.0.0.1", 0)
    )
    whole = {
        "crowd": crowd.model_dump(),
        "home": HOME,
        "partner": PARTNER,
        "side": "migrated",
        "address": "127.0.0.1",
        "p_cscf": transport.get_extra_info("sockname"),
        "rate": 200,
        "ramp_s": 0,
        **order,
    }
    try:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", "lab.load.generator"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        out, _ = await asyncio.wait_for(process.communicate(json.dumps(whole).encode()), PATIENCE_S)
    finally:
        transport.close()
    return json.loads(out.decode().splitlines()[-1]), server


async def test_everybody_is_registered_with_the_lent_identity() -> None:
    result, server = await storm(40, {})
    assert result["ok"], result
    assert (result["tally"]["ok"], result["tally"]["failures"]) == (40, {})
    assert server.seen == {"401": 40, "200": 40}
    assert len(server.users) == 40
    assert set(result["tally"]["legs_ms"]) == {"challenge", "answer", "whole"}


async def test_who_is_told_503_comes_again_and_it_is_counted() -> None:
    result, server = await storm(10, {}, busy=3)
    assert result["ok"], result
    assert result["tally"]["failures"] == {"503": 3}
    assert result["tally"]["tried_again"] == 3
    assert server.seen["200"] == 10


async def test_what_is_lost_is_sent_again() -> None:
    """RFC 3261 §17.1.2.2, Timer E."""
    result, server = await storm(4, {}, deaf=2)
    assert result["ok"], result
    assert result["tally"]["retransmissions"] == 2 + server.repeated


async def test_for_so_many_seconds_each_comes_in_turn_and_de_registers() -> None:
    result, server = await storm(10, {"rate": 20, "for_s": 1.0, "deregister": True})
    assert result["ok"], result
    assert result["tally"]["wanted"] == 20
    assert server.seen["200"] == 40


async def test_a_search_for_the_highest_rate_tells_each_rate() -> None:
    result, _ = await storm(5, {"find_rate": True, "for_s": 0.1, "rate": 8000, "p99_ms": 0.001})
    assert not result["ok"]
    assert result["highest_rate"] == 0
    assert [one["rate"] for one in result["tallies"]][:4] == [8000, 8000, 4000, 4000]


async def test_an_order_that_is_none_is_one_line() -> None:
    result, _ = await storm(1, {"rate": -1})
    assert result["ok"] is False
    assert "rate" in result["reason"]
