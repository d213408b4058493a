"""Exact contributions of columns to a LightGBM booster's raw score: LightGBM's own `pred_contrib`, many times faster.

A contribution is the column's Shapley value in the game whose worth is the tree's expectation, given the columns that
are known, by the training rows' paths (Lundberg et al., 2020, "From local explanations to global understanding with
explainable AI for trees"). What a row contributes depends on nothing but its decisions at the tree's nodes, so we
tabulate it once per model (Yang, 2021, "Fast TreeSHAP", does so per leaf): a part of a tree with at most `MOST_BITS`
nodes, the conditions on the path to it included, has at most 256 patterns of decisions. Scoring is then comparing, and
looking up. The weights of the Shapley sum are an integral over [0, 1] of a polynomial (as in Yu et al., 2022, "Linear
TreeShap"), for which Gauss-Legendre quadrature is exact.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import numpy as np

MOST_BITS = 8
"""Decisions per table; a code is a byte."""
BLOCK_ROWS = 8_192
TREES_AT_ONCE = 64
TABLES_AT_ONCE = 64
"""Few enough for their decisions and codes to stay in a core's cache, and enough to make up for the calls."""
BUILD_CELLS = 1_000_000
ZERO = float(np.float32(1e-35))
"""What LightGBM takes for zero (kZeroThreshold)."""
SMALLEST_SHARE = 1e-150
"""In place of an empty branch's share, so that its factor can be divided out again."""
CATEGORICAL, DEFAULT_LEFT = 1, 2
MISSING_ZERO, MISSING_NAN = 1, 2


@dataclass(frozen=True)
class _Split:
    """Nodes that compare one column in one way; their decisions are the rows `first` to `last` of the block's."""

    column: int
    is_zero_missing: bool
    is_nan_left: bool
    first: int
    last: int
    thresholds: np.ndarray
    """float64; empty for categories."""
    members: np.ndarray | None
    """Categories that go left (nodes × categories + 1, the last one for all others); None for numbers."""


@dataclass(frozen=True)
class _DeepLeaf:
    """A leaf whose path has more columns than a table has bits."""

    value: float
    columns: np.ndarray
    decisions: np.ndarray
    wanted: np.ndarray
    shares: np.ndarray


@dataclass(frozen=True)
class _Forest:
    """Some trees of one output, ready to look up."""

    base: float
    columns: int
    splits: list[_Split]
    joined: tuple[np.ndarray, np.ndarray]
    """Nodes and wanted decisions that together are one condition (conditions × most nodes, the first one repeated)."""
    bits: np.ndarray
    """Decision rows that make up each table's code (tables × `MOST_BITS`)."""
    tables: list[tuple[list[int], np.ndarray]]
    """Columns, and their contributions by code (columns × codes)."""
    deep: list[_DeepLeaf]


def tree_contributions(model: str, matrix: np.ndarray, output: int = 0) -> tuple[np.ndarray, float]:
    """Contribution of every column to the raw score (rows × columns, float64), and the base; they add up to it.

    `model`: what `Booster.model_to_string` wrote; `matrix`: rows × columns, float, nan where missing; `output`: the
    class, for a booster with several. The same values as `pred_contrib` to rounding.

    Raises ValueError for linear trees, averaged forests, and a matrix with too few columns.
    """
    groves = _groves(model, output)
    columns = max((grove.columns for grove in groves), default=0)
    if matrix.shape[1] < columns:
        raise ValueError(f"The booster uses {columns} columns, the matrix has {matrix.shape[1]}.")
    if matrix.dtype not in (np.float32, np.float64):
        matrix = matrix.astype(np.float64)
    result = np.zeros(matrix.shape)

    for first in range(0, len(matrix), BLOCK_ROWS):
        part = np.ascontiguousarray(matrix[first : first + BLOCK_ROWS].T)
        for grove in groves:
            result[first : first + BLOCK_ROWS] += _block(grove, part).T
    return result, sum(grove.base for grove in groves)


