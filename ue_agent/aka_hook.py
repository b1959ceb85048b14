"""Lets pjsua2 do AKA with our ISIM on a build that was made without PJSIP_HAS_DIGEST_AKA_AUTH.

Such a build (the wheel pjsua2-python 2.15.1.post1) holds all that it takes, ``Endpoint.onCredAuth`` too; only
``pjsip_auth_clt_set_credentials`` aborts on credentials of the type PJSIP_CRED_DATA_EXT_AKA.  The hook takes the
place of that one function: it hands such credentials on as plain ones, then writes their true type and pjsua2's own
callback into the copy that the session keeps.

Guards, all before the first write:
- only x86-64 Linux, and only a build whose symbols, jump slot and memory map are as expected (``install``);
- at each call the session's copy must hold, field for field and octet for octet, what was handed in; otherwise the
  layout is another one, nothing is written and the call fails with PJ_EUNKNOWN.

On a build with AKA there is nothing to do (``Support.NATIVE``).  It computes nothing of AKA and speaks no SIP;
``hook_trial`` proves it in a process that may die of it.
"""

import ctypes
import platform
import sys
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from ue_agent.elf import ElfError, find_jump_slot
from ue_agent.errors import HookError

PJ_SUCCESS: Final = 0
PJ_EUNKNOWN: Final = 70001
HOOKED: Final = "pjsip_auth_clt_set_credentials"
NATIVE: Final = "pjsip_auth_create_aka_response"
CALLBACK: Final = (
    "_ZN2pj8Endpoint36on_auth_create_aka_response_callback"
    "EP9pj_pool_tPK22pjsip_digest_challengePK15pjsip_cred_infoPK8pj_str_tP23pjsip_digest_credential"
)
CREDENTIALS_MAX: Final = 8  # PJSUA_ACC_MAX_PROXIES and PJSIP's own limit of credentials a session
EXTENSION_MASK: Final = 0xF0  # PJSIP_CRED_DATA_EXT_MASK
EXTENSION_AKA: Final = 0x10  # PJSIP_CRED_DATA_EXT_AKA
PLAIN: Final = 0  # PJSIP_CRED_DATA_PLAIN_PASSWD


class Support(StrEnum):
    """How this pjsua2 does AKA."""

    NATIVE = "native"
    HOOKED = "hooked"


class _Str(ctypes.Structure):  # pj_str_t
    _fields_ = (("ptr", ctypes.c_void_p), ("slen", ctypes.c_ssize_t))

    def octets(self) -> bytes:
        """Return the text; empty where there is none."""
        return ctypes.string_at(self.ptr, self.slen) if self.ptr and self.slen > 0 else b""


class _Aka(ctypes.Structure):  # pjsip_cred_info.ext.aka
    _fields_ = (("k", _Str), ("op", _Str), ("amf", _Str), ("cb", ctypes.c_void_p))


class _Credential(ctypes.Structure):  # pjsip_cred_info
    _fields_ = (
        ("realm", _Str),
        ("scheme", _Str),
        ("username", _Str),
        ("data_type", ctypes.c_int),
        ("data", _Str),
        ("algorithm_type", ctypes.c_int),
        ("aka", _Aka),
    )


class _Preferences(ctypes.Structure):  # pjsip_auth_clt_pref
    _fields_ = (("initial_auth", ctypes.c_int), ("algorithm", _Str))


class _Session(ctypes.Structure):  # pjsip_auth_clt_sess, its first members
    _fields_ = (
        ("pool", ctypes.c_void_p),
        ("endpoint", ctypes.c_void_p),
        ("preferences", _Preferences),
        ("credential_count", ctypes.c_uint),
        ("credentials", ctypes.POINTER(_Credential)),
    )


_SET_CREDENTIALS = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(_Session), ctypes.c_int, ctypes.POINTER(_Credential))
_TEXTS: Final = ("realm", "scheme", "username", "data")

# What the library calls must never be collected.
_kept: list[Any] = []


def install() -> Support:
    """Make EXT_AKA credentials work in this process; once, after pjsua2 was imported, before ``libCreate``.

    Raises:
        HookError: pjsua2 is missing, or is not a build that the hook knows; nothing was changed.
    """
    path = bindings()
    library = ctypes.CDLL(str(path))
    if hasattr(library, NATIVE):
        return Support.NATIVE
    if _kept:
        return Support.HOOKED
    if (platform.system(), platform.machine()) != ("Linux", "x86_64"):
        raise HookError(f"this pjsua2 has no AKA, and the hook is for Linux on x86-64 only, not {platform.machine()}")
    for symbol in (HOOKED, CALLBACK):
        if not hasattr(library, symbol):
            raise HookError(f"this pjsua2 has no AKA and is unknown to the hook: it does not export {symbol}")
    original_address = ctypes.cast(getattr(library, HOOKED), ctypes.c_void_p).value or 0
    callback_address = ctypes.cast(getattr(library, CALLBACK), ctypes.c_void_p).value or 0
    slot = slot_address(path, HOOKED, original_address)
    replacement = _make_replacement(_SET_CREDENTIALS(original_address), callback_address)
    _kept.extend((library, replacement))
    ctypes.c_void_p.from_address(slot).value = ctypes.cast(replacement, ctypes.c_void_p).value
    return Support.HOOKED


