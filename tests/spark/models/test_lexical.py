"""Bag of words: unit vectors that depend on the text only, the same in every process."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from spark.models.lexical import WIDTH, LexicalEmbedder

embed = LexicalEmbedder().embed


@given(st.lists(st.text(), max_size=10))
def test_rows_have_length_one_or_zero(texts: list[str]) -> None:
    x = embed(texts)
    assert (x.shape, x.dtype) == ((len(texts), WIDTH), np.float32)
    lengths = np.linalg.norm(x, axis=1)
    assert np.all(np.isclose(lengths, 1.0, atol=1e-5) | (lengths == 0.0))


@given(st.lists(st.text(), max_size=10))
def test_a_batch_equals_row_by_row(texts: list[str]) -> None:
    rows = [embed([text])[0] for text in texts]
    assert all(np.array_equal(row, alone) for row, alone in zip(embed(texts), rows, strict=True))


def test_the_order_of_words_counts_a_little() -> None:
    a, same, swapped, other = embed(["a b c d", "a b c d", "b a d c", "e f g h"])
    assert a @ same > a @ swapped > a @ other


def test_the_hash_is_the_same_in_every_process() -> None:
    assert np.flatnonzero(embed(["order placed"])[0]).tolist() == [389, 402, 408]
