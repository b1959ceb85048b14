"""The load generator: many UEs over UDP in one process, each with a socket, a card and a registration of its own.

A program of one errand: its order as JSON on standard input, progress and the result as JSON lines on standard output.
It runs where UEs are, in a UE's namespace, and knows nothing of the lab but the P-CSCF's address.  What a registration
does is in ``registration``; here are sockets and time.
"""

import asyncio
import json
import os
import random
import resource
import secrets
import sys
from collections.abc import Callable
from typing import Annotated, Any, Final, Literal, cast

from pydantic import BaseModel, ConfigDict, Field

from lab.load.crowd import Crowd, Place, members
from lab.load.pace import Pace, RateSearch
from lab.load.registration import Record, Registration, State, Timers
from lab.load.sip import Contact, Dialogue
from lab.load.tally import Tally, tally
from ue_agent.aka.isim import Isim

PROGRESS_S: Final = 0.5
LATE_S: Final = 0.1
REST_S: Final = 1.0
"""Between two rates of a search: what the last one left behind must not count for the next."""
OTHER_FILES: Final = 64


class Order(BaseModel):
    """What a storm is to be."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    crowd: Crowd
    home: Place
    partner: Place
    side: Literal["native", "migrated"]
    address: str
    p_cscf: tuple[str, int]
    rate: Annotated[float, Field(gt=0, le=10_000)]
    ramp_s: Annotated[float, Field(ge=0, le=600)] = 1.0
    for_s: Annotated[float | None, Field(gt=0, le=86_400)] = None
    expires: Annotated[int, Field(ge=30, le=600_000)] = 600
    deregister: bool = False
    timeout_s: Annotated[float, Field(gt=0, le=32)] = 32.0
    find_rate: bool = False
    p99_ms: Annotated[float, Field(gt=0)] = 100.0


class Ue(asyncio.DatagramProtocol):
    """One UE: a socket and a registration.

    Attributes:
        is_busy: whether it has been told to register and has not ended.
    """

    def __init__(self, registration: Callable[[Contact], Registration], to: tuple[str, int]) -> None:
        self.is_busy = False
        self._make = registration
        self._to = to
        self._registration: Registration | None = None
        self._transport: asyncio.DatagramTransport | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._ended: asyncio.Future[Record] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the socket: its port is the UE's contact."""
        self._transport = cast("asyncio.DatagramTransport", transport)  # not of that class before Python 3.12
        address, port = transport.get_extra_info("sockname")[:2]
        self._registration = self._make(Contact(address, port))

    def datagram_received(self, data: bytes, addr: tuple[str | Any, int]) -> None:
        """Take a response."""
        if self._registration is not None:
            self._go_on(self._registration.receive(data, _now()))

    def error_received(self, exc: Exception) -> None:
        """Pass over an ICMP error: the P-CSCF is away, and Timer F says so in time."""

    def close(self) -> None:
        """Close the socket."""
        if self._transport is not None:
            self._transport.close()

    async def register(self, expires: int) -> Record:
        """Register, or with ``expires`` 0 de-register, and return what came of it."""
        assert self._registration is not None
        self._ended = asyncio.get_running_loop().create_future()
        self._go_on(self._registration.begin(_now(), expires))
        return await self._ended

    def _go_on(self, octets: bytes | None) -> None:
        assert self._registration is not None
        if octets is not None and self._transport is not None:
            self._transport.sendto(octets, self._to)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._registration.due is not None:
            self._timer = asyncio.get_running_loop().call_at(self._registration.due, self._tick)
        if self._registration.state is State.ENDED and self._ended is not None and not self._ended.done():
            self._ended.set_result(self._registration.record)

    def _tick(self) -> None:
        assert self._registration is not None
        self._timer = None
        self._go_on(self._registration.tick(_now()))


