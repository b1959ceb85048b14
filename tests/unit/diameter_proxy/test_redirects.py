"""Whom a redirect indication names (RFC 6733 §6.12, §4.3.1)."""

import pytest

from diameter_proxy.diameter import dictionary as d
from diameter_proxy.diameter.wire import ERROR, encode_avp, encode_message
from diameter_proxy.redirects import HOSTS_MAX, hosts_named_by


def indication(*avps):
    return encode_message(ERROR, 303, 16777216, 1, 2, [d.RESULT_CODE.encode(3006), *avps])


def test_hosts_come_in_their_order_each_once_in_lower_case():
    uris = ("aaa://HSS-b.lab:3868;transport=tcp", "aaas://hss-c.lab", "aaa://hss-b.lab;protocol=diameter")
    assert hosts_named_by(indication(*map(d.REDIRECT_HOST.encode, uris))) == ("hss-b.lab", "hss-c.lab")


@pytest.mark.parametrize("value", [b"", b"hss-b.lab", b"http://hss-b.lab", b"aaa://", b"\xff\xfe"])
def test_what_is_no_diameter_uri_names_nobody(value):
    assert hosts_named_by(indication(encode_avp(292, value))) == ()


def test_an_answer_that_cannot_be_read_names_nobody():
    assert hosts_named_by(indication(bytes.fromhex("00000124400000ff"))) == ()


def test_no_more_hosts_than_the_limit_are_looked_at():
    many = (d.REDIRECT_HOST.encode(f"aaa://h{number}.lab") for number in range(HOSTS_MAX + 5))
    assert len(hosts_named_by(indication(*many))) == HOSTS_MAX
