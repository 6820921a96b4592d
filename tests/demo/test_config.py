import pytest

from demo.config import ShopConfig
from faultline.errors import ConfigError
from faultline.shop import CALLS


def test_environment_is_read_from_the_mapping(tmp_path):
    config = ShopConfig.from_env({"FAULTLINE_HOME": str(tmp_path), "FAULTLINE_PORT_ORDERS": "4711"})
    assert config.url("storefront", "orders") == "http://127.0.0.1:4711"
    assert (config.stores, config.logs) == (tmp_path / "shop", tmp_path / "watched" / "shop")


def test_with_the_proxy_each_pair_of_services_has_its_own_url():
    environ = {"FAULTLINE_SHOP_PROXY": "1", "FAULTLINE_PORT_ORDERS_PAYMENTS": "4712", "FAULTLINE_PORT_OFFSET": "100"}
    config = ShopConfig.from_env(environ)
    assert config.url("orders", "payments") == "http://127.0.0.1:4712"
    assert len({config.url(caller, callee) for caller, callee in CALLS}) == len(CALLS)


def test_bad_choice_of_the_proxy_is_named():
    with pytest.raises(ConfigError, match="FAULTLINE_SHOP_PROXY is 'yes', expected 0 or 1"):
        ShopConfig.from_env({"FAULTLINE_SHOP_PROXY": "yes"})


def test_bad_seed_is_named():
    with pytest.raises(ConfigError, match="FAULTLINE_SEED is 'x', expected a whole number"):
        ShopConfig.from_env({"FAULTLINE_SEED": "x"})


def test_draws_depend_on_seed_and_purpose_only():
    one, two = ShopConfig.from_env({}), ShopConfig.from_env({"FAULTLINE_SEED": "1"})
    assert one.random("a", 1).random() == one.random("a", 1).random()
    assert len({one.random("a", 1).random(), one.random("a", 2).random(), two.random("a", 1).random()}) == 3