class Storm:
    """All UEs of one order."""

    def __init__(self, order: Order, say: Callable[[dict[str, Any]], None]) -> None:
        self._order = order
        self._say = say
        self._ues: list[Ue] = []
        self._records: list[Record] = []

    async def open(self) -> None:
        """Make every UE.

        Raises:
            OSError: the address is not ours, or there are not so many sockets to be had.
        """
        loop = asyncio.get_running_loop()
        for maker in self._makers():
            ue = Ue(maker, self._order.p_cscf)
            await loop.create_datagram_endpoint(lambda ue=ue: ue, local_addr=(self._order.address, 0))  # type: ignore[misc]
            self._ues.append(ue)

    def close(self) -> None:
        """Close every socket."""
        for ue in self._ues:
            ue.close()

    async def blow(self, pace: Pace, for_s: float | None) -> Tally:
        """Let every UE register once, or one after the other for so many seconds, and return the figures."""
        wanted = pace.count_in(for_s) if for_s is not None else len(self._ues)
        self._records, busy, late, tasks = [], 0, 0, []
        began = _now()
        telling = asyncio.create_task(self._tell(wanted))
        for number in range(wanted):
            wait = began + pace.begins_s(number) - _now()
            if wait > 0:
                await asyncio.sleep(wait)
            late += wait < -LATE_S
            ue = self._ues[number % len(self._ues)]
            if ue.is_busy:
                busy += 1
                continue
            ue.is_busy = True
            tasks.append(asyncio.create_task(self._one(ue)))
        await asyncio.gather(*tasks)
        telling.cancel()
        took_s = _now() - began
        return tally(self._records, rate=pace.rate, wanted=wanted, took_s=took_s, late=late, busy=busy)

    async def find_rate(self, search: RateSearch, for_s: float) -> list[Tally]:
        """Blow at one rate after the other and return the figures of each."""
        tallies = []
        while (rate := search.next_rate()) is not None:
            one = await self.blow(Pace(rate, min(self._order.ramp_s, for_s)), for_s)
            search.note(rate, is_good=one.is_good(self._order.p99_ms))
            tallies.append(one)
            self._say({"event": "rate.tried", **one.model_dump()})
            await asyncio.sleep(REST_S)
        return tallies

    async def _one(self, ue: Ue) -> None:
        record = await ue.register(self._order.expires)
        if record.ok and self._order.deregister:
            gone = await ue.register(0)
            if not gone.ok:
                record.outcome = f"deregistration {gone.outcome}"
                record.failures.append(record.outcome)
        self._records.append(record)
        ue.is_busy = False

    async def _tell(self, wanted: int) -> None:
        while True:
            await asyncio.sleep(PROGRESS_S)
            ok = sum(one.ok for one in self._records)
            self._say({"event": "progress", "ended": len(self._records), "ok": ok, "wanted": wanted})

    def _makers(self) -> list[Callable[[Contact], Registration]]:
        order = self._order
        timers = Timers(f_s=order.timeout_s)
        makers: list[Callable[[Contact], Registration]] = []
        for one in members(order.crowd, order.home, order.partner):
            identities = one.isim if order.side == "native" else one.partner
            domain = order.home.home_domain if order.side == "native" else order.partner.home_domain
            impi, impu = identities.private_user_identity, identities.public_user_identities[0]
            # One set each: the card's own name does not matter to it.
            card = Isim(str(impi), [str(impu)], domain, [], one.k, one.opc)

            def make(
                contact: Contact, impi: str = str(impi), impu: str = str(impu), domain: str = domain, card: Isim = card
            ) -> Registration:
                dialogue = Dialogue(domain, impi, impu, contact, secrets.token_hex(12), secrets.token_hex(6))
                return Registration(dialogue, card, timers, lambda: secrets.token_hex(10), random.random)

            makers.append(make)
        return makers


async def carry_out(order: Order, say: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
    """Carry an order out and return its result as a JSON object."""
    storm = Storm(order, say)
    await storm.open()
    try:
        if not order.find_rate:
            result = await storm.blow(Pace(order.rate, order.ramp_s), order.for_s)
            return {"ok": result.all_ok, "tally": result.model_dump()}
        for_s = order.for_s or 5.0
        search = RateSearch(order.rate, highest=10_000.0)
        tallies = await storm.find_rate(search, for_s)
        return {"ok": search.best > 0, "highest_rate": search.best, "tallies": [one.model_dump() for one in tallies]}
    finally:
        storm.close()


def main() -> None:
    """Do the errand."""
    try:
        order = Order.model_validate(json.load(sys.stdin))
        _allow_files(order.crowd.users + OTHER_FILES)
        result = asyncio.run(carry_out(order, _tell))
    except (OSError, ValueError) as exc:
        result = {"ok": False, "reason": f"{type(exc).__name__}: {exc}"}
    _tell({"event": "done", **result})


def _allow_files(wanted: int) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < wanted:
        more = max(wanted, hard) if os.geteuid() == 0 else hard
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(wanted, more), more))


def _now() -> float:
    return asyncio.get_running_loop().time()


def _tell(event: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(event) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
