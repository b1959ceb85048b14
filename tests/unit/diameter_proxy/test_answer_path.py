"""Answers on their way back (RFC 6733 §6.2.2)."""

from diameter_proxy.answer_path import as_answer_to
from diameter_proxy.diameter import dictionary as d
from diameter_proxy.diameter.message import Message
from diameter_proxy.hot_path import locate


def test_an_answer_for_a_duplicate_has_its_hop_by_hop_and_its_proxy_info(made):
    first = d.PROXY_INFO.encode(d.PROXY_HOST.encode("a.lab") + d.PROXY_STATE.encode(b"1"))
    second = d.PROXY_INFO.encode(d.PROXY_HOST.encode("b.lab") + d.PROXY_STATE.encode(b"2"))
    answer = made.maa(made.mar(made.partner, first))
    request = made.mar(made.partner, second)
    request = request[:12] + b"\0\0\0\x63" + request[16:]
    out = Message.decode(as_answer_to(answer, request, locate(request)))
    assert out.header.hop_by_hop == 0x63
    assert second in out.octets
    assert first not in out.octets