def bindings() -> Path:
    """Return the shared object of pjsua2.

    Raises:
        HookError: pjsua2 is missing.
    """
    try:
        import pjsua2

        pjsua2.Endpoint  # noqa: B018 - the bindings load on first use
    except (ImportError, OSError) as exc:
        raise HookError(f"pjsua2 cannot be loaded ({exc}): pip install 'mc-migration[ue]'") from exc
    for name in ("pjsua2._pjsua2", "_pjsua2"):
        module = sys.modules.get(name)
        if module is not None and module.__file__ is not None:
            return Path(module.__file__)
    raise HookError("pjsua2 is loaded, but its shared object is not where it should be")


def slot_address(path: Path, symbol: str, original_address: int) -> int:
    """Return the address of a function's jump slot, after a look at the file and the memory map.

    Raises:
        HookError: it is not where it should be.
    """
    try:
        found = find_jump_slot(path.read_bytes(), symbol)
    except (ElfError, OSError) as exc:
        raise HookError(f"this pjsua2 is unknown to the hook: {path.name}: {exc}") from exc
    base = original_address - found.function
    if base & 0xFFF:
        raise HookError(f"this pjsua2 is unknown to the hook: load address {base:#x} is not that of a page")
    address = base + found.slot
    if not _is_writable(Path("/proc/self/maps").read_text(), address, path):
        raise HookError("this pjsua2 is unknown to the hook: its jump slots are not writable memory of its own")
    return address


def _is_writable(maps: str, address: int, path: Path) -> bool:
    """Tell whether ``address`` is writable and mapped from ``path`` (proc(5), /proc/pid/maps)."""
    for line in maps.splitlines():
        columns = line.split(maxsplit=5)
        start, _, end = columns[0].partition("-")
        if int(start, 16) <= address and address + 8 <= int(end, 16):
            return columns[1].startswith("rw") and len(columns) == 6 and Path(columns[5]).name == path.name
    return False


def _make_replacement(original: Any, callback_address: int) -> Any:
    def set_credentials(session: Any, count: int, credentials: Any) -> int:
        # pjsip's thread is below us: whatever happens, it gets a status (guide, errors: pjsua2's callbacks).
        try:
            return _set_credentials(original, callback_address, session, count, credentials)
        except Exception:  # noqa: BLE001 - one of the boundaries: C code must get its status
            return PJ_EUNKNOWN

    return _SET_CREDENTIALS(set_credentials)


def _set_credentials(original: Any, callback_address: int, session: Any, count: int, credentials: Any) -> int:
    if not 0 <= count <= CREDENTIALS_MAX or not any(_is_aka(credentials[i]) for i in range(count)):
        return int(original(session, count, credentials))
    plain = (_Credential * count)()
    for i in range(count):
        ctypes.memmove(ctypes.byref(plain[i]), ctypes.byref(credentials[i]), ctypes.sizeof(_Credential))
        if _is_aka(plain[i]):
            plain[i].data_type = PLAIN
    status = int(original(session, count, plain))
    if status != PJ_SUCCESS:
        return status
    kept = session.contents
    if kept.credential_count != count or not all(_is_copy(kept.credentials[i], plain[i]) for i in range(count)):
        return PJ_EUNKNOWN
    for i in range(count):
        if _is_aka(credentials[i]):
            _make_aka(kept.credentials[i], callback_address)
    return PJ_SUCCESS


def _is_aka(credential: Any) -> bool:
    return bool(credential.data_type & EXTENSION_MASK == EXTENSION_AKA)


def _is_copy(kept: Any, given: Any) -> bool:
    """Tell whether ``kept`` is a copy of ``given`` in the layout that we know."""
    if kept.data_type != given.data_type or kept.algorithm_type != given.algorithm_type:
        return False
    if any(getattr(kept, name).slen != getattr(given, name).slen for name in _TEXTS):
        return False  # lengths first: a pointer of another layout must not be followed
    return all(getattr(kept, name).octets() == getattr(given, name).octets() for name in _TEXTS)


def _make_aka(kept: Any, callback_address: int) -> None:
    kept.data_type = EXTENSION_AKA
    # Account::modify() leaves the callback uninitialised, so it is written, not trusted.
    ctypes.memset(ctypes.byref(kept.aka), 0, ctypes.sizeof(_Aka))
    kept.aka.cb = callback_address
