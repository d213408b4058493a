"""One small picture per metric: what was, what was forecast, what comes, with the 80 % interval."""

import io
from datetime import date

import polars as pl


def plot_metric(metric: str, history: list[tuple[date, float]], rows: pl.DataFrame) -> bytes:
    """PNG of the total: `history` are (Monday, actual) pairs, `rows` the forecast rows of the metric's total."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
    from matplotlib.figure import Figure

    future = rows.filter(pl.col("actual").is_null())
    past = rows.filter(pl.col("actual").is_not_null() & pl.col("forecast").is_not_null())
    figure = Figure(figsize=(7, 2.8), dpi=100, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.plot([week for week, _ in history], [value for _, value in history], color="#334155", lw=1.3, label="actual")
    if past.height:
        axes.plot(past["period_start_date"], past["forecast"], color="#94a3b8", lw=1, ls="--", label="backtest")
    weeks = future["period_start_date"]
    axes.fill_between(weeks, future["p10"], future["p90"], color="#2563eb", alpha=0.18, lw=0, label="80 % interval")
    axes.plot(weeks, future["forecast"], color="#2563eb", lw=1.6, label="forecast")
    axes.set_title(f"{metric.replace('_', ' ')}, total by week", loc="left", fontsize=10)
    locator = AutoDateLocator()
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=8)
    axes.grid(axis="y", color="#e2e8f0", lw=0.6)
    axes.legend(fontsize=7, frameon=False, loc="upper left", ncols=4)
    axes.margins(x=0.01, y=0.15)
    picture = io.BytesIO()
    figure.savefig(picture, format="png")
    return picture.getvalue()
