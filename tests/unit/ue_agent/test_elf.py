"""Jump slots of x86-64 shared objects (System V ABI, AMD64 supplement)."""

import contextlib
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ue_agent.elf import ElfError, find_jump_slot

ADDRESS = 0x1000


def shared_object(*, symbol: bytes = b"hooked", kind: int = 7, section: int = 1, machine: int = 62) -> bytes:
    """Return the least object with one jump slot: header, two program headers, dynamic, symbol, relocation, name."""
    headers, dynamic = 64, 64 + 2 * 56
    symbols = dynamic + 5 * 16
    relocations, names = symbols + 24, symbols + 24 + 24
    image = bytearray(b"\x7fELF\x02\x01".ljust(16, b"\0") + struct.pack("<HH", 3, machine)).ljust(64, b"\0")
    struct.pack_into("<Q", image, 32, headers)
    struct.pack_into("<HH", image, 54, 56, 2)
    size = names + len(symbol) + 1
    image += struct.pack("<IIQQQQQQ", 1, 5, 0, ADDRESS, 0, size, size, 0)
    image += struct.pack("<IIQQQQQQ", 2, 6, dynamic, ADDRESS + dynamic, 0, 5 * 16, 5 * 16, 0)
    for tag, value in ((5, ADDRESS + names), (6, ADDRESS + symbols), (23, ADDRESS + relocations), (2, 24), (0, 0)):
        image += struct.pack("<qQ", tag, value)
    image += struct.pack("<IBBHQQ", 0, 0, 0, section, 0x2222, 0)
    image += struct.pack("<QQq", 0x3333, kind, 0)
    return bytes(image + symbol + b"\0")


def test_finds_slot_and_function() -> None:
    assert find_jump_slot(shared_object(), "hooked") == (0x3333, 0x2222)


@pytest.mark.parametrize(
    ("image", "reason"),
    [
        (b"", "not an x86-64"),
        (shared_object(machine=183), "not an x86-64"),
        (shared_object(symbol=b"hooked_too"), "not called"),
        (shared_object(kind=6), "not defined and called"),
        (shared_object(section=0), "not defined and called"),
        (shared_object()[:100], "ends in the middle"),
    ],
    ids=["empty", "another machine", "longer name", "another relocation", "defined elsewhere", "cut"],
)
def test_all_else_is_refused(image, reason) -> None:
    with pytest.raises(ElfError, match=reason):
        find_jump_slot(image, "hooked")


@settings(deadline=None, derandomize=True)
@given(st.data())
def test_changed_octets_give_an_answer_or_the_error(data) -> None:
    image = bytearray(shared_object())
    for _ in range(data.draw(st.integers(1, 4))):
        image[data.draw(st.integers(0, len(image) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(ElfError):
        find_jump_slot(bytes(image[: data.draw(st.integers(0, len(image)))]), "hooked")
