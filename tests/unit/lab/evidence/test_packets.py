"""tshark's JSON becomes values; what is not there becomes empty, never an exception."""

from typing import Any

import pytest

from lab.evidence.messages import Rtp
from lab.evidence.packets import read_broken, read_packets, read_payloads


def packet(**layers: Any) -> dict[str, Any]:
    return {
        "frame": {"frame.number": "7", "frame.time_epoch": "100.5"},
        "ip": {"ip.src": "10.77.1.12", "ip.dst": "10.77.1.14"},
        **layers,
    }


TCP = {"tcp.srcport": "40000", "tcp.dstport": "3868", "tcp.stream": "3"}
UDP = {"udp.srcport": "5060", "udp.dstport": "4060"}
MAR = {
    "diameter.flags": "0xc0",
    "diameter.cmd.code": "303",
    "diameter.applicationId": "16777216",
    "diameter.hopbyhopid": "0x00000001",
    "diameter.endtoendid": "0x0000abcd",
    "diameter.avp": ["00:00:00:01:40:00:00:0b:75:40:68:00", "00:00:02:64:c0:00:00:1c:00:00:28:af:ff"],
    "diameter.avp_tree": [
        {"diameter.avp.code": "1", "diameter.avp.flags": "0x40", "diameter.avp.len": "11", "diameter.User-Name": "u@h"},
        {
            "diameter.avp.code": "612",
            "diameter.avp.vendorId": "10415",
            "diameter.3GPP-SIP-Auth-Data-Item": "00",
            "diameter.3GPP-SIP-Auth-Data-Item_tree": {
                "diameter.avp": "00:00:02:60",
                "diameter.avp_tree": {"diameter.avp.code": "608", "diameter.3GPP-SIP-Authentication-Scheme": "Digest"},
            },
        },
    ],
}


def test_a_diameter_request_has_its_header_and_avps() -> None:
    (message,) = read_packets([packet(tcp=TCP, diameter=MAR)]).diameter
    assert (message.is_request, message.is_proxiable, message.is_error) == (True, True, False)
    assert (message.command_code, message.hop_by_hop, message.end_to_end) == (303, 1, 0xABCD)
    assert message.value(1) == "u@h"
    assert message.frame.stream == 3


def test_a_value_is_found_inside_a_group() -> None:
    (message,) = read_packets([packet(tcp=TCP, diameter=MAR)]).diameter
    assert message.value(608) == "Digest"
    assert message.all(608) == ()


def test_ipv6_and_sctp_are_read_as_well() -> None:
    """Other labs have them: RFC 6733 §2.1 names SCTP, which has no TCP stream."""
    ends = {"ipv6": {"ipv6.src": "2001:db8::1", "ipv6.dst": "2001:db8::2"}}
    layers = {"frame": packet()["frame"], **ends, "sctp": {"sctp.srcport": "3868", "sctp.dstport": "3869"}}
    frame = read_packets([{**layers, "diameter": MAR}]).diameter[0].frame
    assert (frame.source, frame.destination) == ("2001:db8::1", "2001:db8::2")
    assert (frame.source_port, frame.destination_port, frame.stream) == (3868, 3869, -1)


def test_several_messages_in_one_frame_are_several() -> None:
    assert len(read_packets([packet(tcp=TCP, diameter=[MAR, MAR])]).diameter) == 2


def test_diameter_inside_tls_says_so() -> None:
    (message,) = read_packets([packet(tcp=TCP, tls={}, diameter=MAR)]).diameter
    assert message.is_tls


def test_the_experimental_result_is_the_result() -> None:
    tree = {"diameter.avp.code": "298", "diameter.Experimental-Result-Code": "5001"}
    answer = {**MAR, "diameter.flags": "0x40", "diameter.avp": "00", "diameter.avp_tree": tree}
    (message,) = read_packets([packet(tcp=TCP, diameter=answer)]).diameter
    assert message.result_code == 5001


def test_a_sip_request_has_its_headers_in_order() -> None:
    sip = {
        "sip.Request-Line": "REGISTER sip:ims.mc1.lab SIP/2.0",
        "sip.Request-Line_tree": {"sip.Method": "REGISTER", "sip.r-uri": "sip:ims.mc1.lab"},
        "sip.msg_hdr": "Via: one\r\nVIA: two\r\nCSeq: 4 REGISTER\r\nContact: <a>,\r\n <b>\r\n\r\n",
    }
    (message,) = read_packets([packet(udp=UDP, sip=sip)]).sip
    assert message.headers["via"] == ("one", "two")
    assert message.cseq == (4, "REGISTER")
    assert message.header("contact") == "<a>, <b>"
    assert message.is_request
    assert message.frame.stream == -1


