import httpx

from local.stack.stack import Stack


def test_the_api_and_the_carriers_answer(stack: Stack) -> None:
    key = {"Authorization": f"Bearer {stack.api_key}"}

    health = httpx.get(f"{stack.api_url}/v1/health").json()
    assert health["status"] == "ok"
    assert "unknown" not in health["carriers"].values(), "its function may read which carriers are down"
    assert httpx.get(f"{stack.api_url}/v1/carriers", headers=key).is_success
    assert httpx.get(f"{stack.sandbox_url}/_sandbox/ledger").is_success


def test_no_address_ends_with_a_slash(stack: Stack) -> None:
    for address in (stack.api_url, stack.sandbox_url, stack.aws_endpoint_url, stack.webhook_base_url):
        assert not address.endswith("/")
