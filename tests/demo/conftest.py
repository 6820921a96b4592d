"""The four services wired to each other in one process, each with its real SQLite file."""

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager

import httpx
import pytest

from demo import inventory, orders, payments, storefront
from demo.config import ShopConfig
from demo.credentials import bearer, ensure_token
from demo.service import Service

MODULES = {"inventory": inventory, "payments": payments, "orders": orders, "storefront": storefront}


class Down(httpx.AsyncBaseTransport):
    """A service that nobody is listening for."""

    async def handle_async_request(self, request):
        raise httpx.ConnectError("All connection attempts failed")


@asynccontextmanager
async def running_shop(config, down=()):
    """Yield a client of each service that it lets in; those in `down` do not answer."""
    transports, clients = {}, {}
    async with AsyncExitStack() as stack:
        for name, module in MODULES.items():
            app = module.create_app(Service(name, config, transports))
            await stack.enter_async_context(app.router.lifespan_context(app))
            transports[name] = Down() if name in down else httpx.ASGITransport(app)
            headers = bearer(ensure_token(config.credentials(name)))
            client = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://shop", headers=headers)
            clients[name] = await stack.enter_async_context(client)
        yield clients


@pytest.fixture
def config(tmp_path):
    return ShopConfig.from_env({"FAULTLINE_HOME": str(tmp_path)})


@pytest.fixture
def in_shop(config):
    """Run a coroutine function with the clients of a running shop: `in_shop(visit, down=("payments",))`."""

    def run(visit, **options):
        async def within():
            async with running_shop(config, **options) as clients:
                return await visit(clients)

        return asyncio.run(within())

    return run
