"""Storefront: catalogue, search, carts and checkout, as the customers behind nginx see them."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import Annotated, Any, Final

from fastapi import Cookie, FastAPI, Query
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

from demo.availability import Availability
from demo.carts import Cart, Carts
from demo.catalogue import CATALOGUE, CATEGORIES, Product, browse, search
from demo.downstream import Downstream, error_text
from demo.errors import DependencyError, Refused
from demo.pricing import format_euros, price_items
from demo.service import Service, build_app

READ_SECONDS: Final = 6.0  # above what orders may wait for inventory and payments, one after the other
_OK: Final = {"status": 200}
_CREATED: Final = {"status": 201}
_UNIT_CENTS: Final = {number: product.price_cents for number, product in CATALOGUE.items()}


class CartItem(BaseModel):
    """One product to add to the cart."""

    product: int
    quantity: int = Field(default=1, gt=0, le=20)


class CheckoutRequest(BaseModel):
    """The card to pay with."""

    card: str = Field(pattern=r"^\d{16}$")


Customer = Annotated[int, Cookie(gt=0)]


class Shop:
    """What customers can do, without HTTP."""

    def __init__(self, service: Service, orders: Downstream, carts: Carts) -> None:
        self._orders, self._carts, self._logger = orders, carts, service.logger
        self._availability = Availability(orders, service.logger)
        self._views = service.metrics.counter("product_views_total", "Product pages shown.")
        self._checkouts = service.metrics.counter("checkouts_total", "Checkouts that led to an order.")
        service.metrics.gauge("carts", "Carts kept.").set_function(lambda: len(self._carts))
        service.checks["catalogue"] = self._check_catalogue

    def list_products(self, category: str | None, page: int) -> list[dict[str, object]]:
        """Return one page of a category; raises Refused (404) for an unknown one."""
        if category is not None and category not in CATEGORIES:
            raise Refused(404, f"no category {category}")
        found = browse(category, page)
        self._logger.info("page %d of %s listed: %d products", page, category or "all products", len(found), extra=_OK)
        return [product.public() for product in found]

    def search(self, text: str) -> list[dict[str, object]]:
        """Return the products that match."""
        found = search(text)
        self._logger.info("search for '%s' found %d products", text, len(found), extra=_OK)
        return [product.public() for product in found]

    async def show(self, number: int) -> dict[str, object]:
        """Return one product with its availability; raises Refused (404)."""
        product = _product(number)
        units = await self._availability.of(number)
        self._views.inc()
        price = format_euros(product.price_cents)
        known = "unknown" if units is None else units
        self._logger.info("product %d shown: %s, %s in stock", number, price, known, extra=_OK)
        return {**product.public(), "units": units}

    def view_cart(self, customer: int) -> dict[str, Any]:
        """Return the customer's cart with its price."""
        cart = self._carts.of(customer)
        self._logger.info("cart of customer %d shown: %d items", customer, sum(cart.values()), extra=_OK)
        return _cart_view(cart)

    def add(self, customer: int, item: CartItem) -> dict[str, Any]:
        """Add to the customer's cart; raises Refused (404) for an unknown product."""
        cart = self._carts.add(customer, _product(item.product).id, item.quantity)
        view = _cart_view(cart)
        text = "customer %d added %d of product %d to the cart: %d items, %s"
        total = format_euros(view["price"]["total"])
        self._logger.info(text, customer, item.quantity, item.product, sum(cart.values()), total, extra=_CREATED)
        return view

    async def checkout(self, customer: int, card: str) -> dict[str, Any]:
        """Return the placed order and empty the cart. Raises Refused (400, 402, 409) or DependencyError."""
        cart = self._carts.of(customer)
        if not cart:
            raise Refused(400, f"checkout of customer {customer} refused: the cart is empty")
        body = {"customer": customer, "items": cart, "card": card}
        try:
            response = await self._orders.call("POST", "/orders", json=body)
        except DependencyError as error:
            raise error.during(f"checkout of customer {customer} failed") from error
        if response.status_code != 201:
            text = f"checkout of customer {customer} refused: {error_text(response)}"
            raise Refused(response.status_code, text)
        self._carts.clear(customer)
        self._checkouts.inc()
        order = dict(response.json())
        text = "checkout of customer %d done: order %d, %s"
        total = format_euros(order["price"]["total"])
        self._logger.info(text, customer, order["order_id"], total, extra=_CREATED)
        return order

    async def order(self, order_id: int) -> dict[str, Any]:
        """Return an order; raises Refused (404) or DependencyError."""
        try:
            response = await self._orders.call("GET", f"/orders/{order_id}")
        except DependencyError as error:
            raise error.during(f"order {order_id} cannot be shown") from error
        if response.status_code != 200:
            raise Refused(response.status_code, f"order {order_id} cannot be shown: {error_text(response)}")
        self._logger.info("order %d shown", order_id, extra=_OK)
        return dict(response.json())

    async def _check_catalogue(self) -> str:
        return "ok" if CATALOGUE else "no products"


def create_app(service: Service) -> FastAPI:
    """Return the storefront application."""
    app = build_app(service, _start)
    _add_catalogue(app, service)
    _add_cart(app)
    return app


def _add_catalogue(app: FastAPI, service: Service) -> None:
    @app.get("/")
    async def home() -> dict[str, Any]:
        service.logger.info("home page shown", extra=_OK)
        return {"categories": CATEGORIES, "offers": [product.public() for product in browse(None, 1)]}

    @app.get("/products")
    async def products(category: str | None = None, page: Annotated[int, Query(ge=1, le=100)] = 1) -> list[Any]:
        return list(app.state.shop.list_products(category, page))

    @app.get("/products/{number}")
    async def product(number: int) -> dict[str, Any]:
        return dict(await app.state.shop.show(number))

    @app.get("/search")
    async def find(q: Annotated[str, Query(min_length=1, max_length=80)]) -> list[Any]:
        return list(app.state.shop.search(q))


def _add_cart(app: FastAPI) -> None:
    @app.get("/cart")
    async def cart(customer: Customer) -> dict[str, Any]:
        return dict(app.state.shop.view_cart(customer))

    @app.post("/cart/items", status_code=201)
    async def add(customer: Customer, item: CartItem) -> dict[str, Any]:
        return dict(app.state.shop.add(customer, item))

    @app.post("/checkout", status_code=201)
    async def checkout(customer: Customer, request: CheckoutRequest) -> dict[str, Any]:
        return dict(await app.state.shop.checkout(customer, request.card))

    @app.get("/orders/{order_id}")
    async def order(order_id: int) -> JSONResponse:
        return JSONResponse(await app.state.shop.order(order_id))


async def _start(service: Service, app: FastAPI, stack: AsyncExitStack) -> None:
    carts = Carts(service.config.stores / "storefront.db")
    stack.callback(carts.close)
    app.state.shop = Shop(service, await service.open_downstream("orders", READ_SECONDS, stack), carts)


def _product(number: int) -> Product:
    try:
        return CATALOGUE[number]
    except KeyError:
        raise Refused(404, f"no product {number}") from None


def _cart_view(cart: Cart) -> dict[str, Any]:
    return {"items": cart, "price": price_items(cart, _UNIT_CENTS).public()}
