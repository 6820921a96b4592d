"""A customer's way through all four services, and what happens when one of them is down."""

import logging

import pytest

from demo.cards import Decision

CARD = {"card": "4000000000001234"}
TRACE = "0af7651916cd43dd8448eb211c80319c"
HEADERS = {
    "Cookie": "customer=77",
    "X-Request-ID": "request-1",
    "traceparent": f"00-{TRACE}-b7ad6b7169203331-01",
}


@pytest.fixture(autouse=True)
def log(caplog):
    caplog.set_level(logging.INFO, "shop")
    return caplog


async def buy(shop, product=5, quantity=2):
    item = {"product": product, "quantity": quantity}
    added = await shop["storefront"].post("/cart/items", json=item, headers=HEADERS)
    assert added.status_code == 201
    return await shop["storefront"].post("/checkout", json=CARD, headers=HEADERS)


async def stock_of(shop, product):
    return (await shop["inventory"].get("/stock")).json()[str(product)]


def errors(log):
    return [record.getMessage() for record in log.records if record.levelno == logging.ERROR]


def test_checkout_reserves_charges_and_stores(in_shop, log):
    async def visit(shop):
        before = await stock_of(shop, 5)
        bought = await buy(shop)
        order = bought.json()
        stored = await shop["storefront"].get(f"/orders/{order['order_id']}")
        cart = await shop["storefront"].get("/cart", headers=HEADERS)
        return before - await stock_of(shop, 5), bought, stored.json(), cart.json()

    taken, bought, stored, cart = in_shop(visit)
    assert (bought.status_code, bought.headers["x-request-id"]) == (201, "request-1")
    assert (taken, cart["items"]) == (2, {})
    assert (stored["state"], stored["customer"], stored["items"]) == ("placed", 77, {"5": 2})
    lines = [record.getMessage() for record in log.records]
    for start in ("stock reserved for order 1: 2 units", "payment authorised for order 1: ", "order 1 placed for"):
        assert any(line.startswith(start) for line in lines), lines


def test_declined_card_releases_the_stock(in_shop, log, monkeypatch):
    monkeypatch.setattr("demo.payments.decide_card", lambda amount, rng: Decision(False, "card expired"))

    async def visit(shop):
        before = await stock_of(shop, 5)
        bought = await buy(shop)
        order = await shop["orders"].get("/orders/1")
        return bought, before - await stock_of(shop, 5), order.json()["state"]

    bought, taken, state = in_shop(visit)
    assert (bought.status_code, taken, state) == (402, 0, "refused")
    assert bought.json()["error"].endswith("payment declined, card expired")
    assert errors(log) == []


def test_sold_out_product_is_refused(in_shop):
    async def visit(shop):
        await buy(shop, quantity=20)
        return await buy(shop, quantity=20)

    answer = in_shop(visit)
    assert answer.status_code == 409
    assert "product 5 has 8 left, 20 wanted" in answer.json()["error"]


def test_payments_down_is_an_error_in_orders_and_storefront(in_shop, log):
    async def visit(shop):
        bought = await buy(shop)
        return bought, await stock_of(shop, 5)

    bought, stock = in_shop(visit, down=("payments",))
    assert (bought.status_code, stock) == (502, 28)
    cause = "payments is unreachable after 2 attempts: ConnectError: All connection attempts failed"
    assert errors(log) == [
        f"order 1 failed at payment: {cause}",
        f"checkout of customer 77 failed: orders answered 502: order 1 failed at payment: {cause}",
    ]


def test_orders_down_leaves_the_catalogue_up(in_shop, log):
    async def visit(shop):
        page = await shop["storefront"].get("/products/5")
        return page, await buy(shop)

    page, bought = in_shop(visit, down=("orders",))
    assert (page.status_code, page.json()["units"], bought.status_code) == (200, None, 502)
    assert any(text.startswith("availability not refreshed, showing none: orders is") for text in log.messages)


def test_charge_and_reservation_of_one_order_are_made_once(in_shop):
    charge = {"order_id": 3, "amount_cents": 900, "card": CARD["card"]}
    reservation = {"order_id": 3, "items": {"5": 4}}

    async def visit(shop):
        charges = [await shop["payments"].post("/charges", json=charge) for _ in range(2)]
        reservations = [await shop["inventory"].post("/reservations", json=reservation) for _ in range(2)]
        metrics = await shop["payments"].get("/metrics")
        return [r.status_code for r in charges + reservations], await stock_of(shop, 5), metrics.text

    statuses, stock, metrics = in_shop(visit)
    assert (statuses, stock) == ([201] * 4, 24)
    assert "payments_authorised_total 1.0" in metrics


def test_carts_survive_a_restart(in_shop):
    async def fill(shop):
        await shop["storefront"].post("/cart/items", json={"product": 5, "quantity": 2}, headers=HEADERS)

    async def look(shop):
        return (await shop["storefront"].get("/cart", headers=HEADERS)).json()["items"]

    in_shop(fill)
    assert in_shop(look) == {"5": 2}


def test_orders_survive_a_restart(in_shop):
    async def second_visit(shop):
        return (await shop["orders"].get("/orders/1")).json()["state"]

    in_shop(buy)
    assert in_shop(second_visit) == "placed"


@pytest.mark.parametrize(
    ("path", "status", "text"),
    [
        ("/nowhere", 404, "no page at GET /nowhere"),
        ("/products/990", 404, "no product 990"),
        ("/products?category=cars", 404, "no category cars"),
        ("/products/kettle", 422, "invalid request to /products/kettle: path.number: "),
        ("/cart", 422, "invalid request to /cart: cookie.customer: Field required"),
        ("/orders/99", 404, "order 99 cannot be shown: order 99 does not exist"),
    ],
)
def test_unanswerable_request_is_refused_with_a_warning(in_shop, log, path, status, text):
    answer = in_shop(lambda shop: shop["storefront"].get(path))
    assert answer.status_code == status
    assert any(r.levelno == logging.WARNING and r.getMessage().startswith(text) for r in log.records), log.messages


def test_checkout_of_an_empty_cart_is_refused(in_shop):
    answer = in_shop(lambda shop: shop["storefront"].post("/checkout", json=CARD, headers=HEADERS))
    assert (answer.status_code, answer.json()["error"]) == (400, "checkout of customer 77 refused: the cart is empty")


def test_delivery_fills_up_what_runs_low(in_shop, log, monkeypatch):
    monkeypatch.setattr("demo.inventory.DELIVERY_SECONDS", (0.0, 0.0))
    monkeypatch.setattr("demo.inventory.DELIVERY_CHECK_SECONDS", 0.01)

    async def visit(shop):
        await buy(shop, quantity=10)
        for _ in range(200):  # each look takes at least 2 ms
            if await stock_of(shop, 5) == 42:
                return True
        return False

    assert in_shop(visit), log.messages
    assert "stock of product 5 is low: 18 units left, delivery ordered" in log.messages
    assert "delivery of product 5: 24 units, 42 in stock" in log.messages


def test_silent_acquirer_is_asked_again_then_given_up(in_shop, log, monkeypatch):
    monkeypatch.setattr("demo.payments.ACQUIRER_SECONDS", (0.0, 0.0))
    answer = in_shop(buy)
    assert answer.status_code == 504
    assert [m for m in log.messages if m.startswith("acquirer")] == [
        "acquirer gave no answer within 0 ms for order 1 (attempt 1)",
        "acquirer gave no answer within 0 ms for order 1 (attempt 2)",
        "acquirer gave no answer for order 1",
    ]
