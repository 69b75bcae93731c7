"""The signature, against a vector of openssl's and against openssl itself."""

import base64
import shutil
import subprocess
from datetime import datetime, timedelta, timezone

import pytest

from parcelgate.carriers.ubi.client import http_date, signature, signed_headers
from tests.unit.carriers.ubi.orders import fixture

SIGNED_AT = datetime(2021, 11, 4, 11, 39, 28, tzinfo=timezone(timedelta(hours=8)))


def test_the_vector_is_met_to_the_letter() -> None:
    vector = fixture("signature")
    made = signed_headers(vector["token"], vector["secret"], vector["method"], vector["url"], SIGNED_AT)
    assert made == {"Authorization": vector["authorization"], "X-WallTech-Date": vector["date"]}


def test_a_date_is_rfc_1123_in_gmt_whatever_zone_the_clock_is_in() -> None:
    assert http_date(SIGNED_AT) == "Thu, 04 Nov 2021 03:39:28 GMT"


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is another program")
@pytest.mark.parametrize("method", ["POST", "GET", "DELETE"])
@pytest.mark.parametrize("secret", ["made-up-secret", "ключ", "with space / and +"])
def test_openssl_signs_the_same(method: str, secret: str) -> None:
    date, url = "Sat, 21 Nov 2026 12:00:00 GMT", "https://us.etowertech.com/services/shipper/order/a%2Fb"
    signed = subprocess.run(
        ["openssl", "dgst", "-sha1", "-hmac", secret, "-binary"],
        input=f"{method}\n{date}\n{url}".encode(),
        capture_output=True,
        check=True,
    ).stdout
    assert signature(secret, method, date, url) == base64.b64encode(signed).decode()


def test_the_alphabet_is_that_of_standard_base64() -> None:
    made = "".join(signature("secret", "POST", str(number), "http://x") for number in range(200))
    assert set(made) & set("+/")
    assert not set(made) & set("-_")


def test_a_line_feed_at_the_end_would_be_another_signature() -> None:
    assert signature("s", "POST", "d", "u") != signature("s", "POST", "d", "u\n")
