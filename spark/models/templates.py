"""Log templates: a Drain tree, learned once and then frozen, so that every worker gives the same answer.

After Drain (He et al. 2017, doi 10.1109/ICWS.2017.13), with two differences. A position becomes a wildcard only
where it took at least MIN_VALUES values: "order placed" and "order failed" stay two templates. Protected words
(level, status) never become wildcards. Learning sees distinct masked lines in a fixed order, so the order in
which lines arrived does not matter.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import chain
from typing import Final

from faultline.records import Severity
from spark.models.features import PROTECTED_PREFIX

WILDCARD: Final = "<*>"
SIMILARITY: Final = 0.5  # Drain's default: share of equal tokens that joins a line to a group
MIN_VALUES: Final = 5  # fewer values at a position are words of a vocabulary, not a variable
MAX_TOKENS: Final = 64  # a longer line is told apart by its first tokens
LEVELS: Final = frozenset(Severity)
_VARIABLE = re.compile(r"\d|.{41}")

Tokens = tuple[str, ...]


@dataclass(frozen=True)
class Grouping:
    """What joins lines into a template; only learning asks, a learned tree is what it is."""

    similarity: float = SIMILARITY
    min_values: int = MIN_VALUES


DEFAULT_GROUPING: Final = Grouping()


def tokenize(masked: str) -> Tokens:
    """Split a masked line at spaces; what lies beyond MAX_TOKENS is cut."""
    return tuple(masked.split(" ", MAX_TOKENS)[:MAX_TOKENS])


def template_id(template: str) -> str:
    """Return 12 hex digits of a template's text: the same template has the same id in every model."""
    return sha256(template.encode()).hexdigest()[:12]


def generalise(masked: str) -> str:
    """Return a template for a line that no known one matches: tokens that look variable become wildcards.

    A function of the line alone, so a replay gives the same template.
    """
    return " ".join(WILDCARD if _VARIABLE.search(token) else token for token in tokenize(masked))


def _key(tokens: Tokens) -> Tokens:
    """What two lines must share to share a template: length, and protected words at the same places."""
    protected = (f"{i} {t}" for i, t in enumerate(tokens) if t in LEVELS or t.startswith(PROTECTED_PREFIX))
    return (str(len(tokens)), *protected)


class TemplateTree:
    """A frozen set of templates; `match` is the same on every machine and in every order."""

    def __init__(self, templates: Iterable[str]) -> None:
        self.templates: tuple[str, ...] = tuple(sorted(set(templates)))
        self._groups: dict[tuple[Tokens, str], list[Tokens]] = defaultdict(list)
        for template in self.templates:
            tokens = tokenize(template)
            self._groups[_key(tokens), _first_word(tokens)].append(tokens)
        for group in self._groups.values():
            group.sort(key=lambda tokens: (tokens.count(WILDCARD), tokens))

    def match(self, masked: str) -> str | None:
        """Return the most specific template whose constant tokens all agree, or None.

        Linear in the templates of the same length, protected words and first word.
        """
        tokens = tokenize(masked)
        key = _key(tokens)
        found = [
            self._match_group(tokens, self._groups.get((key, word), ())) for word in {_first_word(tokens), WILDCARD}
        ]
        matches = sorted((m for m in found if m is not None), key=lambda m: (m.count(WILDCARD), m))
        return " ".join(matches[0]) if matches else None

    @staticmethod
    def _match_group(tokens: Tokens, group: Sequence[Tokens]) -> Tokens | None:
        for template in group:
            if all(a in (b, WILDCARD) for a, b in zip(template, tokens, strict=True)):
                return template
        return None


def _first_word(tokens: Tokens) -> str:
    for token in tokens:
        if token not in LEVELS and not token.startswith(PROTECTED_PREFIX):
            return token
    return ""


def learn_templates(counts: Mapping[str, int], grouping: Grouping = DEFAULT_GROUPING) -> TemplateTree:
    """Learn templates from distinct masked lines and how often each was seen.

    Lines are taken most frequent first, then alphabetically: any order of the mapping gives the same tree.
    """
    groups: dict[Tokens, _Clusters] = defaultdict(lambda: _Clusters(grouping.similarity))
    for masked, _ in sorted(counts.items(), key=lambda item: (-item[1], item[0])):
        tokens = tokenize(masked)
        groups[_key(tokens)].join(tokens)
    return TemplateTree(
        " ".join(template)
        for clusters in groups.values()
        for members in clusters.members
        for template in _templates(members, grouping.min_values)
    )


class _Clusters:
    """Lines of one length, alike ones together; compared with a cluster's first, most frequent line."""

    def __init__(self, similarity: float) -> None:
        self._similarity = similarity
        self.members: list[list[Tokens]] = []
        self._having: dict[tuple[int, str], list[int]] = defaultdict(list)  # (place, token) -> clusters

    def join(self, tokens: Tokens) -> None:
        """Add a line to the most similar cluster (the oldest of equals), or open one."""
        equal = Counter(chain.from_iterable(self._having.get(place, ()) for place in enumerate(tokens)))
        best = min(equal, key=lambda cluster: (-equal[cluster], cluster), default=None)
        if best is not None and equal[best] >= self._similarity * len(tokens):
            self.members[best].append(tokens)
            return
        for place in enumerate(tokens):
            self._having[place].append(len(self.members))
        self.members.append([tokens])


def _templates(members: list[Tokens], min_values: int) -> set[Tokens]:
    """Split a cluster by the words at positions with few values; the other positions become wildcards."""
    columns = [set(column) for column in zip(*members, strict=True)]
    variable = [len(column) >= min_values or _all_variable(column) for column in columns]
    return {tuple(WILDCARD if v else t for v, t in zip(variable, tokens, strict=True)) for tokens in members}


def _all_variable(column: set[str]) -> bool:
    return len(column) > 1 and all(_VARIABLE.search(token) for token in column)
