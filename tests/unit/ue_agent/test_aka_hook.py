"""The hook's guards, without pjsua2 (its work on the real wheel: tests/integration/ue_agent/test_ue_hook.py)."""

import ctypes
from pathlib import Path

import pytest

from ue_agent import aka_hook
from ue_agent.aka_hook import PJ_EUNKNOWN, _Credential, _is_copy, _is_writable, _Session, _set_credentials, _Str

CALLBACK = 0x1234
MAPS = """7f0000000000-7f0000002000 r-xp 00000000 08:01 11 /x/_pjsua2.so
7f0000002000-7f0000004000 rw-p 00002000 08:01 11 /x/_pjsua2.so
7f0000004000-7f0000006000 rw-p 00000000 00:00 0
7f0000006000-7f0000008000 rw-p 00000000 08:01 12 /x/other.so
"""
TEXTS: list[ctypes.Array[ctypes.c_char]] = []


def text(octets: bytes) -> _Str:
    TEXTS.append(ctypes.create_string_buffer(octets))
    return _Str(ctypes.addressof(TEXTS[-1]), len(octets))


def credential(data_type: int = aka_hook.EXTENSION_AKA, username: bytes = b"u@d") -> _Credential:
    made = _Credential(data_type=data_type, algorithm_type=0)
    made.realm, made.scheme, made.username = text(b"d"), text(b"Digest"), text(username)
    return made


class Library:
    """pjsip_auth_clt_set_credentials, which copies; ``spoil`` makes it a build of another layout."""

    def __init__(self, spoil=lambda copy: None, status: int = 0) -> None:
        self.seen: list[int] = []
        self.status = status
        self._spoil = spoil

    def __call__(self, session, count, credentials) -> int:
        self.seen = [credentials[i].data_type for i in range(count)]
        self.copies = (_Credential * max(count, 1))()
        for i in range(count):
            ctypes.memmove(ctypes.byref(self.copies[i]), ctypes.byref(credentials[i]), ctypes.sizeof(_Credential))
            self._spoil(self.copies[i])
        session.contents.credential_count = count
        session.contents.credentials = ctypes.cast(self.copies, ctypes.POINTER(_Credential))
        return self.status


def call(library: Library, *credentials: _Credential) -> int:
    given = (_Credential * len(credentials))(*credentials)
    return _set_credentials(library, CALLBACK, ctypes.pointer(_Session()), len(credentials), given)


def test_aka_credentials_go_in_plain_and_come_out_with_type_and_callback() -> None:
    library = Library()
    assert call(library, credential()) == 0
    assert library.seen == [aka_hook.PLAIN]
    assert (library.copies[0].data_type, library.copies[0].aka.cb) == (aka_hook.EXTENSION_AKA, CALLBACK)


def test_plain_credentials_beside_are_left_alone() -> None:
    library = Library()
    assert call(library, credential(aka_hook.PLAIN), credential()) == 0
    assert (library.copies[0].data_type, library.copies[0].aka.cb) == (aka_hook.PLAIN, None)


def test_without_aka_the_call_passes_through() -> None:
    library = Library()
    assert call(library, credential(1)) == 0
    assert (library.seen, library.copies[0].data_type) == ([1], 1)


def test_the_librarys_own_refusal_is_passed_on() -> None:
    assert call(Library(status=70004), credential()) == 70004


def longer(copy: _Credential) -> None:
    copy.username.slen += 1


def other_text(copy: _Credential) -> None:
    copy.username = text(b"v@d")


def other_type(copy: _Credential) -> None:
    copy.data_type = 1


@pytest.mark.parametrize("spoil", [longer, other_text, other_type])
def test_a_copy_that_does_not_compare_is_not_written_to(spoil) -> None:
    library = Library(spoil)
    assert call(library, credential()) == PJ_EUNKNOWN
    assert library.copies[0].aka.cb is None


def test_a_copy_compares_with_its_original_alone() -> None:
    assert _is_copy(credential(), credential())
    assert not _is_copy(credential(), credential(username=b"x@d"))


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        (0x7F0000002000, True),
        (0x7F0000003FF8, True),
        (0x7F0000003FFC, False),
        (0x7F0000001000, False),
        (0x7F0000005000, False),
        (0x7F0000007000, False),
        (0x10, False),
    ],
    ids=["first", "last", "over the end", "read only", "anonymous", "another file", "unmapped"],
)
def test_only_writable_memory_of_the_object_itself_will_do(address, expected) -> None:
    assert _is_writable(MAPS, address, Path("/x/_pjsua2.so")) is expected
