"""Content Credentials: signed with a certificate made here, read back by the C2PA library."""

import datetime as dt
import io

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from PIL import Image

from engines.provenance import COMPOSITE, FORMATS, Provenance, read, write

pytest.importorskip("c2pa", reason="c2pa-python is an extra")

from engines.credentials import ASSERTION, Certificate, add_credentials, read_credentials

RECORD = Provenance(
    model="ada/cats v1", prompt="words of a person", licence="CC-BY-4.0", run="42", source_type=COMPOSITE
)


def make_certificate() -> Certificate:
    """An authority, and a leaf that may sign documents."""
    now = dt.datetime.now(dt.UTC)
    authority_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())

    def name(common: str) -> x509.Name:
        organisation = x509.NameAttribute(NameOID.ORGANIZATION_NAME, "A studio")
        return x509.Name([organisation, x509.NameAttribute(NameOID.COMMON_NAME, common)])

    def begun(subject: str, public: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(name(subject))
            .issuer_name(name("authority"))
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(days=1))
            .not_valid_after(now + dt.timedelta(days=30))
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key()), critical=False
            )
        )

    usage = dict.fromkeys(
        (
            "content_commitment", "key_encipherment", "data_encipherment", "key_agreement", "encipher_only",
            "decipher_only",
        ),
        False,
    )  # fmt: skip
    authority = (
        begun("authority", authority_key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(
            x509.KeyUsage(digital_signature=True, key_cert_sign=True, crl_sign=True, **usage), critical=True
        )
        .sign(authority_key, hashes.SHA256())
    )
    leaf = (
        begun("studio", key.public_key())
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(
            x509.KeyUsage(digital_signature=True, key_cert_sign=False, crl_sign=False, **usage), critical=True
        )
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION]), critical=False)
        .sign(authority_key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    chain = leaf.public_bytes(pem) + authority.public_bytes(pem)
    return Certificate(chain=chain.decode(), private_key=private.decode())


@pytest.fixture(scope="module")
def certificate() -> Certificate:
    return make_certificate()


@pytest.mark.parametrize("file_format", FORMATS)
def test_what_is_signed_is_read_back_and_our_own_note_stays(certificate, file_format):
    plain = io.BytesIO()
    write(Image.new("RGB", (32, 32), "tan"), plain, RECORD, file_format=file_format)
    signed = add_credentials(plain.getvalue(), RECORD, certificate, file_format=file_format)
    told = read_credentials(signed, file_format=file_format)
    assert told["validation_state"] == "Valid"  # not "Trusted": nobody has heard of this authority
    assertions = {one["label"]: one["data"] for one in told["assertions"]}
    (action,) = assertions["c2pa.actions.v2"]["actions"]
    assert action["action"] == "c2pa.created"
    assert action["digitalSourceType"].endswith("compositeWithTrainedAlgorithmicMedia")
    assert assertions[ASSERTION] == {"model": "ada/cats v1", "run": "42", "licence": "CC-BY-4.0"}
    assert read(io.BytesIO(signed)) == RECORD


def test_a_changed_file_is_told(certificate):
    plain = io.BytesIO()
    write(Image.new("RGB", (32, 32), "tan"), plain, RECORD, file_format="jpeg")
    signed = bytearray(add_credentials(plain.getvalue(), RECORD, certificate, file_format="jpeg"))
    signed[-20] ^= 1
    assert read_credentials(bytes(signed), file_format="jpeg")["validation_state"] == "Invalid"


def test_a_file_without_credentials_has_none():
    plain = io.BytesIO()
    write(Image.new("RGB", (32, 32), "tan"), plain, RECORD, file_format="png")
    assert read_credentials(plain.getvalue(), file_format="png") is None
