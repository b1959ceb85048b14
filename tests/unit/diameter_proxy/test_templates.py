"""What goes out has the values that it is given, and a length of its own."""

import pytest
from librt.strings import BytesWriter

from diameter_proxy.hot_path import Template
from diameter_proxy.templates import FIRST, HEAD, ITEM, SECOND, SERVER, SESSION


def written(template, octets, number, *values):
    out = BytesWriter()
    template.write(out, octets, number, *values)
    return out.getvalue()


def test_a_value_that_is_left_out_the_next_time_is_not_there_again():
    out = b"\x01\0\0\x26\xc0\0\x01\x2f\x01\0\0\0" + bytes(8) + b"aaHHSSbbUUPPccIIVV"
    places = [(22, 24, HEAD), (24, 26, SESSION), (28, 30, FIRST), (30, 32, SECOND), (34, 36, ITEM), (36, 38, SERVER)]
    template = Template(out, places)
    with_server = written(template, 11, 7, b"e2e!", b"S", b"U", b"P", b"I", b"SERVER", b"H")
    without = written(template, 4, 7, b"e2e!", b"S", b"U", b"P", b"I")
    assert with_server.endswith(b"aaHSbbUPccISERVER") and without.endswith(b"aaSbbUPccI")
    assert int.from_bytes(with_server[1:4], "big") == len(with_server)
    assert int.from_bytes(without[1:4], "big") == len(without)
    assert without[12:20] == b"\0\0\0\x07e2e!"
    assert template.constants == [b"aa", b"bb", b"cc"]
    assert not template.is_split


HEADER = b"\x01\0\0\x20\xc0\0\x01\x2f\x01\0\0\0" + bytes(8)


@pytest.mark.parametrize(
    ("holes", "is_split"),
    [
        ([(20, 22, FIRST), (22, 24, SECOND)], False),
        ([(20, 22, FIRST), (23, 24, SECOND)], True),
        ([(20, 22, FIRST), (22, 24, ITEM), (24, 26, SECOND)], True),
        ([(20, 22, FIRST), (22, 24, HEAD), (24, 26, SESSION), (26, 28, SECOND)], True),
        ([(20, 24, FIRST)], False),
    ],
    ids=["side by side", "a constant between", "a value between", "two values between", "one hole"],
)
def test_both_identities_are_split_by_whatever_stands_between_them(holes, is_split):
    assert Template(HEADER + b"aabbccddee", holes).is_split is is_split


def test_a_message_is_written_behind_another():
    template = Template(HEADER + b"aaSScc", [(22, 24, SESSION), (24, 24, FIRST)])
    out = BytesWriter()
    for number in (1, 0xFFFFFFFF):
        template.write(out, 3, number, b"e2e!", b"SSS", b"", b"")
    one, other = out.getvalue()[:27], out.getvalue()[27:]
    assert one == HEADER[:3] + b"\x1b" + HEADER[4:12] + b"\0\0\0\x01e2e!aaSSScc"
    assert other == one[:12] + b"\xff\xff\xff\xff" + one[16:]