def _block(forest: _Forest, values: np.ndarray) -> np.ndarray:
    """Contributions (columns × rows) of a block of rows; `values` has a column in each row."""
    rows = values.shape[1]
    result = np.zeros(values.shape)
    decisions = _decide(forest, values)
    looked_up, code = np.empty(rows), np.empty(rows, dtype=np.intp)
    for first in range(0, len(forest.tables), TABLES_AT_ONCE):
        some = slice(first, first + TABLES_AT_ONCE)
        codes = np.zeros((len(forest.tables[some]), rows), dtype=np.uint8)
        for bit in range(forest.bits.shape[1]):
            codes |= np.left_shift(decisions[forest.bits[some, bit]], np.uint8(bit))
        for own, (columns, table) in zip(codes, forest.tables[some], strict=True):
            code[:] = own
            for column, contribution in zip(columns, table, strict=True):
                contribution.take(code, out=looked_up, mode="clip")
                result[column] += looked_up
    for leaf in forest.deep:
        holds = decisions[leaf.decisions] == leaf.wanted[:, None]
        result[leaf.columns] += _shapley(holds, leaf.shares, np.zeros(1, np.int64), np.full(1, leaf.value))
    return result


def _decide(forest: _Forest, values: np.ndarray) -> np.ndarray:
    """Does a row go left? 0 or 1 for every node, then an empty row, then the joined conditions (× rows, uint8)."""
    nodes = forest.splits[-1].last if forest.splits else 0
    members, wanted = forest.joined
    decisions = np.zeros((nodes + 1 + len(members), values.shape[1]), dtype=np.uint8)
    for split in forest.splits:
        column = values[split.column]
        into = decisions[split.first : split.last]
        if split.members is not None:
            others = split.members.shape[1] - 1
            is_known = (column > -1) & (column < others)
            category = np.where(is_known, column, others).astype(np.intp)
            into[:] = split.members[:, category]
            continue
        if split.is_zero_missing:
            column = np.where(np.abs(column) <= ZERO, np.nan, column)
        thresholds = _largest_up_to(split.thresholds, column.dtype)[:, None]
        if split.is_nan_left:
            np.greater(column, thresholds, out=into.view(bool))
            np.bitwise_xor(into, 1, out=into)
        else:
            np.less_equal(column, thresholds, out=into.view(bool))
    together = decisions[nodes + 1 :]
    together[:] = 1
    for place in range(members.shape[1]):
        together &= decisions[members[:, place]] == wanted[:, place, None]
    return decisions


