"""Puts a body into REGISTER, which pjsua2 has no way to do: the access token of an MC service UE (TS 24.379 §7.2.1).

A hook of the kind that ``aka_hook`` is: it takes the place of ``pjsip_endpt_create_request_from_hdr``, which makes
every REGISTER and can give it a text.  For a REGISTER it hands our text in, then writes the true content type into
the message that was made.  Before that write the message must hold what was handed in: a REGISTER, and a body with our
octets at our length; otherwise the layout is another one, nothing is written and the call fails with PJ_EUNKNOWN.
"""

import ctypes
import platform
from typing import Any, Final

from ue_agent.aka_hook import PJ_EUNKNOWN, PJ_SUCCESS, bindings, slot_address
from ue_agent.errors import HookError

HOOKED: Final = "pjsip_endpt_create_request_from_hdr"
REGISTER: Final = b"REGISTER"
MESSAGE_OFFSET: Final = 392
"""Of ``msg`` in pjsip_tx_data."""

BODY_OCTETS_MAX: Final = 16384


class _Str(ctypes.Structure):  # pj_str_t
    _fields_ = (("ptr", ctypes.c_void_p), ("slen", ctypes.c_ssize_t))


class _Method(ctypes.Structure):  # pjsip_method
    _fields_ = (("id", ctypes.c_int), ("name", _Str))


class _Message(ctypes.Structure):  # pjsip_msg of a request
    _fields_ = (
        ("type", ctypes.c_int),
        ("method", _Method),
        ("uri", ctypes.c_void_p),
        ("headers", ctypes.c_ubyte * 64),
        ("body", ctypes.c_void_p),
    )


class _Body(ctypes.Structure):  # pjsip_msg_body, its first members
    _fields_ = (
        ("type", _Str),
        ("subtype", _Str),
        ("parameters", ctypes.c_ubyte * 48),
        ("data", ctypes.c_void_p),
        ("length", ctypes.c_uint),
    )


_CREATE = ctypes.CFUNCTYPE(
    ctypes.c_int,
    *[ctypes.c_void_p] * 7,
    ctypes.c_int,
    ctypes.c_void_p,
    ctypes.POINTER(ctypes.c_void_p),
)
# What the library calls or reads must never be collected.
_kept: list[Any] = []


class RegisterBody:
    """What REGISTER carries from now on; nothing at first."""

    def __init__(self) -> None:
        self._texts: tuple[_Str, _Str, _Str] | None = None

    def install(self) -> None:
        """Take the function's place; once in a process, after pjsua2 was imported.

        Raises:
            HookError: this pjsua2 is none that the hook knows; nothing was changed.
        """
        if (platform.system(), platform.machine()) != ("Linux", "x86_64"):
            raise HookError(f"REGISTER with a body is for Linux on x86-64 only, not {platform.machine()}")
        path = bindings()
        library = ctypes.CDLL(str(path))
        if not hasattr(library, HOOKED):
            raise HookError(f"this pjsua2 is unknown to the hook: it does not export {HOOKED}")
        original_address = ctypes.cast(getattr(library, HOOKED), ctypes.c_void_p).value or 0
        address = slot_address(path, HOOKED, original_address)
        replacement = _CREATE(self._replacing(_CREATE(original_address)))
        _kept.extend((library, replacement))
        ctypes.c_void_p.from_address(address).value = ctypes.cast(replacement, ctypes.c_void_p).value

    def set(self, content_type: str, octets: bytes) -> None:
        """Have every REGISTER carry these octets.

        Raises:
            ValueError: there are none or too many of them.
        """
        if not 0 < len(octets) <= BODY_OCTETS_MAX:
            raise ValueError(f"a body of {len(octets)} octets, wanted 1 to {BODY_OCTETS_MAX}")
        kind, _, subtype = content_type.partition("/")
        self._texts = (_text(kind.encode()), _text(subtype.encode()), _text(octets))

    def clear(self) -> None:
        """Have no REGISTER carry anything."""
        self._texts = None

    def _replacing(self, original: Any) -> Any:
        def create(*arguments: Any) -> int:
            # pjsip's thread is below us: whatever happens, it gets a status (guide, errors: pjsua2's callbacks).
            try:
                return self._create(original, *arguments)
            except Exception:  # noqa: BLE001 - one of the boundaries: C code must get its status
                return PJ_EUNKNOWN

        return create

    def _create(self, original: Any, *arguments: Any) -> int:
        *before, text, made = arguments
        texts = self._texts
        if texts is None or text or not _is_register(_Method.from_address(before[1])):
            return int(original(*before, text, made))
        kind, subtype, octets = texts
        status = int(original(*before, ctypes.addressof(octets), made))
        if status != PJ_SUCCESS:
            return status
        body = _body_of(made[0], octets)
        if body is None:
            return PJ_EUNKNOWN
        body.type, body.subtype = kind, subtype
        return PJ_SUCCESS


def _text(octets: bytes) -> _Str:
    held = ctypes.create_string_buffer(octets, len(octets))
    _kept.append(held)
    return _Str(ctypes.addressof(held), len(octets))


def _is_register(method: _Method) -> bool:
    return method.name.slen == len(REGISTER) and ctypes.string_at(method.name.ptr, len(REGISTER)) == REGISTER


def _body_of(made: int, octets: _Str) -> _Body | None:
    """Return the body of the message made, if it is laid out as we know it and holds our octets."""
    message = _Message.from_address(ctypes.c_void_p.from_address(made + MESSAGE_OFFSET).value or 0)
    if message.type != 0 or not _is_register(message.method) or not message.body:
        return None
    body = _Body.from_address(message.body)
    if body.length != octets.slen or not body.data:
        return None
    same = ctypes.string_at(body.data, body.length) == ctypes.string_at(octets.ptr, octets.slen)
    return body if same else None
