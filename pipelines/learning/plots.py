"""Small pictures of a model, as PNG bytes. Deciles come from `evaluation.decile_table`."""

import io
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BLUE, GREY = "#2563eb", "#9ca3af"


def calibration_plot(deciles: pl.DataFrame, title: str) -> bytes:
    """Predicted against observed rate, one point per tenth of the rows, with 95 % Wilson intervals (Wilson, 1927)."""
    figure, axes = _axes(title, "Predicted rate", "Observed rate")
    predicted, observed = deciles["predicted_rate"].to_numpy(), deciles["observed_rate"].to_numpy()
    low, high = _wilson(observed, deciles["rows"].to_numpy())
    bars = np.maximum([observed - low, high - observed], 0)
    top = min(1.0, 1.1 * float(max(predicted.max(), high.max())))
    axes.plot([0, top], [0, top], color=GREY, linewidth=1, linestyle="--", label="perfect")
    axes.errorbar(predicted, observed, yerr=bars, color=BLUE, marker="o", markersize=4, linewidth=1.2, label="tenths")
    axes.set_xlim(0, top)
    axes.set_ylim(0, top)
    axes.legend(frameon=False, loc="upper left", fontsize=8)
    return _png(figure)


def gain_plot(deciles: pl.DataFrame, title: str) -> bytes:
    """Share of all yes found when working down from the highest score."""
    figure, axes = _axes(title, "Share of rows, highest score first", "Share of all yes")
    shares = np.append(0, np.cumsum(deciles["rows"].to_numpy()) / deciles["rows"].sum())
    axes.plot([0, 1], [0, 1], color=GREY, linewidth=1, linestyle="--", label="at random")
    axes.plot(shares, np.append(0, deciles["gain"].to_numpy()), color=BLUE, marker="o", markersize=4, label="model")
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1.02)
    axes.legend(frameon=False, loc="lower right", fontsize=8)
    return _png(figure)


def _axes(title: str, across: str, up: str):
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.6, 3.4), dpi=100, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.set_title(title, fontsize=10)
    axes.set_xlabel(across, fontsize=9)
    axes.set_ylabel(up, fontsize=9)
    axes.tick_params(labelsize=8)
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _png(figure: "Figure") -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()


def _wilson(rate: np.ndarray, rows: np.ndarray, z: float = 1.96) -> tuple[np.ndarray, np.ndarray]:
    middle = (rate + z**2 / (2 * rows)) / (1 + z**2 / rows)
    half = z / (1 + z**2 / rows) * np.sqrt(rate * (1 - rate) / rows + z**2 / (4 * rows**2))
    return middle - half, middle + half
