"""What is written can be read again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from faultline.catalog.entities import EntityRef
from faultline.catalog.reading import read_catalog
from faultline.catalog.synthetic import synthetic_entities
from faultline.catalog.writing import write_catalog
from tests.faultline.catalog.test_entities import entity


def test_catalog_survives_the_file(tmp_path: Path) -> None:
    db = entity("db", "resource", type="database")
    whole = entity(
        "Orders",
        title="Örders: #1",
        description="takes orders: 'all' of them\n- every day",
        owner="team",
        lifecycle="production",
        tier="1",
        system="shop",
        tags=("a", "b"),
        depends_on=(db.ref,),
        log_names=("Orders", "orders-v2"),
        addresses=("127.0.0.1:8102", "orders:80"),
    )
    other = entity("Orders", ref=EntityRef("component", "eu", "orders"))
    path = tmp_path / "catalog-info.yaml"
    write_catalog([whole, db, other, *synthetic_entities(30, 7)], path)
    catalog = read_catalog([path])
    assert catalog.problems == ()
    read = {ref: replace(found, origin="") for ref, found in catalog.entities.items()}
    for written in (whole, db, other):
        assert read[written.ref] == replace(written, origin="")
    assert list(tmp_path.iterdir()) == [path]
