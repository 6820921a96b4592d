import pytest

from demo.config import ShopConfig
from faultline.errors import ConfigError


def test_environment_is_read_from_the_mapping(tmp_path):
    config = ShopConfig.from_env({"FAULTLINE_HOME": str(tmp_path), "FAULTLINE_PORT_ORDERS": "4711"})
    assert config.url("orders") == "http://127.0.0.1:4711"
    assert (config.stores, config.logs) == (tmp_path / "shop", tmp_path / "watched" / "shop")


def test_bad_seed_is_named():
    with pytest.raises(ConfigError, match="FAULTLINE_SEED is 'x', expected a whole number"):
        ShopConfig.from_env({"FAULTLINE_SEED": "x"})


def test_draws_depend_on_seed_and_purpose_only():
    one, two = ShopConfig.from_env({}), ShopConfig.from_env({"FAULTLINE_SEED": "1"})
    assert one.random("a", 1).random() == one.random("a", 1).random()
    assert len({one.random("a", 1).random(), one.random("a", 2).random(), two.random("a", 1).random()}) == 3
