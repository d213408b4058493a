"""Learners of amounts: regularised splines and boosting under several losses, each on one of two scales.

On the scale of the amount itself (link `identity`) contributions add up to the estimate; on that of its logarithm (link
`log`) they are factors that multiply to it. A learner gives margins on its scale; learners of one scale can be mixed,
and what they contribute still adds up. Losses: `squared` and `absolute` on either scale; `tweedie` (Jørgensen, 1987,
"Exponential dispersion models"), whose mean is an exponential and whose zeros may be many. In two parts (Cragg, 1971,
"Some statistical models for limited dependent variables"): `any`, the logarithm of the chance that it is not 0, and
`size`, that of the amount where it is not; their sum is that of the mean, up to what the calibration adds.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pipelines.learning.learners.calibration import SMALLEST_SLOPE, minimise
from pipelines.learning.learners.candidates import Rows, boosting_data

if TYPE_CHECKING:
    pass

LOSSES = ("absolute", "squared")
"""What an estimate may be judged by: the median of what may come minimises the first, the mean the second."""
STRENGTHS = (0.003, 0.03, 0.3, 3.0)
"""Inverse regularisation of the splines, as that of the logistic candidates; chosen out of sample."""
TREES = {
    "few trees": {"num_leaves": 8, "learning_rate": 0.2, "feature_fraction": 0.5},
    "small trees": {"num_leaves": 8, "learning_rate": 0.12, "feature_fraction": 0.5},
    "large trees": {"num_leaves": 24, "max_depth": 7, "learning_rate": 0.13, "feature_fraction": 0.7},
    "bound": {"num_leaves": 5, "learning_rate": 0.15, "feature_fraction": 0.5},
}
"""Trees of at most 8 leaves, and paths of at most 8 columns, are those whose contributions are looked up quickest."""
MOST_TREES = {"few trees": 80, "small trees": 400, "large trees": 250, "bound": 100}
FINE = {"large trees"}
"""Settings that cut numbers more finely (255 bins) and categories into any sets of levels: amounts have less noise than
answers, and such cuts pay."""
SMOOTHING = 2.0
"""Rows of nothing new that every leaf is averaged with (LightGBM's lambda_l2)."""
PATIENCE = 30
FEWEST_FEATURES = 5
TWO_PARTS = ("any", "size")
BOUNDS = (0.1, 0.9)
"""Quantiles between which the interval lies."""
TAIL_ROWS = 50
"""Rows that a leaf of a quantile needs: of fewer, too few lie beyond it."""
TWEEDIE_POWER = 1.5
SMALLEST_FLOOR = 1e-3
"""Share of the median positive amount below which amounts are one and the same on the logarithmic scale."""
MOST_ZEROS = 0.1
"""Share of amounts of zero up to which a logarithm of them all is tried."""
SHRINKAGE = 0.05
"""What the size of a curve's weights costs beside its bends: little, so that a straight line costs little."""
ROBUST_STEPS = 15
BEND = 0.02
"""Of the mean absolute deviation: below it the absolute loss is rounded off."""
PRIOR_ROWS = 4.0
"""Weight of slope 1 and offset 0 in the calibration, in rows."""


@dataclass(frozen=True)
class Scale:
    """The range and scales of an amount, learnt from training rows."""

    lowest: float
    """An estimate is never below it: 0 where no amount was negative."""
    highest: float
    floor: float
    """Smallest amount on the logarithmic scale; 0 where some amounts are negative and there is none."""
    zeros: float
    """Share of the amounts that are 0."""

    @classmethod
    def of(cls, amounts: np.ndarray) -> "Scale":
        """Of training amounts (float64, finite)."""
        low, high = float(amounts.min()), float(amounts.max())
        reach = high - low
        positive = amounts[amounts > 0]
        floor = 0.0
        if low >= 0 and len(positive):
            floor = max(float(positive.min()), SMALLEST_FLOOR * float(np.median(positive)))
        return cls(0.0 if low >= 0 else low - reach, high + reach, floor, float(np.mean(amounts == 0)))

    @property
    def links(self) -> list[str]:
        """Scales on which an estimate may be made."""
        return ["identity", "log"] if self.floor > 0 else ["identity"]

    def to_margin(self, link: str, amounts: np.ndarray) -> np.ndarray:
        """Amounts on a scale."""
        return np.log(np.maximum(amounts, self.floor)) if link == "log" else np.asarray(amounts, dtype=np.float64)

    def clipped(self, link: str, margin: np.ndarray) -> np.ndarray:
        """Margins within what an amount may be."""
        if link == "log":
            return np.clip(margin, np.log(self.floor) - 1, np.log(self.highest))
        return np.clip(margin, self.lowest, self.highest)

    def to_amount(self, link: str, margin: np.ndarray) -> np.ndarray:
        """Margins back as amounts, within what an amount may be."""
        clipped = self.clipped(link, margin)
        return np.exp(clipped) if link == "log" else clipped


def losses_of(loss: str, amounts: np.ndarray, estimates: np.ndarray) -> np.ndarray:
    """Loss of every row: the absolute or the squared error."""
    error = np.asarray(estimates, dtype=np.float64) - amounts
    return np.abs(error) if loss == "absolute" else error**2


def typical(loss: str, amounts: np.ndarray) -> float:
    """The one estimate for everyone with the least loss: the median or the mean."""
    return float(np.median(amounts) if loss == "absolute" else amounts.mean())


def fit_calibration(link: str, scale: Scale, loss: str, margin: np.ndarray, amounts: np.ndarray) -> tuple[float, float]:
    """Slope (positive) and offset of margins with the least loss in amounts, drawn a little towards 1 and 0.

    It turns an estimate of the mean into one of the median, or the other way round, and contributions still add up.
    """
    spread = float(np.mean(np.abs(amounts - np.median(amounts)))) or 1.0
    prior, weight = np.array([1.0, 0.0]), PRIOR_ROWS / len(amounts)
    centre, size = float(margin.mean()), float(margin.std()) or 1.0
    place = (margin - centre) / size
    terms = np.column_stack([place, np.ones(len(margin))])
    low = scale.clipped(link, np.full(1, -np.inf))[0]

    def errors(beta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        moved = margin + terms @ (beta - prior) * size
        slope = np.exp(scale.clipped(link, moved)) if link == "log" else np.ones(len(moved))
        return (scale.to_amount(link, moved) - amounts) / spread, np.where(moved > low, slope * size / spread, 0.0)

    def rounded(error: np.ndarray) -> np.ndarray:
        return np.sqrt(error**2 + BEND**2) if loss == "absolute" else error**2 / 2

    def value(beta: np.ndarray) -> float:
        return float(rounded(errors(beta)[0]).mean()) + weight / 2 * float(np.sum((beta - prior) ** 2))

    def derivatives(beta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        error, slope = errors(beta)
        curvature = 1 / np.sqrt(error**2 + BEND**2) if loss == "absolute" else np.ones(len(error))
        moves = terms * slope[:, None]
        gradient = moves.T @ (curvature * error) / len(error) + weight * (beta - prior)
        return gradient, moves.T @ (moves * curvature[:, None]) / len(error) + weight * np.eye(2)

    beta = minimise(value, derivatives, prior, 1e-6)
    slope = max(float(beta[0]), SMALLEST_SLOPE)
    return slope, float(centre - slope * centre + beta[1] * size)


def fit_splines(rows: Rows, margin: np.ndarray, strengths: tuple[float, ...], loss: str, link: str) -> Iterator[dict]:
    """Regularised linear models of the encoder's terms, one per strength; `margin`: the amounts on the scale `link`."""
    if not rows.terms:
        yield constant_learner(typical(loss, margin), link, loss)
        return
    solve = _solver(rows, margin)
    for strength in sorted(strengths):
        solution = solve(strength, np.ones(len(margin)))
        if loss == "absolute":
            solution = _robust(solve, strength, rows, margin, solution)
        yield {
            "kind": "linear",
            "link": link,
            "loss": loss,
            "strength": float(strength),
            "weights": solution[:-1],
            "intercept": float(solution[-1]),
        }


Solve = Callable[[float, np.ndarray], np.ndarray]
"""Strength and the rows' weights to the solution of weighted ridge regression: weights, then the intercept."""


def _solver(rows: Rows, margin: np.ndarray) -> Solve:
    if rows.text is None:
        bent = _penalty(rows)
        terms = np.column_stack([rows.linear, np.ones(len(margin))]).astype(np.float64)

        def solve(strength: float, weights: np.ndarray) -> np.ndarray:
            weighted = terms * weights[:, None]
            system = terms.T @ weighted
            system[:-1, :-1] += bent / strength
            system[-1, -1] += 1e-9
            return np.linalg.solve(system, weighted.T @ margin)

        return solve
    from scipy import sparse
    from sklearn.linear_model import Ridge

    together = sparse.hstack([sparse.csr_matrix(rows.linear), rows.text], "csr")

    def solve_sparse(strength: float, weights: np.ndarray) -> np.ndarray:
        model = Ridge(alpha=1 / strength, solver="sparse_cg", tol=1e-4)
        model.fit(together, margin, sample_weight=weights)
        return np.append(model.coef_, model.intercept_).astype(np.float64)

    return solve_sparse


def _penalty(rows: Rows) -> np.ndarray:
    """What weights cost (terms × terms): mostly how far the curves are from straight lines."""
    result = np.eye(rows.terms)
    for first, bent in rows.curves:
        block = slice(first, first + bent.shape[1])
        result[block, block] = SHRINKAGE * np.eye(bent.shape[1]) + bent.T @ bent
    return result


def _robust(solve: Solve, strength: float, rows: Rows, margin: np.ndarray, solution: np.ndarray) -> np.ndarray:
    """Least absolute deviations by reweighting (Schlossmacher, 1973), the smallest deviations rounded off."""
    dense = rows.linear.shape[1]
    spread = float(np.mean(np.abs(margin - np.median(margin)))) or 1.0
    for _ in range(ROBUST_STEPS):
        estimated = rows.linear @ solution[:dense] + solution[-1]
        if rows.text is not None:
            estimated = estimated + rows.text @ solution[dense:-1]
        weights = spread / np.sqrt((margin - estimated) ** 2 + (BEND * spread) ** 2)
        before, solution = solution, solve(strength, weights)
        if np.abs(solution - before).max() <= 1e-3 * max(np.abs(solution).max(), 1e-300):
            break
    return solution


def constant_learner(margin: float, link: str, loss: str) -> dict:
    """What a model without usable columns says: the same of everyone."""
    return {
        "kind": "linear",
        "link": link,
        "loss": loss,
        "strength": 0.0,
        "weights": np.zeros(0),
        "intercept": float(margin),
    }


def fit_amount(rows: Rows, amounts: np.ndarray, settings: dict, scale: Scale, seed: int, num_threads: int) -> dict:
    """The learner of these settings, fitted on these rows."""
    if settings["kind"] == "boosting" and rows.matrix.shape[1]:
        return fit_trees(rows, amounts, settings, scale, seed, num_threads)
    margin = scale.to_margin(settings["link"], amounts)
    if settings["kind"] == "boosting" or not settings["strength"]:
        same = (
            np.quantile(margin, settings["quantile"]) if "quantile" in settings else typical(settings["loss"], margin)
        )
        of = {"quantile": settings["quantile"]} if "quantile" in settings else {}
        return {**constant_learner(float(same), settings["link"], settings["loss"]), **of}
    return next(fit_splines(rows, margin, (settings["strength"],), settings["loss"], settings["link"]))


def fit_trees(
    rows: Rows,
    amounts: np.ndarray,
    settings: dict,
    scale: Scale,
    seed: int,
    num_threads: int,
    held_out: tuple[Rows, np.ndarray] | None = None,
    judged_by: str = "squared",
) -> dict:
    """LightGBM with `settings`: setting, link, loss, and trees or a `quantile` of the amount in place of an estimate.

    With `held_out` (rows, amounts) it stops early: a quantile on its own loss, an estimate on the one it is judged by.
    """
    import lightgbm

    loss = settings["loss"]
    if loss == "size":
        rows, amounts = _not_zero(rows, amounts)
        held_out = None if held_out is None else _not_zero(*held_out)
    objective, label = _objective(settings), _label(amounts, settings, scale)
    bins: dict = {"max_bin": 255, "with_sets": True} if settings["setting"] in FINE else {}
    data = boosting_data(rows, label, num_threads=num_threads, **bins)
    size, columns = data.num_data(), data.num_feature()
    shape = TREES[settings["setting"]]
    # A column sample of whole trees never sees two columns together that only matter so: leave enough of them.
    share = max(shape["feature_fraction"], min(1.0, FEWEST_FEATURES / columns))
    metric = {"quantile": "quantile", "tweedie": "tweedie", "any": "poisson"}.get(loss, "l2")
    if judged_by == "absolute" and loss not in ("quantile", "any"):
        metric = "l1"
    parameters = {
        **shape,
        **objective,
        "metric": "None" if held_out is None else metric,
        "feature_fraction": share,
        "lambda_l2": SMOOTHING,
        "min_data_in_leaf": TAIL_ROWS if loss == "quantile" else int(min(20, max(3, size // 200))),
        "deterministic": True,
        "force_col_wise": True,
        "seed": seed,
        "num_threads": num_threads,
        "verbosity": -1,
    }
    unseen, stop = [], []
    if held_out is not None:
        answers = _label(held_out[1], settings, scale)
        unseen = [boosting_data(held_out[0], answers, reference=data, num_threads=num_threads, **bins)]
        stop = [lightgbm.early_stopping(PATIENCE, verbose=False)]
    most = settings.get("trees", MOST_TREES[settings["setting"]])
    booster = lightgbm.train(parameters, data, num_boost_round=most, valid_sets=unseen, callbacks=stop)
    used = booster.best_iteration if held_out is not None and booster.best_iteration > 0 else most
    # What was tried beyond the best is kept: other parts of a split may do better with more.
    return {**settings, "trees": int(used), "model": booster.model_to_string(num_iteration=-1)}


def _not_zero(rows: Rows, amounts: np.ndarray) -> tuple[Rows, np.ndarray]:
    more = np.flatnonzero(amounts > 0)
    return rows.take(more), amounts[more]


def _label(amounts: np.ndarray, settings: dict, scale: Scale) -> np.ndarray:
    """What a loss is of."""
    match settings["loss"]:
        case "tweedie":
            return amounts
        case "any":
            return (amounts > 0).astype(np.float64)
    return scale.to_margin(settings["link"], amounts)


def _objective(settings: dict) -> dict:
    """LightGBM's parameters for a loss."""
    match settings["loss"]:
        case "quantile":
            return {"objective": "quantile", "alpha": settings["quantile"]}
        case "tweedie":
            return {"objective": "tweedie", "tweedie_variance_power": TWEEDIE_POWER}
        case "any":
            return {"objective": "poisson"}
        case "absolute":
            return {"objective": "regression_l1"}
    return {"objective": "regression"}


def tree_losses(scale: Scale) -> list[tuple[str, str]]:
    """Link and loss of the boosters to try first."""
    pairs = [("identity", "squared"), ("identity", "absolute")]
    if "log" in scale.links:
        pairs.append(("log", "tweedie"))
        if scale.zeros <= MOST_ZEROS:
            pairs += [("log", "squared"), ("log", "absolute")]
    return pairs


def spline_links(scale: Scale) -> list[str]:
    """Links of the splines to try."""
    return [link for link in scale.links if link == "identity" or scale.zeros <= MOST_ZEROS]


def name_of(settings: dict) -> str:
    """In words, for model cards and run logs; the same for the same candidate."""
    on_log = " of the logarithm" if settings["link"] == "log" and settings["loss"] != "tweedie" else ""
    how = f"{settings['loss']} error{on_log}" if settings["loss"] != "tweedie" else "Tweedie"
    if settings["kind"] == "boosting":
        return f"boosting, {settings['setting']} ({how})"
    if not settings["strength"]:
        return "the same of everyone"
    return f"splines ({how}, C = {settings['strength']:g})"
