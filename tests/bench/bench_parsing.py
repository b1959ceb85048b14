"""What a message costs by what stands in it: hostile ones against as many octets of the AVPs of a MAR, repeated.

python -m tests.bench.bench_parsing: microseconds of ``locate``, which walks the AVPs of every message that takes no
express lane, and of all that a proxy does with the message of an S-CSCF until it is answered.  Exit 1 when ``locate``
takes over three times as long as for the same octets of a MAR, or when either takes longer for a longer message than
its octets are more.
"""

import sys
import time
from collections.abc import Callable
from itertools import cycle
from typing import Final

from diameter_proxy.diameter import dictionary as d
from diameter_proxy.diameter.commands import CX, MAR, TGPP
from diameter_proxy.diameter.wire import PROXIABLE, REQUEST, encode_avp, encode_message, walk_avps
from diameter_proxy.hot_path import Unreadable, locate
from tests.fuzz.targets import PARTNER, SCSCF, proxy, quiet, request

SIZES: Final = (1024, 4096, 16384, 65536)
ROUNDS: Final = 7
SECONDS: Final = 0.01
"""So long is each message handled again and again, in each round."""
RATIO_MAX: Final = 3.0
LINEAR_MAX: Final = 1.5
"""An octet of the longest message may cost so much more than one of a message a quarter as long."""

_MAR: Final = request(MAR, PARTNER)
MAR_AVPS: Final = tuple(_MAR[span.start : span.next] for span in walk_avps(_MAR))


def message(avps: bytes) -> bytes:
    """Return a request with these AVPs."""
    return encode_message(REQUEST | PROXIABLE, MAR.code, CX, 1, 2, (avps,))


def repeated(*avps: bytes) -> Callable[[int], bytes]:
    """Return what makes a message of about so many octets of these AVPs, over and over."""

    def make(octets: int) -> bytes:
        pieces: list[bytes] = []
        length = 20
        for avp in cycle(avps):
            length += len(avp)
            if length > octets:
                return message(b"".join(pieces))
            pieces.append(avp)
        raise AssertionError("no AVP")

    return make


def after_a_mar(make: Callable[[int], bytes], avps: tuple[bytes, ...] = MAR_AVPS) -> Callable[[int], bytes]:
    """Return what makes a MAR with something behind it, which has the octets that are left."""
    mar = b"".join(avps)
    return lambda octets: message(mar + make(max(octets - 20 - len(mar) - 12, 8)))


def nested(octets: int) -> bytes:
    """Return Failed-AVP in Failed-AVP, as deep as it goes."""
    avp = b""
    while len(avp) + 8 <= octets:
        avp = encode_avp(279, avp)
    return avp


def overrunning(octets: int) -> bytes:
    """Return an AVP that says it is longer than what there is."""
    avp = encode_avp(9999, bytes(octets))
    return avp[:5] + (len(avp) + 8).to_bytes(3, "big") + avp[8:]


SHAPES: Final[dict[str, Callable[[int], bytes]]] = {
    "empty AVPs": repeated(encode_avp(9999, b"", flags=0)),
    "empty AVPs of a vendor": repeated(encode_avp(9999, b"", TGPP, 0)),
    "empty User-Names": repeated(encode_avp(1, b"")),
    "empty Route-Records": repeated(*MAR_AVPS[:1], *[encode_avp(282, b"")] * 600),
    "a MAR, then Route-Records": after_a_mar(lambda octets: encode_avp(282, b"a") * (octets // 12)),
    "a MAR, then one long AVP": after_a_mar(lambda octets: encode_avp(9999, bytes(octets), flags=0)),
    "a MAR, then nested Failed-AVPs": after_a_mar(nested),
    "a MAR with small AVPs in its item": after_a_mar(
        lambda octets: d.SIP_AUTH_DATA_ITEM.encode(encode_avp(609, b"", TGPP) * (octets // 12)),
        tuple(avp for avp in MAR_AVPS if avp is not MAR_AVPS[9]),
    ),
    "a MAR, then escapes": after_a_mar(lambda octets: d.ERROR_MESSAGE.encode("%6d" * (octets // 3))),
    "a MAR, then User-Data of angle brackets": after_a_mar(lambda octets: encode_avp(606, b"<" * octets, TGPP)),
    "a MAR, then an AVP that overruns": after_a_mar(overrunning),
}


def walked(octets: bytes) -> None:
    """Have the AVPs looked for."""
    try:
        locate(octets)
    except Unreadable:
        return


def microseconds(work: Callable[[bytes], object], messages: tuple[bytes, ...]) -> list[float]:
    """Return what each of these messages takes, the least of some rounds in which each has its turn."""
    least = [float("inf")] * len(messages)
    for _ in range(ROUNDS):
        for number, octets in enumerate(messages):
            count, began = 0, time.process_time()
            while (passed := time.process_time() - began) < SECONDS:
                for _ in range(8):
                    work(octets)
                count += 8
            least[number] = min(least[number], passed / count)
    return [seconds * 1e6 for seconds in least]


def main() -> None:
    """Measure, print, judge."""
    quiet()
    made, wires = proxy()
    wires.are_open = False  # so that nothing waits: a request is answered 3002 when all else is done

    def handled(octets: bytes) -> None:
        made.receive_request(SCSCF, octets)
        wires.sent.clear()

    missed = []
    for name, work in (("locate", walked), ("the whole way", handled)):
        print(f"\n| {name}, us (times the same octets of a MAR) | " + " | ".join(map(str, SIZES)) + " |")
        print("|---|" + "---|" * len(SIZES))
        base = [repeated(*MAR_AVPS)(octets) for octets in SIZES]
        least = [float("inf")] * len(SIZES)
        for shape, make in SHAPES.items():
            pairs = [microseconds(work, (make(octets), of)) for octets, of in zip(SIZES, base, strict=True)]
            row, ratios = [us for us, _ in pairs], [us / of for us, of in pairs]
            least = [min(known, us) for known, (_, us) in zip(least, pairs, strict=True)]
            cells = (f"{us:.1f} ({ratio:.2f})" for us, ratio in zip(row, ratios, strict=True))
            print(f"| {shape} | {' | '.join(cells)} |", flush=True)
            if work is walked and max(ratios) > RATIO_MAX:
                missed.append(f"{name}, {shape}: {max(ratios):.2f} times")
            growth = row[-1] / row[-2] / (SIZES[-1] / SIZES[-2])
            if growth > LINEAR_MAX:
                missed.append(f"{name}, {shape}: an octet costs {growth:.2f} times as much in a longer message")
        print("| AVPs of a MAR, repeated | " + " | ".join(f"{us:.1f}" for us in least) + " |")
    for line in missed:
        print(f"missed: {line}", file=sys.stderr)
    sys.exit(bool(missed))


if __name__ == "__main__":
    main()
