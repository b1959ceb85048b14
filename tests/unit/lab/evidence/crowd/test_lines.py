"""tshark's lines become messages: AVPs are nested again, two messages of one frame are told apart."""

from lab.evidence.crowd.lines import BETWEEN, FIELDS, arguments, read_arrivals

APPLICATION = "00000104400000200000010a4000000c000028af000001024000000c01000000"
VENDOR, AUTH = "0000010a4000000c000028af", "000001024000000c01000000"
SCHEME = "00000260c000001c000028af4469676573742d414b4176312d4d4435"
ITEM = f"00000264c0000028000028af{SCHEME}"
USER = "000000014000000b616c6900"
HEADS = {
    "frame.number": "7", "frame.time_epoch": "1.5", "ip.src": "10.0.0.1", "ip.dst": "10.0.0.2", "tcp.stream": "3",
    "tcp.srcport": "40000", "tcp.dstport": "3868", "tcp.payload": "0100",
}  # fmt: skip


def line(**values: str) -> str:
    """Return tshark's line; of its names a dot is _ here, a dash __, an underscore ^."""
    named = {
        **HEADS,
        **{name.replace("__", "-").replace("_", ".").replace("^", "_"): value for name, value in values.items()},
    }
    assert set(named) <= set(FIELDS), named
    return "\t".join(named.get(name, "") for name in FIELDS) + "\n"


def diameter(**values: str) -> str:
    heads = {
        "diameter_flags": "0xc0", "diameter_cmd_code": "303", "diameter_applicationId": "16777216",
        "diameter_hopbyhopid": "0x0a", "diameter_endtoendid": "0x0b",
    }  # fmt: skip
    return line(**heads, **values)


def test_grouped_avps_have_their_members_and_a_message_its_own() -> None:
    avps = BETWEEN.join((APPLICATION, VENDOR, AUTH, ITEM, SCHEME, USER))
    length = str(20 + sum(len(one) // 2 for one in (APPLICATION, ITEM, USER)))
    (arrival,) = read_arrivals([diameter(diameter_length=length, diameter_avp=avps)])
    (message,) = arrival.diameter
    assert [avp.code for avp in message.avps] == [260, 612, 1]
    assert [(avp.code, avp.value) for avp in message.avps[0].children] == [(266, "10415"), (258, "16777216")]
    assert (message.value(608), message.value(1)) == ("Digest-AKAv1-MD5", "ali")
    assert (message.is_request, message.is_proxiable, message.is_error, message.is_tls) == (True, True, False, False)
    assert (message.hop_by_hop, message.end_to_end, message.application_id) == (10, 11, 16777216)
    assert (arrival.frame.number, arrival.frame.stream, arrival.octets) == (7, 3, b"\x01\x00")


def test_two_messages_in_one_frame_share_the_list_of_avps() -> None:
    twice = {
        name: BETWEEN.join((value, value))
        for name, value in {
            "diameter_flags": "0x40", "diameter_cmd_code": "303", "diameter_applicationId": "1",
            "diameter_hopbyhopid": "0x01", "diameter_endtoendid": "0x02",
        }.items()
    }  # fmt: skip
    avps = BETWEEN.join((ITEM, SCHEME, USER))
    (arrival,) = read_arrivals([line(**twice, diameter_length=BETWEEN.join(("60", "32")), diameter_avp=avps)])
    assert [[avp.code for avp in message.avps] for message in arrival.diameter] == [[612], [1]]


def test_avps_that_are_missing_or_cut_off_do_no_harm() -> None:
    (arrival,) = read_arrivals([diameter(diameter_length="400", diameter_avp=BETWEEN.join((ITEM, "00")))])
    assert [avp.code for avp in arrival.diameter[0].avps] == [612]


def test_sip_over_udp_is_read_from_its_octets() -> None:
    text = "SIP/2.0 401 Unauthorized - Challenging the UE\r\ni: a\r\nCSeq: 1 REGISTER\r\n\r\nbody"
    values = {"tcp_stream": "", "tcp_payload": "", "udp_srcport": "5060", "udp_dstport": "40000"}
    (arrival,) = read_arrivals([line(**values, udp_payload=text.encode().hex(), sip_Status__Code="401")])
    assert arrival.sip is not None
    assert (arrival.sip.status, arrival.sip.reason) == (401, "Unauthorized - Challenging the UE")
    assert (arrival.sip.call_id, arrival.sip.cseq, arrival.sip.text) == ("a", (1, "REGISTER"), text)
    assert (arrival.frame.source_port, arrival.frame.stream) == (5060, -1)


def test_http_has_its_headers_and_body() -> None:
    values = {"http_request_method": "POST", "http_request_uri": "/x", "http_file^data": '{"a": 1}'}
    values |= {"http_request_line": f"host: cms.mc1.lab\\r\\n{BETWEEN}a: b\\r\\n"}
    (arrival,) = read_arrivals([line(**values)])
    assert arrival.http is not None
    assert (arrival.http.method, arrival.http.path, arrival.http.status) == ("POST", "/x", 0)
    assert arrival.http.headers == {"host": "cms.mc1.lab", "a": "b"}
    assert arrival.http.json() == {"a": 1}


def test_lines_that_lack_what_every_frame_has_are_passed_over() -> None:
    assert list(read_arrivals(["", "a\tb\n", line(ip_src=""), line(tcp_payload="")])) == []


def test_tshark_is_told_each_field_once() -> None:
    told = arguments()
    assert [told[at + 1] for at, word in enumerate(told) if word == "-e"] == list(FIELDS)
    assert len(set(FIELDS)) == len(FIELDS)
