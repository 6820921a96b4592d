"""Templates: what becomes a wildcard, what never does, and that learning depends on the set of lines only."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spark.models.templates import (
    MAX_TOKENS,
    MIN_VALUES,
    WILDCARD,
    TemplateTree,
    generalise,
    learn_templates,
    template_id,
    tokenize,
)

NAMES = ("alice", "bob", "carol", "dave", "erin", "frank")

words = st.sampled_from(["INFO", "ERROR", "status=OK", "status=Bad-Gateway", "order", "placed", "for", "a", "b", "<*>"])
variables = st.sampled_from([f"v{letter}" for letter in "abcdefgh"]) | st.just("x" * 50) | st.just("")
lines = st.lists(words | variables, min_size=1, max_size=6).map(" ".join)
counted = st.dictionaries(lines, st.integers(1, 5), min_size=1, max_size=30)


def learn(*texts: str) -> tuple[str, ...]:
    return learn_templates(dict.fromkeys(texts, 1)).templates


def test_a_place_with_few_values_is_a_vocabulary() -> None:
    few = [f"user {name} logged in" for name in NAMES[: MIN_VALUES - 1]]
    assert learn(*few) == tuple(few)


def test_a_place_with_many_values_is_a_wildcard() -> None:
    assert learn(*(f"user {name} logged in" for name in NAMES[:MIN_VALUES])) == ("user <*> logged in",)


def test_values_that_look_variable_are_a_wildcard_from_two_on() -> None:
    one, two = "load " + "x" * 41 + " done", "load " + "y" * 41 + " done"
    assert learn(one, two) == ("load <*> done",)
    assert learn(one) == (one,)


def test_outcomes_stay_apart_while_users_are_merged() -> None:
    texts = [f"user {name} login {outcome}" for name in NAMES for outcome in ("succeeded", "failed")]
    assert learn(*texts) == ("user <*> login failed", "user <*> login succeeded")


@pytest.mark.parametrize("kind", ["level", "status"])
def test_protected_words_are_never_generalised(kind: str) -> None:
    levels = ("TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL")
    statuses = [f"status={word}" for word in ("OK", "Found", "Gone", "Teapot", "Locked", "Conflict")]
    texts = [f"{word} GET /cart now" for word in (levels if kind == "level" else statuses)]
    assert learn(*texts) == tuple(sorted(texts))


def test_a_protected_word_at_another_place_is_another_template() -> None:
    texts = [f"{word} m a b c d" for word in ("alpha", "beta", "gamma", "delta", "eps")]
    texts += ["ERROR alpha a b c d", "alpha ERROR a b c d", *(f"{word} ERROR a b c d" for word in ("beta", "gamma"))]
    tree = learn_templates(dict.fromkeys(texts, 1))
    assert [text for text in texts if tree.match(text) is None] == []
    assert [template for template in tree.templates if "ERROR" in template and WILDCARD in template] == []


def test_lines_with_little_in_common_are_not_merged() -> None:
    texts = [f"{name} opened the {name}-door" for name in NAMES]
    assert WILDCARD not in " ".join(learn("a b c d", "e f g d", "h i j d", "k l m d", "n o p d", "q r s d"))
    assert learn(*texts) == ("<*> opened the <*>",)


def test_the_most_specific_template_wins() -> None:
    tree = TemplateTree(["<*> <*> failed", "order <*> failed", "order seven failed"])
    assert tree.match("order seven failed") == "order seven failed"
    assert tree.match("order nine failed") == "order <*> failed"
    assert tree.match("charge nine failed") == "<*> <*> failed"
    assert tree.match("charge nine placed") is None
    assert tree.match("order failed") is None


def test_an_empty_tree_matches_nothing_and_an_empty_line_its_own_template() -> None:
    assert TemplateTree([]).match("order placed") is None
    assert learn_templates({}).templates == ()
    assert learn_templates({"": 3}).match("") == ""


def test_a_long_line_is_told_apart_by_its_first_tokens() -> None:
    long = " ".join(["word"] * 500)
    assert len(tokenize(long)) == MAX_TOKENS
    tree = learn_templates({long: 1})
    assert tree.match(long + " more") == " ".join(["word"] * MAX_TOKENS)


def test_generalise_replaces_what_looks_variable() -> None:
    assert generalise("INFO loaded cafe7 and " + "x" * 41 + " of \u0663") == "INFO loaded <*> and <*> of <*>"


def test_template_id_is_the_same_everywhere() -> None:
    assert template_id("INFO order <NUM> placed") == "f485959e641e"


@given(counted)
def test_a_learned_line_matches_its_own_tree(counts: dict[str, int]) -> None:
    tree = learn_templates(counts)
    assert {line: tree.match(line) for line in counts if tree.match(line) not in tree.templates} == {}


@given(counted)
def test_protected_words_of_a_line_are_in_its_template(counts: dict[str, int]) -> None:
    tree = learn_templates(counts)
    for line in counts:
        protected = [token for token in line.split(" ") if token in ("INFO", "ERROR") or token.startswith("status=")]
        template = (tree.match(line) or "").split(" ")
        assert [token for token in template if token in protected] == protected


@given(counted, st.randoms(use_true_random=False))
def test_the_order_of_the_input_is_irrelevant(counts: dict[str, int], shuffle: random.Random) -> None:
    items = list(counts.items())
    shuffle.shuffle(items)
    assert learn_templates(dict(items)).templates == learn_templates(counts).templates


@given(counted, lines)
def test_a_frozen_tree_gives_the_same_match_whatever_the_order_of_its_templates(
    counts: dict[str, int], line: str
) -> None:
    tree = learn_templates(counts)
    again = TemplateTree(reversed(tree.templates))
    assert (again.templates, again.match(line)) == (tree.templates, tree.match(line))


@given(lines)
def test_what_is_generalised_stays_as_it_is(line: str) -> None:
    assert generalise(generalise(line)) == generalise(line)


def test_learning_from_many_unlike_lines_takes_no_minutes() -> None:
    draw = random.Random(5)
    vocabulary = ["".join(draw.choices("abcdefghij", k=6)) for _ in range(5000)]
    counts = {"INFO " + " ".join(draw.choices(vocabulary, k=9)): 1 for _ in range(4000)}
    assert len(learn_templates(counts).templates) == len(counts)
