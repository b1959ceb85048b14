"""TLS contexts and bodies (connections: tests/integration/ue_agent/test_ue_http.py)."""

import ssl

import httpx2
import pytest
import trustme

from ue_agent.errors import HttpError
from ue_agent.https import Answer, HttpsClient, context_of_anchors, context_of_file


def test_contexts_are_strict_and_trust_one_ca(tmp_path) -> None:
    ca = trustme.CA()
    ca.cert_pem.write_to_path(tmp_path / "ca.pem")
    for context in (context_of_file(tmp_path / "ca.pem"), context_of_anchors((ca.cert_pem.bytes().decode(),))):
        assert context.minimum_version == ssl.TLSVersion.TLSv1_3
        assert context.verify_mode == ssl.CERT_REQUIRED and context.check_hostname
        assert not context.hostname_checks_common_name and len(context.get_ca_certs()) == 1


@pytest.mark.parametrize("anchors", [(), ("no certificate",), ("-----BEGIN CERTIFICATE-----\nAA==\n",)])
def test_what_is_no_anchor(anchors) -> None:
    with pytest.raises(HttpError, match="trust anchor"):
        context_of_anchors(anchors)


def test_what_is_no_ca_file(tmp_path) -> None:
    (tmp_path / "ca.pem").write_text("nothing")
    with pytest.raises(HttpError, match=r"ca\.pem"):
        context_of_file(tmp_path / "ca.pem")


@pytest.mark.parametrize("body", [b"", b"[]", b"\xff", b"[" * 100000])
def test_a_body_that_is_no_object(body) -> None:
    with pytest.raises(HttpError):
        Answer(200, httpx2.Headers(), body).json_object()


async def test_only_https_is_spoken() -> None:
    context = ssl.create_default_context()
    async with HttpsClient(context, timeout_s=1, response_octets_max=1024) as https:
        with pytest.raises(HttpError, match="not an https URL"):
            await https.get("http://127.0.0.1/")
