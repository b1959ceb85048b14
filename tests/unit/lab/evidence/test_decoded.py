"""Key AVPs and headers for people; what opens a door is shown by its length."""

from types import SimpleNamespace

from lab.evidence.decoded import VALUE_MAX, decoded_fields


def test_a_diameter_message_shows_identities_and_the_length_of_vectors(make: SimpleNamespace) -> None:
    secret = "\x01" * 8
    item = make.avp(612, "", make.avp(608, "Digest-AKAv1-MD5"), make.avp(610, secret))
    fields = decoded_fields(make.diameter(1, "hss", "proxy1", make.avp(1, "u@d"), item, request=False))
    assert ("x", "u@d") in fields
    assert ("x", "Digest-AKAv1-MD5") in fields
    assert ("x", "8 octets") in fields
    assert fields[0] == ("command", "MAA (P)")
    assert not any(secret in value for _, value in fields)


def test_a_vendor_specific_avp_is_as_long_as_its_value(make: SimpleNamespace) -> None:
    octets = (609).to_bytes(4, "big") + b"\xc0" + (12 + 32).to_bytes(3, "big") + (10415).to_bytes(4, "big") + bytes(32)
    challenge = make.avp(609, "")._replace(vendor_id=10415, octets=octets.hex())
    assert ("x", "32 octets") in decoded_fields(make.diameter(1, "hss", "proxy1", challenge))


def test_a_sip_message_shows_who_and_not_the_nonce(make: SimpleNamespace) -> None:
    header = 'Digest username="u@d", realm="d", nonce="c2VjcmV0", response="", algorithm=AKAv1-MD5'
    register = make.sip(1, "ue", "pcscf", "REGISTER", authorization=header, to="<sip:u@d>")
    fields = dict(decoded_fields(register))
    assert fields["to"] == "<sip:u@d>"
    assert "nonce: 8 characters" in fields["authorization"]
    assert "response empty" in fields["authorization"]
    assert "c2VjcmV0" not in str(fields)


def test_an_http_message_shows_named_members_only(make: SimpleNamespace) -> None:
    body = (
        '{"mc_service_ids": ["sip:a@b"], "access_token": "eyJ", "nested": {"private_user_identity": "u@d", "new": 1}}'
    )
    fields = decoded_fields(make.http(1, "ue", "cms1", "/csc-4/v1/x?secret=1", body=body))
    assert ("mc_service_ids", "sip:a@b") in fields
    assert ("nested.private_user_identity", "u@d") in fields
    assert "eyJ" not in str(fields)
    assert "secret" not in str(fields)
    assert "new" not in str(fields)


def test_a_form_shows_its_grant_and_not_its_password(make: SimpleNamespace) -> None:
    fields = decoded_fields(make.http(1, "ue", "idms1", "/token", body="grant_type=password&username=a&password=hush"))
    assert ("grant_type", "password") in fields
    assert "hush" not in str(fields)


def test_a_long_or_odd_value_becomes_one_short_line(make: SimpleNamespace) -> None:
    fields = dict(decoded_fields(make.diameter(1, "hss", "proxy1", make.avp(1, "a\r\nb\x00" + "c" * 500))))
    assert len(fields["x"]) == VALUE_MAX
    assert fields["x"].isprintable()