def _largest_up_to(thresholds: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """The thresholds in a matrix's own precision, rounded down: no value of that precision lies in between."""
    rounded = thresholds.astype(dtype)
    return np.where(rounded > thresholds, np.nextafter(rounded, dtype.type(-np.inf)), rounded)


def _shapley(holds: np.ndarray, shares: np.ndarray, starts: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Contribution of every column on the paths of some leaves (conditions × patterns, float64).

    `holds`: is the column's condition on the path met (conditions × patterns, bool; a leaf's conditions are
    neighbours); `shares`: of the training rows that meet it; `starts`: each leaf's first condition; `values`: what each
    leaf says.
    """
    sizes = np.diff(np.append(starts, len(holds)))
    leaf = np.repeat(np.arange(len(starts)), sizes)
    points, weights = np.polynomial.legendre.leggauss((int(sizes.max()) + 1) // 2)
    total = np.zeros(holds.shape)
    for known, weight in zip((points + 1) / 2, weights / 2, strict=True):
        factors = shares[:, None] * (1 - known) + known * holds
        products = np.multiply.reduceat(factors, starts, axis=0) * weight
        total += products[leaf] / factors
    total *= holds - shares[:, None]
    total *= values[leaf][:, None]
    return total


@lru_cache(maxsize=32)
def _groves(model: str, output: int) -> list[_Forest]:
    """All trees of one output, `TREES_AT_ONCE` in each."""
    header, *blocks = model.split("\nTree=")
    if "\naverage_output" in header:
        raise ValueError("Contributions of an averaged forest (boosting=rf) are not supported; use boosting=gbdt.")
    lines = dict(line.split("=", 1) for line in header.splitlines() if "=" in line)
    outputs = int(lines.get("num_tree_per_iteration", 1))
    if not 0 <= output < outputs:
        raise ValueError(f"The booster has {outputs} outputs; there is no number {output}.")
    trees = [_fields(block) for block in blocks[output::outputs]]
    return [_forest(trees[first : first + TREES_AT_ONCE]) for first in range(0, len(trees), TREES_AT_ONCE)]


def _forest(trees: list[dict[str, str]]) -> _Forest:
    base = sum(float(tree["leaf_value"]) for tree in trees if tree["num_leaves"] == "1")
    trees = [tree for tree in trees if tree["num_leaves"] != "1"]
    splits, numbers = _splits(trees)
    nodes = splits[-1].last if splits else 0
    joined: dict[tuple[tuple[int, int], ...], int] = {}
    parts: list[_Part] = []
    for tree, own in zip(trees, numbers, strict=True):
        base += _add_parts(tree, own, nodes + 1, joined, parts)
    tables, deep = [part for part in parts if not part.is_deep], [part for part in parts if part.is_deep]
    tables.sort(key=lambda part: len(part.bits))
    widest = max((len(part.bits) for part in tables), default=0)
    bits = np.full((len(tables), widest), nodes, dtype=np.intp)
    for row, part in zip(bits, tables, strict=True):
        row[: len(part.bits)] = part.bits
    return _Forest(
        base=base,
        columns=max((split.column + 1 for split in splits), default=0),
        splits=splits,
        joined=_padded(list(joined)),
        bits=bits,
        tables=[table for some in _batches(tables) for table in _tabulate(some)],
        deep=[_deep_leaf(part) for part in deep],
    )


def _padded(joined: list[tuple[tuple[int, int], ...]]) -> tuple[np.ndarray, np.ndarray]:
    most = max((len(steps) for steps in joined), default=0)
    both = [(*steps, *[steps[0]] * (most - len(steps))) for steps in joined]
    pairs = np.array(both, dtype=np.intp).reshape(len(joined), most, 2)
    return np.ascontiguousarray(pairs[..., 0]), np.ascontiguousarray(pairs[..., 1])


def _fields(block: str) -> dict[str, str]:
    """One tree's lines of the model string."""
    fields = dict(line.split("=", 1) for line in block.split("\n\n", 1)[0].splitlines() if "=" in line)
    if fields.get("is_linear", "0") != "0":
        raise ValueError("Contributions of linear trees are not supported; fit with linear_tree=false.")
    return fields


def _splits(trees: list[dict[str, str]]) -> tuple[list[_Split], list[np.ndarray]]:
    """Every node in an order in which those that compare alike are neighbours, and each tree's node numbers."""
    sizes = [int(tree["num_leaves"]) - 1 for tree in trees]
    if not sizes:
        return [], []
    column, kind = (_joined(trees, name, np.int64) for name in ("split_feature", "decision_type"))
    threshold = _joined(trees, "threshold", np.float64)
    is_category = (kind & CATEGORICAL) > 0
    missing = (kind >> 2) & 3
    # A tiny value is read as zero, and a missing one, too, in columns that had none.
    threshold = np.where((threshold >= 0) & (threshold < ZERO), ZERO, threshold)
    threshold = np.where((threshold < 0) & (threshold >= -ZERO), np.nextafter(-ZERO, -1.0), threshold)
    is_nan_left = np.where(missing == 0, threshold >= 0, (kind & DEFAULT_LEFT) > 0) & ~is_category
    is_zero_missing = (missing == MISSING_ZERO) & ~is_category
    keys = np.stack([column, is_category, is_zero_missing, is_nan_left])
    order = np.lexsort(keys[::-1])
    changed = np.append(True, (np.diff(keys[:, order], axis=1) != 0).any(axis=0))
    starts = np.append(np.flatnonzero(changed), len(order))
    tree_of = np.repeat(np.arange(len(trees)), sizes)
    splits = []
    for first, last in pairwise(starts.tolist()):
        some = order[first:last]
        one = some[0]
        members = None
        if is_category[one]:
            members = _members([_categories(trees[tree_of[each]], int(threshold[each])) for each in some])
        splits.append(
            _Split(
                column=int(column[one]),
                is_zero_missing=bool(is_zero_missing[one]),
                is_nan_left=bool(is_nan_left[one]),
                first=first,
                last=last,
                thresholds=threshold[some],
                members=members,
            )
        )
    numbers = np.empty(len(order), dtype=np.int64)
    numbers[order] = np.arange(len(order))
    return splits, np.split(numbers, np.cumsum(sizes)[:-1])


def _joined(trees: list[dict[str, str]], name: str, dtype: type) -> np.ndarray:
    return np.array(" ".join(tree[name] for tree in trees).split(), dtype=dtype)


def _categories(tree: dict[str, str], number: int) -> np.ndarray:
    """The categories that go left, from the bits of LightGBM's words."""
    bounds = tree["cat_boundaries"].split()
    words = tree["cat_threshold"].split()[int(bounds[number]) : int(bounds[number + 1])]
    return np.unpackbits(np.array(words, dtype="<u4").view(np.uint8), bitorder="little")


def _members(sets: list[np.ndarray]) -> np.ndarray:
    result = np.zeros((len(sets), max(len(each) for each in sets) + 1), dtype=np.uint8)
    for row, each in zip(result, sets, strict=True):
        row[: len(each)] = each
    return result


@dataclass(frozen=True)
class _Part:
    """A subtree with the conditions on the path to it: the leaves that one table sums up."""

    bits: list[int]
    """Decision rows of its conditions and nodes."""
    leaves: list[tuple[float, dict[int, tuple[int, int, float]]]]
    """Value, and by column of the path: bits that matter, those that must be set, share of the training rows."""
    is_deep: bool


@dataclass(frozen=True)
class _Tree:
    """One tree of the text that LightGBM writes. Inner nodes count from 0; a leaf is the complement of its number."""

    column: list[int]
    """By inner node: the column that it asks."""
    children: list[tuple[int, int]]
    values: list[float]
    """By leaf."""
    counts: list[float]
    """By inner node: training rows."""
    leaf_counts: list[float]
    number: list[int]
    """By inner node: its decision row."""

    @classmethod
    def of(cls, tree: dict[str, str], numbers: np.ndarray) -> "_Tree":
        column, left, right = (list(map(int, tree[k].split())) for k in ("split_feature", "left_child", "right_child"))
        values, counts, leaves = (
            list(map(float, tree[k].split())) for k in ("leaf_value", "internal_count", "leaf_count")
        )
        return cls(column, list(zip(left, right, strict=True)), values, counts, leaves, numbers.tolist())

    def share(self, child: int, parent: int) -> float:
        """Of the parent's training rows, those that go to the child."""
        count = self.counts[child] if child >= 0 else self.leaf_counts[~child]
        return max(count / max(self.counts[parent], 1.0), SMALLEST_SHARE)

    def size(self, node: int) -> int:
        """Inner nodes of a subtree."""
        return 0 if node < 0 else 1 + self.size(self.children[node][0]) + self.size(self.children[node][1])


def _add_parts(
    tree: dict[str, str],
    numbers: np.ndarray,
    first_joined: int,
    joined: dict[tuple[tuple[int, int], ...], int],
    parts: list[_Part],
) -> float:
    """Cut a tree into parts with at most `MOST_BITS` bits; returns its expected value.

    New conditions of several nodes are added to `joined`, numbered in their order.
    """
    own = _Tree.of(tree, numbers)
    before = len(parts)

    def cut(node: int, path: list[tuple[int, int, float]]) -> None:
        """`path`: node, whether left, share."""
        above: dict[int, list[tuple[int, int, float]]] = {}
        for step in path:
            above.setdefault(own.column[step[0]], []).append(step)
        is_small = len(above) + own.size(node) <= MOST_BITS
        if not is_small and node >= 0:
            for side, child in enumerate(own.children[node]):
                cut(child, [*path, (node, 1 - side, own.share(child, node))])
            return
        bits, conditions = _path_conditions(own, above, first_joined, joined)
        leaves = list(_leaves_below(own, node, conditions, bits))
        parts.append(_Part(bits, leaves, not is_small))

    cut(0, [])
    return sum(
        value * math.prod(share for _, _, share in conditions.values())
        for part in parts[before:]
        for value, conditions in part.leaves
    )


def _path_conditions(
    tree: _Tree,
    above: dict[int, list[tuple[int, int, float]]],
    first_joined: int,
    joined: dict[tuple[tuple[int, int], ...], int],
) -> tuple[list[int], dict[int, tuple[int, int, float]]]:
    """The way to a part: one bit a column, several nodes of one column joined into one condition."""
    bits: list[int] = []
    conditions = {}
    for column, steps in above.items():
        bit, wanted = 1 << len(bits), steps[0][1]
        if len(steps) == 1:
            bits.append(tree.number[steps[0][0]])
        else:
            steps_at = tuple((tree.number[step[0]], step[1]) for step in steps)
            bits.append(first_joined + joined.setdefault(steps_at, len(joined)))
            wanted = 1
        conditions[column] = (bit, bit * wanted, math.prod(share for _, _, share in steps))
    return bits, conditions


def _leaves_below(
    tree: _Tree, node: int, conditions: dict[int, tuple[int, int, float]], bits: list[int]
) -> Iterator[tuple[float, dict[int, tuple[int, int, float]]]]:
    """Walk a part; every node on the way is a bit more."""
    if node < 0:
        yield tree.values[~node], conditions
        return
    bit = 1 << len(bits)
    bits.append(tree.number[node])
    column = tree.column[node]
    mask, wanted, share = conditions.get(column, (0, 0, 1.0))
    for side, child in enumerate(tree.children[node]):
        met = (mask | bit, wanted | (0 if side else bit), share * tree.share(child, node))
        yield from _leaves_below(tree, child, {**conditions, column: met}, bits)


def _batches(parts: list[_Part]) -> Iterator[list[_Part]]:
    """Neighbours with as many bits, so that building their tables stays within a few megabytes."""
    batch: list[_Part] = []
    cells = 0
    for part in parts:
        own = sum(len(conditions) for _, conditions in part.leaves) << len(part.bits)
        if batch and (len(batch[0].bits) != len(part.bits) or cells + own > BUILD_CELLS):
            yield batch
            batch, cells = [], 0
        batch.append(part)
        cells += own
    if batch:
        yield batch


def _tabulate(parts: list[_Part]) -> list[tuple[list[int], np.ndarray]]:
    """Columns and contributions by code, of parts with as many bits."""
    mask, wanted, shares, slots, starts, values = [], [], [], [], [], []
    columns: list[list[int]] = []
    rows = 0
    for part in parts:
        slot: dict[int, int] = {}
        for value, conditions in part.leaves:
            starts.append(len(mask))
            values.append(value)
            for column, (bits, set_bits, share) in conditions.items():
                mask.append(bits)
                wanted.append(set_bits)
                shares.append(share)
                slots.append(rows + slot.setdefault(column, len(slot)))
        columns.append(list(slot))
        rows += len(slot)
    codes = np.arange(1 << len(parts[0].bits))
    holds = (codes & np.array(mask)[:, None]) == np.array(wanted)[:, None]
    contributions = _shapley(holds, np.array(shares), np.array(starts), np.array(values))
    order = np.argsort(slots, kind="stable")
    first = np.flatnonzero(np.diff(np.array(slots)[order], prepend=-1))
    table = np.add.reduceat(contributions[order], first, axis=0)
    ends = np.cumsum([len(each) for each in columns])
    return list(zip(columns, np.split(table, ends[:-1]), strict=True))


def _deep_leaf(part: _Part) -> _DeepLeaf:
    [(value, conditions)] = part.leaves
    return _DeepLeaf(
        value=value,
        columns=np.array(list(conditions), dtype=np.intp),
        decisions=np.array(part.bits, dtype=np.intp),
        wanted=np.array([wanted > 0 for _, wanted, _ in conditions.values()], dtype=np.uint8),
        shares=np.array([share for _, _, share in conditions.values()]),
    )
