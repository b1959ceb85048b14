"""Session-Ids of our own: each stands once, all are equally long (RFC 6733 §8.8)."""

from diameter_proxy.hot_path import DIGITS, SessionIds

END = 1 << 32


def ids(low=None):
    made = SessionIds("proxy.lab", b"s" * 32)
    if low is not None:
        made._low = low
    return made


def test_each_stands_once_and_all_are_equally_long():
    made = ids(1_999_998_999)
    texts = [made.text() for _ in range(2100)]
    assert len(set(texts)) == 2100
    assert {len(text) for text in texts} == {len("proxy.lab;") + 2 * DIGITS + 1}
    host, high, low = texts[0].split(";")
    assert (host, low) == ("proxy.lab", "1999998999")
    assert [text.split(";")[1] for text in texts] == [high] * 2100
    assert [int(text.split(";")[2]) for text in texts] == list(range(1_999_998_999, 1_999_998_999 + 2100))


def test_both_numbers_have_32_bits_and_ten_digits():
    for secret in (b"a" * 16, b"b" * 16, b"c" * 16):
        made = SessionIds("p", secret)
        assert 10**9 <= made.high < END and 10**9 <= int(made.next_digits(made.high)) < END


def test_another_run_begins_elsewhere():
    assert SessionIds("p", b"a" * 16).text() != SessionIds("p", b"b" * 16).text()


def test_where_the_low_number_ends_the_high_one_goes_up():
    made = ids(END - 1)
    high = made.high
    assert made.next_digits(high) == str(END - 1).encode()
    assert made.next_digits(high) == b""
    assert made.text() == f"proxy.lab;{high + 1};1000000000"
    assert made.next_digits(high) == b"", "of the high number that was"
    assert made.next_digits(high + 1) == b"1000000001"


def test_after_the_last_high_number_comes_the_first():
    made = ids(END)
    made.high = END - 1
    assert made.text() == "proxy.lab;1000000000;1000000000"
