"""MAR and MAA for the load generator: what an S-CSCF asks of a migrated user, and what an HSS answers (TS 29.228 §6.3).

``diabench`` patches two markers in place: eight tildes become the number of the user, eight carets a number that is new
in each request (in Session-Id).  A request is 616 octets long, an answer 700.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Final

from diameter_proxy.diameter import dictionary as d
from diameter_proxy.diameter.commands import CX, MAR, TGPP
from diameter_proxy.diameter.message import encode_request
from diameter_proxy.diameter.wire import PROXIABLE, encode_message

CLIENT_HOST: Final = "client0.client.example.org"
CLIENT_REALM: Final = "client.example.org"
HSS_HOST: Final = "hss1.hss.example.org"
HSS_REALM: Final = "hss.example.org"
NUMBER: Final = "~" * 8
PARTNER: Final = ("mig-{}", "ims.partner-system.client.example.org")
"""User part and domain of a partner set, as the S-CSCF knows it."""
PRIMARY: Final = ("mig-{}", "ims.primary-system.hss.example.org")
"""The same of a primary migration set, as the answering side knows it."""
REQUEST_OCTETS: Final = 616
ANSWER_OCTETS: Final = 700

_SESSION_ID: Final = d.SESSION_ID.encode(f"{CLIENT_HOST};1786543210;{'^' * 8};cx")
_VSAI: Final = d.VENDOR_SPECIFIC_APPLICATION_ID.encode(d.VENDOR_ID.encode(TGPP) + d.AUTH_APPLICATION_ID.encode(CX))
_FEATURES: Final = b"".join(
    d.SUPPORTED_FEATURES.encode(d.VENDOR_ID.encode(TGPP) + d.FEATURE_LIST_ID.encode(number) + d.FEATURE_LIST.encode(3))
    for number in (1, 2)
)


def identities(kind: tuple[str, str], number: str) -> tuple[str, str]:
    """Return IMPI and IMPU of a user."""
    impi = kind[0].format(number) + "@" + kind[1]
    return impi, "sip:" + impi


def mar() -> bytes:
    """Return the request of the S-CSCF."""
    impi, impu = identities(PARTNER, NUMBER)
    scheme = d.SIP_AUTHENTICATION_SCHEME.encode("Digest-AKAv1-MD5")
    item = d.SIP_AUTH_DATA_ITEM.encode(scheme + d.SIP_AUTHORIZATION.encode(bytes(range(30))))
    avps = [
        _SESSION_ID, _VSAI, d.AUTH_SESSION_STATE.encode(1), d.ORIGIN_HOST.encode(CLIENT_HOST),
        d.ORIGIN_REALM.encode(CLIENT_REALM), d.DESTINATION_REALM.encode(HSS_REALM), d.PUBLIC_IDENTITY.encode(impu),
        d.USER_NAME.encode(impi), _FEATURES, d.SIP_NUMBER_AUTH_ITEMS.encode(1), item,
    ]  # fmt: skip
    return _filled(avps, REQUEST_OCTETS, lambda body: encode_request(MAR, end_to_end=0, avps=body))


def maa(kind: tuple[str, str]) -> bytes:
    """Return the answer of the HSS, with the identities as it knows them."""
    impi, impu = identities(kind, NUMBER)
    item = d.SIP_AUTH_DATA_ITEM.encode(
        d.SIP_ITEM_NUMBER.encode(1)
        + d.SIP_AUTHENTICATION_SCHEME.encode("Digest-AKAv1-MD5")
        + d.SIP_AUTHENTICATE.encode(bytes(range(32)))
        + d.SIP_AUTHORIZATION.encode(bytes(range(8)))
        + d.CONFIDENTIALITY_KEY.encode(bytes(range(16)))
        + d.INTEGRITY_KEY.encode(bytes(range(16)))
    )
    avps = [
        _SESSION_ID, _VSAI, d.RESULT_CODE.encode(2001), d.AUTH_SESSION_STATE.encode(1), d.ORIGIN_HOST.encode(HSS_HOST),
        d.ORIGIN_REALM.encode(HSS_REALM), d.USER_NAME.encode(impi), d.PUBLIC_IDENTITY.encode(impu), _FEATURES,
        d.SIP_NUMBER_AUTH_ITEMS.encode(1), item,
    ]  # fmt: skip
    return _filled(avps, ANSWER_OCTETS, lambda body: encode_message(PROXIABLE, MAR.code, CX, 0, 0, body))


def write_templates(folder: Path, kind: tuple[str, str]) -> Path:
    """Write what ``diabench load -T`` and ``diabench resp -T`` read; ``kind`` is how the answers name the user."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "mar.bin").write_bytes(mar())
    for name in ("maa", "uaa", "saa", "lia"):
        (folder / f"{name}.bin").write_bytes(maa(kind))
    return folder


def _filled(avps: list[bytes], octets: int, encode: Callable[[list[bytes]], bytes]) -> bytes:
    """Return the message with a Server-Name that brings it to so many octets."""
    missing = octets - len(encode(avps)) - len(d.SERVER_NAME.encode("sip::6060"))
    host = "scscf.".ljust(missing + 3 - missing % 4, "x")
    message = encode([*avps, d.SERVER_NAME.encode(f"sip:{host}:6060")])
    assert len(message) == octets, f"{len(message)} octets, wanted {octets}"
    return message
