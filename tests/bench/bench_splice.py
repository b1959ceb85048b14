"""Microseconds of the identity splice of a MAR against its plain twin; prints a ratio, decides nothing.

python tests/bench/bench_splice.py
"""

import statistics
import time
from collections.abc import Callable

from diameter_proxy.diameter import dictionary as d
from diameter_proxy.diameter.commands import CX, MAR, TGPP
from diameter_proxy.diameter.message import encode_request
from diameter_proxy.hot_path import PUBLIC_IDENTITY, USER_NAME, locate, splice
from diameter_proxy.splice_plain import locate_plainly, splice_plainly

ROUNDS = 15
MESSAGES = 2000
MESSAGE = encode_request(
    MAR,
    hop_by_hop=1,
    end_to_end=2,
    avps=(
        d.SESSION_ID.encode("scscf.mc2.lab;1786543210;42"),
        d.VENDOR_SPECIFIC_APPLICATION_ID.encode(d.VENDOR_ID.encode(TGPP) + d.AUTH_APPLICATION_ID.encode(CX)),
        d.AUTH_SESSION_STATE.encode(1),
        d.ORIGIN_HOST.encode("scscf.mc2.lab"),
        d.ORIGIN_REALM.encode("ims.mc2.lab"),
        d.DESTINATION_REALM.encode("ims.mc2.lab"),
        d.PUBLIC_IDENTITY.encode("sip:mig-7f3k9abcdefghijklmno@ims.mc2.lab"),
        d.USER_NAME.encode("mig-7f3k9abcdefghijklmno@ims.mc2.lab"),
        d.SIP_NUMBER_AUTH_ITEMS.encode(1),
        d.SIP_AUTH_DATA_ITEM.encode(d.SIP_AUTHENTICATION_SCHEME.encode("Digest-AKAv1-MD5")),
        d.SERVER_NAME.encode("sip:scscf.mc2.lab:6060"),
    ),
)
MAPPED = (d.USER_NAME.encode("mig-h@ims.mc1.lab"), d.PUBLIC_IDENTITY.encode("sip:mig-h@ims.mc1.lab"))
RECORD = d.ROUTE_RECORD.encode("icscf.mc2.lab")


def fast() -> bytes:
    """Map both identities and append a Route-Record."""
    found = locate(MESSAGE)
    edits = [(found[USER_NAME], MAPPED[0]), (found[PUBLIC_IDENTITY], MAPPED[1])]
    return splice(MESSAGE, MESSAGE[4], 7, edits, RECORD)


def plain() -> bytes:
    """Do the same plainly."""
    found = locate_plainly(MESSAGE)
    edits = [(found[USER_NAME], MAPPED[0]), (found[PUBLIC_IDENTITY], MAPPED[1])]
    return splice_plainly(MESSAGE, MESSAGE[4], 7, edits, RECORD)


def microseconds(work: Callable[[], bytes]) -> float:
    """Return what one message takes."""
    began = time.process_time()
    for _ in range(MESSAGES):
        work()
    return (time.process_time() - began) / MESSAGES * 1e6


def main() -> None:
    """Interleave both and print the medians."""
    assert fast() == plain()
    rows = [(microseconds(fast), microseconds(plain)) for _ in range(ROUNDS)]
    fast_us, plain_us = (statistics.median(column) for column in zip(*rows, strict=True))
    print(
        f"MAR of {len(MESSAGE)} octets, both identities mapped: splice {fast_us:.2f} us, plain twin {plain_us:.2f} us"
    )
    print(f"ratio {plain_us / fast_us:.1f}")


if __name__ == "__main__":
    main()
