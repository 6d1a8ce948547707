"""Many small trees for one row at once, by comparisons instead of walks.

A walk down a tree is a chain of jumps that a processor cannot foresee; a thousand small trees cost it
more than comparing the row with every threshold of every tree in a few numpy calls. What is compared
are places among the sorted thresholds of a column, which are found once a row and fit into a byte:
whether a value is above a threshold is whether its place is, and bytes stay in the processor's cache,
which numbers of eight bytes for every node would not. Each comparison
that sends the row to the right rules out the leaves below its left child; the leftmost leaf that is
left of a tree is the one the row falls into (Lucchese et al. 2015, QuickScorer, SIGIR). Thresholds and
leaf values are those of LightGBM's text, and leaf values are added in the order of the trees, so the
scores are LightGBM's to the last bit.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from training.models.booster import TextBooster
from training.models.matrix import Array

MOST_LEAVES = 16
MOST_NODES = MOST_LEAVES - 1
MOST_RANKS = 255  # thresholds that a byte can tell apart; a column with more is taken as several
MOST_PLACES = 256
LARGEST = float(np.finfo(np.float64).max)
# LightGBM's decision_type: bit 1 says that a missing value goes left, bits 2 and 3 when it is missing.
AS_ZERO, MISSING_RIGHT, MISSING_LEFT = range(3)
KINDS = {0: AS_ZERO, 2: AS_ZERO, 8: MISSING_RIGHT, 10: MISSING_LEFT}


class UnsupportedTreesError(ArithmeticError):
    """Trees of a form that the table does not hold, or a row that it cannot answer."""


def _lowest_zero_bits() -> np.ndarray:
    """Return, for every 16-bit number, the place of its lowest bit that is 0 (0 for all ones)."""
    numbers = np.arange(1 << MOST_LEAVES)
    places = np.zeros(len(numbers), np.uint8)
    for place in reversed(range(MOST_LEAVES)):
        places[(numbers >> place) & 1 == 0] = place
    return places


class TreeTable:
    """Raw scores of one row by several boosters of small trees.

    Parameters
    ----------
    boosters : sequence of TextBooster
        All of the same number of columns.

    Attributes
    ----------
    row : array (n_columns,)
        Where the caller writes the row before `predict`.

    Raises
    ------
    UnsupportedTreesError
        If a tree has more than `MOST_LEAVES` leaves, categories, or linear leaves.

    Notes
    -----
    The buffers are its own: one instance belongs to one thread.
    """

    def __init__(self, boosters: Sequence[TextBooster]) -> None:
        self._n = boosters[0].n_columns
        self.row = np.zeros(self._n)
        forests = [list(read_trees(booster.model_to_string())) for booster in boosters]
        # Of one column numpy would add pairs of pairs; of two and more it adds row after row.
        most, width = max(map(len, forests)), max(len(forests), 2)
        n_trees = most * width
        n_nodes = max(len(tree["leaf_value"].split()) for forest in forests for tree in forest) - 1
        shape = (max(min(n_nodes, MOST_NODES), 1), n_trees)
        self._left_leaves = np.zeros(shape, np.uint16)
        columns, thresholds = np.zeros(shape, np.intp), np.full(shape, np.inf)
        leaves = np.zeros((n_trees, MOST_LEAVES))
        for number, forest in enumerate(forests):
            for place, tree in enumerate(forest):
                self._add(tree, place * width + number, columns, thresholds, leaves)
        self._rank(columns, thresholds)
        self._leaves = leaves.ravel()
        self._first_leaf = np.arange(n_trees) * MOST_LEAVES
        self._lowest = _lowest_zero_bits()
        self._n_forests, self._rows = len(forests), (most, width)
        self._three = np.zeros(3 * self._n)  # the row with missing values as 0, above and below all
        self._copies = self._three.reshape(3, self._n)
        self._instead = np.array([[0.0], [np.inf], [-np.inf]])
        self._right = np.empty(shape, bool)
        self._gone = np.empty(shape, np.uint16)

    def _rank(self, columns: np.ndarray, thresholds: Array) -> None:
        """Sort the thresholds of each column, and write where each node looks and with what rank.

        Columns are told apart by the real part of a complex number, thresholds by its imaginary
        part: numpy orders by the first and then by the second, so one search finds every rank.
        """
        is_node = np.isfinite(thresholds)
        own = np.zeros(int(is_node.sum()), np.complex128)
        own.real, own.imag = columns[is_node], thresholds[is_node]
        distinct, inverse = np.unique(own, return_inverse=True)
        of_column = distinct.real.astype(np.intp)
        within = np.arange(len(distinct)) - np.searchsorted(of_column, of_column)
        # One place a column, and one more for each `MOST_RANKS` of its thresholds.
        begins = within % MOST_RANKS == 0
        place = np.cumsum(begins) - 1
        self._starts = np.flatnonzero(begins)
        self._asked = of_column[self._starts]
        self._keys = np.empty_like(distinct)
        self._keys.real, self._keys.imag = place, distinct.imag
        self._queries = np.zeros(len(self._asked), np.complex128)
        self._queries.real = np.arange(len(self._asked))
        self._ranks = np.full(thresholds.shape, MOST_RANKS, np.uint8)  # nothing is above it
        self._ranks[is_node] = within[inverse] % MOST_RANKS
        self._places = np.zeros(thresholds.shape, np.intp)
        self._places[is_node] = place[inverse]
        self._is_few = len(self._asked) <= MOST_PLACES
        self._place_bytes = self._places.astype(np.uint8).tobytes() if self._is_few else b""
        self._found = np.zeros(max(len(self._asked), MOST_PLACES), np.uint8)

    def _add(
        self,
        tree: dict[str, str],
        place: int,
        columns_at: np.ndarray,
        thresholds_at: Array,
        leaves: Array,
    ) -> None:
        """Write one tree into column `place` of the tables."""
        values = [float(value) for value in tree["leaf_value"].split()]
        if len(values) > MOST_LEAVES or tree["num_cat"] != "0" or tree.get("is_linear", "0") != "0":
            raise UnsupportedTreesError("a tree that is too large, or not of plain comparisons")
        if len(values) == 1:
            leaves[place, 0] = values[0]
            return
        columns = [int(value) for value in tree["split_feature"].split()]
        thresholds = [float(value) for value in tree["threshold"].split()]
        kinds = [int(value) for value in tree["decision_type"].split()]
        left = [int(value) for value in tree["left_child"].split()]
        right = [int(value) for value in tree["right_child"].split()]
        in_order: list[int] = []

        def walk(node: int) -> int:
            """Number the leaves below a node from left to right; return them as bits."""
            if node < 0:
                in_order.append(~node)
                return 1 << (len(in_order) - 1)
            below_left = walk(left[node])
            if kinds[node] not in KINDS:
                raise UnsupportedTreesError(f"decision type {kinds[node]}")
            columns_at[node, place] = columns[node] + KINDS[kinds[node]] * self._n
            # What is missing is put at infinity, which must lie above every threshold.
            thresholds_at[node, place] = min(thresholds[node], LARGEST)
            self._left_leaves[node, place] = below_left
            return below_left | walk(right[node])

        walk(0)
        leaves[place, : len(values)] = [values[leaf] for leaf in in_order]

    def predict(self) -> list[float]:
        """Return the raw score of `row` by each booster.

        Raises
        ------
        UnsupportedTreesError
            If a value of the row is infinite.
        """
        row, three = self.row, self._three
        if np.count_nonzero(np.isinf(row)):
            raise UnsupportedTreesError("an infinite value")
        self._copies[:] = row
        np.copyto(self._copies, self._instead, where=np.isnan(row))
        self._queries.imag = three.take(self._asked)
        found = self._found
        found[: len(self._starts)] = self._keys.searchsorted(self._queries) - self._starts
        np.greater(self._each_node(found), self._ranks, out=self._right)
        np.multiply(self._left_leaves, self._right.view(np.uint8), out=self._gone)
        fallen = self._lowest.take(np.bitwise_or.reduce(self._gone, axis=0))
        reached = self._leaves.take(fallen + self._first_leaf).reshape(self._rows)
        scores: list[float] = np.add.reduce(reached, axis=0).tolist()
        return scores[: self._n_forests]

    def _each_node(self, found: np.ndarray) -> np.ndarray:
        """Return for each node the rank of the row's value in its column."""
        if not self._is_few:
            return found.take(self._places)
        ranks = self._place_bytes.translate(found.tobytes())
        return np.frombuffer(ranks, np.uint8).reshape(self._ranks.shape)


def read_trees(text: str) -> Iterator[dict[str, str]]:
    r"""Yield the trees of LightGBM's text, each as its keys and values.

    >>> [tree["leaf_value"] for tree in read_trees("tree\n\nTree=0\nleaf_value=1 2\nend of trees\n")]
    ['1 2']
    """
    tree: dict[str, str] | None = None
    for line in text.splitlines():
        if line.startswith(("Tree=", "end of trees")):
            if tree is not None:
                yield tree
            tree = {}
        elif tree is not None:
            key, equals, value = line.partition("=")
            if equals:
                tree[key] = value
        if line == "end of trees":
            return
