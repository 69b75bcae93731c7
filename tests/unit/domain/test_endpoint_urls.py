"""Addresses of webhook endpoints: by their form alone, before anything is looked up."""

import pytest

from parcelgate.domain.merchants.endpoint_urls import LONGEST_URL, wrong_url

BAD = [
    "",
    "shop.example",
    "//shop.example/hook",
    "http://shop.example/hook",
    "ftp://shop.example/hook",
    "javascript:alert(1)",
    "https:///hook",
    "https://",
    "https://user@shop.example/hook",
    "https://user:password@shop.example/hook",
    "https://@shop.example/hook",
    "https://shop.example@10.0.0.1/hook",
    "https://shop.example/hook#part",
    "https://shop.example/hook#",
    "https://shop.example:80/hook",
    "https://shop.example:22/hook",
    "https://shop.example:65536/hook",
    "https://shop.example:0/hook",
    "https://shop.example:/hook",
    "https://shop.example:443x/hook",
    "https://localhost/hook",
    "https://intranet/hook",
    "https://shop.example./hook",
    "https://shop..example/hook",
    "https://.example/hook",
    "https://-shop.example/hook",
    "https://shop.exämple/hook",
    "https://shop.example\\@10.0.0.1/hook",
    "https://shop.example /hook",
    "https://shop.example/a b",
    "https://shop.example/\thook",
    "https://sh%6fp.example/hook",
    "https://127.0.0.1/hook",
    "https://10.0.0.1/hook",
    "https://169.254.169.254/latest/meta-data",
    "https://168.63.129.16/hook",
    "https://224.0.0.1/hook",
    "https://0.0.0.0/hook",
    "https://2130706433/hook",
    "https://0x7f000001/hook",
    "https://0x7f.1/hook",
    "https://0177.0.0.1/hook",
    "https://127.1/hook",
    "https://shop.example.1/hook",
    "https://127.0.0.1./hook",
    "https://[::1]/hook",
    "https://[fe80::1]/hook",
    "https://[fe80::1%25eth0]/hook",
    "https://[fd00::1]/hook",
    "https://[::ffff:10.0.0.1]/hook",
    "https://[64:ff9b::7f00:1]/hook",
    "https://[ff02::1]/hook",
    "https://[::]/hook",
    "https://[shop.example]/hook",
    "https://[::1/hook",
    f"https://shop.example/{'a' * LONGEST_URL}",
]


@pytest.mark.parametrize("url", BAD)
def test_a_bad_address_is_refused_in_words(url: str) -> None:
    wrong = wrong_url(url)
    assert wrong is not None
    assert wrong.startswith("Must ")
    assert "10.0.0.1" not in wrong


@pytest.mark.parametrize(
    "url",
    [
        "https://shop.example",
        "https://shop.example/hook?tenant=1&a=%20",
        "https://shop.example:443/hook",
        "https://shop.example:8443/hook",
        "https://SHOP.Example/hook",
        "https://xn--shp-qla.example/hook",
        "https://a_b.shop.example/hook",
        "https://93.184.216.34/hook",
        "https://[2606:2800:220:1:248:1893:25c8:1946]/hook",
        f"https://shop.example/{'a' * (LONGEST_URL - len('https://shop.example/'))}",
    ],
)
def test_a_good_address_is_taken(url: str) -> None:
    assert wrong_url(url) is None


@pytest.mark.parametrize("url", ["http://localhost:9000/hook", "http://127.0.0.1:41234/", "https://shop/"])
def test_a_private_address_is_taken_in_the_local_environment_alone(url: str) -> None:
    assert wrong_url(url, local=True) is None
    assert wrong_url(url) is not None


@pytest.mark.parametrize(
    "url", ["http://a:b@localhost/", "http://localhost/#a", "ftp://localhost/", "http:///"]
)
def test_locally_an_address_is_still_an_address(url: str) -> None:
    assert wrong_url(url, local=True) is not None
