"""Where a shared object keeps the address of a function that it calls through its procedure linkage table.

ELF-64, little endian, x86-64 (System V ABI, AMD64 supplement, "Dynamic Linking"): the relocation
R_X86_64_JUMP_SLOT of the function.  Pure: octets of the file in, offsets out.  It loads and changes nothing.
"""

import struct
from collections.abc import Iterator
from typing import Final, NamedTuple

MAGIC: Final = b"\x7fELF\x02\x01"  # 64 bit, little endian
MACHINE_X86_64: Final = 62
PT_LOAD, PT_DYNAMIC = 1, 2
DT_NULL, DT_PLTRELSZ, DT_STRTAB, DT_SYMTAB, DT_JMPREL = 0, 2, 5, 6, 23
R_X86_64_JUMP_SLOT: Final = 7
PROGRAM_HEADER = struct.Struct("<IIQQQQQQ")
DYNAMIC = struct.Struct("<qQ")
RELOCATION = struct.Struct("<QQq")
SYMBOL = struct.Struct("<IBBHQQ")


class ElfError(Exception):
    """The octets are not such a shared object, or it does not call the function."""


class JumpSlot(NamedTuple):
    """Offsets from the address at which the object is loaded."""

    slot: int
    function: int


class _Segment(NamedTuple):
    kind: int
    offset: int
    address: int
    size: int


def find_jump_slot(image: bytes, symbol: str) -> JumpSlot:
    """Return where the object keeps the address of ``symbol``, and where it defines that function.

    Raises:
        ElfError: no such object, or no such slot, or the function is defined elsewhere.
    """
    try:
        return _find(image, symbol.encode())
    except (struct.error, ValueError, OverflowError) as exc:
        raise ElfError(f"the file ends in the middle of a table: {exc}") from exc


def _find(image: bytes, symbol: bytes) -> JumpSlot:
    if image[:6] != MAGIC or struct.unpack_from("<H", image, 18)[0] != MACHINE_X86_64:
        raise ElfError("not an x86-64 shared object")
    segments = list(_segments(image))
    dynamic = _dynamic(image, segments)
    try:
        names, symbols, table = (_file_offset(segments, dynamic[tag]) for tag in (DT_STRTAB, DT_SYMTAB, DT_JMPREL))
        count = dynamic[DT_PLTRELSZ] // RELOCATION.size
    except KeyError as exc:
        raise ElfError(f"no dynamic entry {exc}") from exc
    for index in range(count):
        slot, packed, _ = RELOCATION.unpack_from(image, table + RELOCATION.size * index)
        name, _, _, section, value, _ = SYMBOL.unpack_from(image, symbols + SYMBOL.size * (packed >> 32))
        if image.startswith(symbol + b"\0", names + name):
            if packed & 0xFFFFFFFF != R_X86_64_JUMP_SLOT or section == 0:
                raise ElfError(f"{symbol.decode()} is not defined and called here through a jump slot")
            return JumpSlot(slot, value)
    raise ElfError(f"{symbol.decode()} is not called through a jump slot")


def _segments(image: bytes) -> Iterator[_Segment]:
    (table,) = struct.unpack_from("<Q", image, 32)
    entry_size, count = struct.unpack_from("<HH", image, 54)
    for index in range(count):
        kind, _, offset, address, _, size, _, _ = PROGRAM_HEADER.unpack_from(image, table + index * entry_size)
        yield _Segment(kind, offset, address, size)


def _dynamic(image: bytes, segments: list[_Segment]) -> dict[int, int]:
    entries: dict[int, int] = {}
    for segment in segments:
        if segment.kind != PT_DYNAMIC:
            continue
        for at in range(segment.offset, segment.offset + segment.size, DYNAMIC.size):
            tag, value = DYNAMIC.unpack_from(image, at)
            if tag == DT_NULL:
                break
            entries.setdefault(tag, value)
    return entries


def _file_offset(segments: list[_Segment], address: int) -> int:
    for segment in segments:
        if segment.kind == PT_LOAD and segment.address <= address < segment.address + segment.size:
            return address - segment.address + segment.offset
    raise ElfError(f"no segment holds address {address:#x}")
