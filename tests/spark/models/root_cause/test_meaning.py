"""Lines and catalog texts, compared by vectors."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from spark.models.embedder import Embedder
from spark.models.root_cause import meaning as subject
from spark.models.root_cause.meaning import CatalogMeaning, Vectors
from tests.faultline.catalog.test_entities import entity

WORDS = ("card", "stock", "parcel")
CATALOG = {
    "payments": entity("payments", description="charges a card"),
    "inventory": entity("inventory", description="keeps the stock"),
}


class Words:
    """Embeds a text by which of WORDS it has; notes what it was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def __call__(self, texts: Sequence[str]) -> Vectors:
        self.asked += texts
        x = np.array([[float(word in text) for word in WORDS] + [0.1] for text in texts], np.float32)
        return np.asarray(x / np.linalg.norm(x, axis=1, keepdims=True))


def test_nearest_line_counts() -> None:
    found = CatalogMeaning(Words(), CATALOG).similarity(["parcel lost", "card refused"], ["payments", "inventory", "x"])
    assert found["payments"] > 0.95
    assert 0.0 <= found["inventory"] < 0.2
    assert set(found) == {"payments", "inventory"}


def test_every_text_is_embedded_once() -> None:
    words = Words()
    meaning = CatalogMeaning(words, CATALOG)
    for _ in range(3):
        meaning.similarity(["card refused", "card refused"], ["payments"])
    assert sorted(words.asked) == ["card refused", CATALOG["payments"].text]


def test_nothing_said_or_nobody_known_is_no_similarity() -> None:
    meaning = CatalogMeaning(Words(), CATALOG)
    assert meaning.similarity([" "], ["payments"]) == {}
    assert meaning.similarity(["card refused"], ["nobody"]) == {}


def test_work_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subject, "MAX_TEXTS", 2)
    monkeypatch.setattr(subject, "MAX_CANDIDATES", 3)
    words = Words()
    many = {f"s{i}": entity(f"s{i}") for i in range(9)}
    assert len(CatalogMeaning(words, many).similarity(["x" * 9999, "y", "z"], many)) == 3
    assert len(words.asked) == 5
    assert max(map(len, words.asked)) == subject.TEXT_CHARS


def test_minilm_knows_what_a_line_is_about(encoder: Path) -> None:
    meaning = CatalogMeaning(Embedder(encoder).embed, CATALOG)
    found = meaning.similarity(["credit card was declined by the acquirer"], CATALOG)
    assert found["payments"] > found["inventory"]