def test_a_sip_response_has_status_and_reason() -> None:
    sip = {
        "sip.Status-Line": "SIP/2.0 504 Server Time-out",
        "sip.Status-Line_tree": {"sip.Status-Code": "504"},
        "sip.msg_hdr": "CSeq: nonsense\r\n\r\n",
    }
    (message,) = read_packets([packet(udp=UDP, sip=sip)]).sip
    assert (message.status, message.reason, message.cseq) == (504, "Server Time-out", (0, ""))


def test_http_has_path_headers_and_body() -> None:
    http = {
        "POST /token HTTP/1.1\\r\\n": {"http.request.method": "POST", "http.request.uri": "/token"},
        "http.request.line": ["Host: idms\r\n", "Authorization: Bearer x\r\n"],
        "http.file_data": '{"a": 1}',
    }
    (message,) = read_packets([packet(tcp=TCP, http=http)]).http
    assert (message.method, message.path, message.headers["authorization"]) == ("POST", "/token", "Bearer x")
    assert message.json() == {"a": 1}


def test_a_body_that_is_no_object_is_empty() -> None:
    http = {"x": {"http.response.code": "200"}, "http.file_data": "[1]"}
    (message,) = read_packets([packet(tcp=TCP, http=http)]).http
    assert message.json() == {}


def test_a_certificate_names_who_showed_it() -> None:
    tls = {"tls.record": {"certs": {"x509ce.dNSName": ["cms.mc1.lab"]}}}
    (certificate,) = read_packets([packet(tcp=TCP, tls=tls)]).certificates
    assert certificate.names == ("cms.mc1.lab",)
    assert certificate.frame.source == "10.77.1.12"


def test_a_frame_without_transport_is_passed_over() -> None:
    """ICMP errors quote the datagram that they are about; the quote is no message."""
    assert read_packets([packet(icmp={}, sip={"sip.msg_hdr": ""})]).sip == ()


@pytest.mark.parametrize(
    "missing", ["diameter.flags", "diameter.cmd.code", "diameter.hopbyhopid", "diameter.endtoendid"]
)
def test_a_diameter_message_that_was_cut_off_is_none(missing: str) -> None:
    cut = {key: value for key, value in MAR.items() if key != missing}
    assert read_packets([packet(tcp=TCP, diameter=cut)]).diameter == ()


def test_an_avp_that_was_cut_off_is_left_out() -> None:
    cut = {**MAR, "diameter.avp": ["00:zz", "00"], "diameter.avp_tree": [{"diameter.avp.code": "1"}, {}]}
    (message,) = read_packets([packet(tcp=TCP, diameter=cut)]).diameter
    assert message.avps == ()


@pytest.mark.parametrize("layers", [{}, {"frame": {}}, {"frame": "x", "ip": {}, "tcp": TCP}, {"frame": [], "ip": 3}])
def test_a_frame_that_lacks_everything_is_passed_over(layers: dict[str, Any]) -> None:
    assert read_packets([layers]).diameter == ()


def test_compact_header_names_are_the_long_ones() -> None:
    (message,) = read_packets(
        [packet(udp=UDP, sip={"sip.msg_hdr": "i: c1\r\nt: <sip:a@x>\r\nf: <sip:b@x>\r\n\r\n"})]
    ).sip
    assert (message.call_id, message.header("to"), message.header("from")) == ("c1", "<sip:a@x>", "<sip:b@x>")


def test_payloads_are_read_octet_for_octet() -> None:
    lines = [
        "7\t100.5\t10.77.1.12\t10.77.1.14\t3\t40000\t3868\t\t\t0100ff\t\t\t\t0\t0",
        "8\t100.6\t10.77.1.21\t10.77.1.10\t\t\t\t5060\t5061\t\t52:45\t0x0000002a\t7\t\t",
        "9\t100.7\t10.77.1.21\t10.77.1.10\t\t\t\t5060\t5060\t\t\t\t\t\t",
        "10\t100.8\t10.77.1.14\t10.77.1.12\t3\t3868\t40000\t\t\t\t\t\t\t1\t0",
        "no line of fields",
        "x\ty\tz\t\t\t\t\t\t\tzz\t\t\t\t1\t1",
    ]
    tcp, udp = read_payloads(lines)
    assert (tcp.frame.number, tcp.frame.stream, tcp.frame.destination_port, tcp.octets) == (7, 3, 3868, b"\x01\x00\xff")
    (reset,) = read_broken(lines)
    assert (reset.number, reset.source, reset.stream) == (10, "10.77.1.14", 3)
    assert (udp.frame.stream, udp.frame.source_port, udp.octets) == (-1, 5060, b"RE")
    assert (tcp.rtp, udp.rtp) == (None, Rtp(42, 7))
