"""Signing and verifying of tokens."""

import base64
import hmac
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from joserfc.jwk import ECKey, RSAKey

from lab.systems.idms.errors import NotAToken
from lab.systems.idms.keys import KeyFileError, SigningKey, load_jwks, load_signing_key

RSA = RSAKey.generate_key(2048)
EC = ECKey.generate_key("P-256")


def encoded(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


@pytest.mark.parametrize(("key", "algorithm"), [(EC, "ES256"), (RSA, "RS256")])
def test_a_token_verifies_with_the_published_key_set(key: ECKey | RSAKey, algorithm: str, tmp_path: Path) -> None:
    signing = SigningKey(key)
    published = tmp_path / "jwks.json"
    published.write_text(json.dumps(signing.jwks()))
    header, claims = load_jwks(published).verify(signing.sign({"sub": "alice"}, "at+jwt"))
    assert header == {"alg": algorithm, "kid": signing.kid, "typ": "at+jwt"}
    assert claims == {"sub": "alice"}


def test_the_key_set_holds_no_private_member() -> None:
    assert not {"d", "p", "q"} & set(SigningKey(RSA).jwks()["keys"][0])


def test_algorithm_none_is_refused() -> None:
    token = f"{encoded({'alg': 'none'})}.{encoded({'sub': 'alice'})}."
    with pytest.raises(NotAToken):
        SigningKey(EC).verifier().verify(token)


def test_a_keyed_hash_over_the_public_key_is_refused() -> None:
    signed = f"{encoded({'alg': 'HS256', 'kid': SigningKey(RSA).kid})}.{encoded({'sub': 'alice'})}"
    signature = hmac.digest(RSA.as_pem(private=False), signed.encode(), "sha256")
    token = f"{signed}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"
    with pytest.raises(NotAToken):
        SigningKey(RSA).verifier().verify(token)


def test_another_key_is_refused() -> None:
    token = SigningKey(ECKey.generate_key("P-256")).sign({"sub": "alice"})
    with pytest.raises(NotAToken):
        SigningKey(EC).verifier().verify(token)


def test_an_altered_token_is_refused() -> None:
    header, _, signature = SigningKey(EC).sign({"sub": "alice"}).split(".")
    with pytest.raises(NotAToken):
        SigningKey(EC).verifier().verify(f"{header}.{encoded({'sub': 'bob'})}.{signature}")


def test_an_overlong_token_is_refused() -> None:
    with pytest.raises(NotAToken, match="8192"):
        SigningKey(EC).verifier().verify("a" * 8193)


def test_deeply_nested_json_is_refused() -> None:
    nested = base64.urlsafe_b64encode(b"[" * 3000).rstrip(b"=").decode()
    with pytest.raises(NotAToken):
        SigningKey(EC).verifier().verify(f"{nested}.{nested}.a")


@given(st.text(max_size=200) | st.from_regex(r"[A-Za-z0-9_\-]{0,80}\.[A-Za-z0-9_\-]{0,80}\.[A-Za-z0-9_\-]{0,80}"))
@settings(deadline=None, derandomize=True)
def test_any_text_is_refused_in_the_documented_way(text: str) -> None:
    with pytest.raises(NotAToken):
        SigningKey(EC).verifier().verify(text)


@given(
    st.dictionaries(
        st.sampled_from(["alg", "kid", "typ", "crit", "b64", "jwk"]), st.none() | st.text() | st.lists(st.text())
    )
)
@settings(deadline=None, derandomize=True)
def test_any_header_is_refused_in_the_documented_way(header: dict[str, object]) -> None:
    with pytest.raises(NotAToken):
        SigningKey(EC).verifier().verify(f"{encoded(header)}.{encoded({})}.AAAA")


def test_after_a_rotation_tokens_of_the_key_before_are_good_until_the_next_one(tmp_path: Path) -> None:
    signing = SigningKey(EC)
    verifier, old = signing.verifier(), signing.sign({"sub": "alice"})
    assert signing.rotate(SigningKey(RSA))
    new = signing.sign({"sub": "alice"})
    assert [verifier.verify(token)[1] for token in (old, new)] == [{"sub": "alice"}] * 2
    assert {key["kid"] for key in signing.jwks()["keys"]} == {SigningKey(EC).kid, SigningKey(RSA).kid}
    assert [key["alg"] for key in signing.jwks()["keys"]] == ["RS256", "ES256"]
    assert signing.rotate(SigningKey(ECKey.generate_key("P-256")))
    verifier.verify(new)
    with pytest.raises(NotAToken):
        verifier.verify(old)


def test_the_same_key_again_is_no_rotation() -> None:
    signing = SigningKey(EC)
    assert not signing.rotate(SigningKey(EC))
    assert len(signing.jwks()["keys"]) == 1


def test_keys_are_read_from_pem(tmp_path: Path) -> None:
    for name, key in (("ec.pem", EC), ("rsa.pem", RSA)):
        (tmp_path / name).write_bytes(key.as_pem(private=True))
        assert load_signing_key(tmp_path / name).kid == SigningKey(key).kid


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"junk", "neither an EC nor an RSA"),
        (EC.as_pem(private=False), "public key"),
        (ECKey.generate_key("P-384").as_pem(private=True), "P-256"),
    ],
)
def test_unfit_key_files_are_refused(content: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / "key.pem").write_bytes(content)
    with pytest.raises(KeyFileError, match=message):
        load_signing_key(tmp_path / "key.pem")


def test_a_missing_key_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(KeyFileError, match="No such file"):
        load_signing_key(tmp_path / "none.pem")


@pytest.mark.parametrize(
    "content",
    ["junk", "{}", '{"keys": []}', '{"keys": [1]}', '{"keys": [{"kty": "oct", "k": "c2VjcmV0c2VjcmV0c2VjcmV0"}]}'],
)
def test_unfit_key_sets_are_refused(content: str, tmp_path: Path) -> None:
    (tmp_path / "jwks.json").write_text(content)
    with pytest.raises(KeyFileError):
        load_jwks(tmp_path / "jwks.json")


def test_a_short_rsa_key_is_refused() -> None:
    from cryptography.hazmat.primitives.asymmetric import rsa

    short = RSAKey.import_key(RSAKey.generate_key(2048).as_dict(private=True))
    short._raw_value = rsa.generate_private_key(65537, 1024)  # joserfc itself will not make one
    with pytest.raises(KeyFileError, match="1024 bits"):
        SigningKey(short)
