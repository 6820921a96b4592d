"""Tokens between services: who makes them, who is let in, what is said to the others."""

import logging
import stat

import pytest
from fastapi.testclient import TestClient

from demo import payments, storefront
from demo.credentials import bearer, check_credentials, ensure_token
from demo.errors import CredentialsRejected, ShopError
from demo.service import Service
from faultline.errors import ConfigError
from faultline.shop import write_new_token

CHARGE = {"order_id": 1, "amount_cents": 900, "card": "4000000000001234"}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "credentials" / "payments.token"


def rotate(path):
    write_new_token(path).replace(path)


def test_the_first_makes_the_token_and_the_second_reads_it(path):
    token = ensure_token(path)
    assert (ensure_token(path), len(token)) == (token, 64)
    assert (stat.S_IMODE(path.stat().st_mode), list(path.parent.iterdir())) == (0o600, [path])


def test_two_that_start_at_once_end_up_with_the_same_token(path, monkeypatch):
    token = ensure_token(path)
    monkeypatch.setattr("pathlib.Path.exists", lambda path: False)  # what the second saw before the first was done
    assert ensure_token(path) == token


def test_an_empty_file_is_named(path):
    path.parent.mkdir()
    path.touch()
    with pytest.raises(ConfigError, match=r"payments\.token is '', expected a token; remove the file"):
        ensure_token(path)


def test_the_current_token_is_let_in(path):
    check_credentials(path, bearer(ensure_token(path))["Authorization"], "GET /x")


@pytest.mark.parametrize(
    ("shown", "problem"),
    [
        (None, "none were sent"),
        ("Basic dXNlcg==", "not a bearer token"),
        ("Bearer ", "the token is not the current one"),
        ("Bearer secret-but-wrong", "the token is not the current one"),
        ("Bearer t\xf6ken", "the token is not the current one"),
    ],
)
def test_others_are_told_what_is_wrong_and_never_the_token(path, shown, problem):
    ensure_token(path)
    with pytest.raises(CredentialsRejected) as caught:
        check_credentials(path, shown, "POST /charges")
    assert str(caught.value) == f"credentials rejected for POST /charges: {problem}"


def test_without_a_token_to_compare_with_nobody_is_let_in(path):
    with pytest.raises(ShopError, match="cannot be read: No such file or directory") as gone:
        check_credentials(path, "Bearer ", "GET /x")
    path.parent.mkdir()
    path.touch()
    with pytest.raises(ShopError, match="of this service are empty") as empty:
        check_credentials(path, "Bearer ", "GET /x")
    assert (gone.value.status, empty.value.status) == (503, 503)


def test_a_service_asks_for_credentials_except_for_health_and_metrics(config, caplog):
    with TestClient(payments.create_app(Service("payments", config))) as client:
        answer = client.post("/charges", json={"not": "read"})
        open_pages = [client.get(page).status_code for page in ("/health", "/metrics")]
        metrics = client.get("/metrics").text
    assert (answer.status_code, answer.headers["www-authenticate"], open_pages) == (401, "Bearer", [200, 200])
    [record] = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert (record.levelno, record.status) == (logging.WARNING, 401)
    assert record.getMessage() == "credentials rejected for POST /charges: none were sent"
    assert 'requests_total{method="POST",route="/charges",status="401"} 1.0' in metrics


def test_customers_need_no_credentials(config):
    with TestClient(storefront.create_app(Service("storefront", config))) as client:
        assert client.get("/products").status_code == 200


def test_a_new_token_counts_at_once(config):
    path = config.credentials("payments")
    with TestClient(payments.create_app(Service("payments", config)), headers=bearer(ensure_token(path))) as client:
        before = client.post("/charges", json=CHARGE)
        rotate(path)
        after = client.post("/charges", json=CHARGE)
    assert after.status_code == 401
    assert before.status_code != 401


def test_a_caller_is_rejected_until_it_starts_again(in_shop, config, caplog):
    async def buy(shop):
        headers = {"Cookie": "customer=7"}
        await shop["storefront"].post("/cart/items", json={"product": 5, "quantity": 1}, headers=headers)
        return await shop["storefront"].post("/checkout", json={"card": CHARGE["card"]}, headers=headers)

    async def visit(shop):
        before = await shop["inventory"].get("/stock")
        rotate(config.credentials("payments"))
        bought = [await buy(shop) for _ in range(2)]
        return bought, before.json() == (await shop["inventory"].get("/stock")).json()

    bought, same_stock = in_shop(visit)
    assert ([answer.status_code for answer in bought], same_stock) == ([502, 502], True)
    cause = "payments rejected the credentials of this service: credentials rejected for POST /charges: "
    assert f"order 1 failed at payment: {cause}the token is not the current one" in caplog.messages
    assert in_shop(buy).status_code in (201, 402)
