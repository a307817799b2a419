"""Plots of the results, each with its caption."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullLocator

from benchmarks.report import speed, stills, training, video
from benchmarks.report.records import Record
from benchmarks.report.tables import Cell, Column

COLOURS = {
    "anonygan": "#D55E00",
    "warp": "#0072B2",
    "mosaic": "#009E73",
    "blur": "#56B4E9",
    "solid": "#CC79A7",
    "blur101": "#E69F00",
    "pixelation10": "#7A4B00",
    "none": "#000000",
}
"""Okabe and Ito's, which people of any colour vision tell apart, and a brown for their yellow."""

GREY = "#7F7F7F"
LIVE_FPS = 30.0

_STYLE = Path(__file__).with_name("style.mplstyle")


@dataclass(frozen=True)
class Plot:
    """A plot that the results suffice for.

    Attributes:
        name: name of the file.
        caption: caption under the plot.
        draw: draws the plot.
    """

    name: str
    caption: str
    draw: Callable[[], Figure]

    def write(self, folder: Path) -> None:
        """Draw the plot into a folder."""
        with style.context(_STYLE):
            self.draw().savefig(folder / self.name)


def of_stills(record: Record) -> Iterator[Plot]:
    """Yield the plots of the stills."""
    judge = stills.judge_that_counts(record)
    for metric in stills.judges(record, "realism"):
        if judge is None:
            continue
        known = stills.recognised(record, judge, "same_rank_1", f"recognised by {judge}, rank 1")
        real = stills.distance(record, metric)
        points = {
            name: (known.cells[name], real.cells[name])
            for name in known.cells
            if known.cells[name].bounds and real.cells[name].bounds
        }
        if len(points) > 1:
            yield Plot(
                "privacy-realism.png",
                "Privacy against realism: how many stills are found among all originals, and how "
                "far the pictures are from real ones, as a set. Bars: 95 % interval across, "
                "deviation over folds upright. Both are better when smaller: lower left.",
                partial(_scatter, points, known, real),
            )
            return


def of_video(record: Record) -> Iterator[Plot]:
    """Yield the plots of the clips."""
    measured = {
        label: {
            method: values
            for method, clips in video.rows(record).items()
            if (values := [v for row in clips.values() if (v := row[part].get(name)) is not None])
        }
        for place, label, *_ in video.STABILITY
        for part, name in [place.split()]
    }
    if any(measured.values()):
        yield Plot(
            "stability.png",
            "How steady the face is over the source's own, a dot a clip, the line at their mean; "
            "dotted: as steady as the source.",
            partial(_stability, list(video.rows(record)), measured),
        )


def of_speed(record: Record) -> Iterator[Plot]:
    """Yield the plots of the speed suite."""
    for axis, (name, label) in speed.AXES.items():
        lines = {method: speed.along(record, axis, method) for method in speed.swept(record, axis)}
        lines = {method: [r for r in rows if not speed.dead(r)] for method, rows in lines.items()}
        if any(len(rows) > 1 for rows in lines.values()):
            yield Plot(
                f"speed-{axis}.png",
                f"Frames and processor time over {name}. Whole processes, start included; bars "
                "from the slowest to the fastest round; dotted: 30 frames a second; dashed: "
                "decoding and encoding alone.",
                partial(_growth, record, lines, label),
            )
    works = {
        method: row["stages"]
        for method, row in speed.base(record).items()
        if not speed.is_floor(row)
        and not speed.dead(row)
        and all(stage["worked_ms"] for stage in row["stages"].values())
    }
    if works:
        yield Plot(
            "stages.png",
            "Time each stage works on a frame: bar to the median, line to p95, dot at p99.",
            partial(_stages, works),
        )


def of_training(record: Record) -> Iterator[Plot]:
    """Yield the plots of the training suite."""
    rows = record.results["rows"]
    curve = list(training.of_kind(rows, "curve").values())
    if len(curve) > 1:
        yield Plot(
            "training.png",
            "What the network comes to with the samples it has seen; dashed: the warp alone.",
            partial(_curve, curve, rows["warp"]),
        )


def _curve(rows: Sequence[Mapping[str, Any]], warp: Mapping[str, Any]) -> Figure:
    shown = [one for one in training.FIGURES if one[0] in ("error", "mouth", "recognised", "pose")]
    figure = Figure(figsize=(10, 2.6))
    for axes, (name, label, _, unit) in zip(figure.subplots(1, len(shown)), shown, strict=True):
        scale = 100 if unit == "%" else 1
        seen = [row["samples"] / 1000 for row in rows]
        axes.plot(seen, [scale * row[name] for row in rows], marker="o", color=COLOURS["anonygan"])
        axes.axhline(scale * warp[name], color=COLOURS["warp"], linestyle="--")
        axes.set_title(f"{label}{', %' if unit == '%' else ''}")
        axes.set_xlabel("thousand samples")
    return figure


def _scatter(points: Mapping[str, tuple[Cell, Cell]], known: Column, real: Column) -> Figure:
    figure = Figure(figsize=(8, 5.5))
    axes = figure.subplots()
    for number, (name, (x, y)) in enumerate(points.items()):
        (x0, x1), (y0, y1) = x.bounds or (0, 0), y.bounds or (0, 0)
        at = (100 * (x.value or 0), y.value or 0)
        axes.errorbar(
            *at,
            xerr=[[at[0] - 100 * x0], [100 * x1 - at[0]]],
            yerr=[[at[1] - y0], [y1 - at[1]]],
            fmt="os^Dvp*"[number % 7],
            markersize=9,
            capsize=3,
            color=COLOURS.get(name, GREY),
            label=name,
        )
    axes.set_xlabel(f"{known.label}, %")
    axes.set_ylabel(real.label.replace(") ", ")\n"))
    axes.set_xscale("symlog", linthresh=1.0)
    axes.set_xlim(left=-0.1)
    axes.set_xticks([0, 1, 10, 100], ["0", "1", "10", "100"])
    axes.legend()
    return figure


def _stability(methods: Sequence[str], measured: Mapping[str, Mapping[str, list[float]]]) -> Figure:
    figure = Figure(figsize=(11, 3.6))
    for axes, (label, found) in zip(
        figure.subplots(1, len(measured), sharey=True), measured.items(), strict=True
    ):
        axes.axvline(1, color="#999999", linewidth=1, linestyle=":")
        for method, values in found.items():
            place, colour = methods.index(method), COLOURS.get(method, GREY)
            axes.plot(values, [place] * len(values), "o", color=colour, alpha=0.6)
            axes.vlines(sum(values) / len(values), place - 0.3, place + 0.3, color=colour)
        axes.set_title(label, fontsize=11)
        axes.set_yticks(range(len(methods)), methods)
        axes.set_ylim(len(methods) - 0.5, -0.5)
        axes.margins(x=0.15)
        axes.set_xlim(left=0)
        axes.grid(visible=False, axis="y")
    return figure


def _growth(
    record: Record, lines: Mapping[str, list[speed.Row]], label: Callable[[speed.Row], str]
) -> Figure:
    """Draw frames a second, and processor time beside it, which a busy machine spoils less."""
    figure = Figure(figsize=(11, 4.5))
    rate, cost = figure.subplots(1, 2)
    longest = max(lines.values(), key=len)
    points = [label(row) for row in longest]
    floors = speed.floors_along(record, longest, speed.FLOOR)
    dashed = {"linestyle": "--", "marker": ".", "color": GREY, "label": "decode+encode alone"}
    at = [points.index(label(row)) for row in floors]
    for axes, key in ((rate, "fps"), (cost, "cpu_ms")):
        axes.plot(at, [row[key] for row in floors], **dashed)
        axes.set_xticks(range(len(points)), points, rotation=30 if len(points) > 5 else 0)
    for method, rows in lines.items():
        places = [points.index(label(row)) for row in rows if label(row) in points]
        colour = COLOURS.get(method, GREY)
        fps = [row["fps"] for row in rows]
        bars = [
            [row["fps"] - min(row["fps_runs"]) for row in rows],
            [max(row["fps_runs"]) - row["fps"] for row in rows],
        ]
        rate.errorbar(places, fps, bars, marker="o", capsize=3, color=colour, label=method)
        cost.plot(places, [row["cpu_ms"] for row in rows], marker="o", color=colour, label=method)
    rate.axhline(LIVE_FPS, color="#999999", linewidth=1, linestyle=":")
    rate.set_yscale("log")
    rate.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    rate.set_yticks(_round_numbers(rate))
    rate.yaxis.set_minor_locator(NullLocator())
    rate.set_ylabel("frames a second")
    cost.set_ylim(bottom=0)
    cost.set_ylabel("processor ms a frame")
    lines_and_labels = cost.get_legend_handles_labels()
    figure.legend(*lines_and_labels, loc="outside upper center", ncols=len(lines) + 1)
    return figure


def _round_numbers(axes: Axes) -> list[float]:
    """Return 1, 2, 5, 10 and so on within the limits of a logarithmic axis, and what is live."""
    low, high = axes.get_ylim()
    candidates = [step * 10.0**power for power in range(-1, 5) for step in (1, 2, 5)] + [LIVE_FPS]
    return [one for one in candidates if low <= one <= high]


def _stages(works: Mapping[str, Mapping[str, Any]]) -> Figure:
    figure = Figure(figsize=(8, 4.5))
    axes = figure.subplots()
    stages: Sequence[str] = list(dict.fromkeys(stage for one in works.values() for stage in one))
    height = 0.8 / len(works)
    for number, (method, one) in enumerate(works.items()):
        places = [stages.index(stage) + number * height - 0.4 + height / 2 for stage in one]
        spread = [stage["worked_ms"] for stage in one.values()]
        colour = COLOURS.get(method, GREY)
        axes.barh(places, [s["p50"] for s in spread], 0.9 * height, color=colour, label=method)
        axes.hlines(places, [s["p50"] for s in spread], [s["p95"] for s in spread], color=colour)
        axes.plot([s["p99"] for s in spread], places, "o", markersize=5, color=colour)
    axes.set_yticks(range(len(stages)), stages)
    axes.invert_yaxis()
    axes.grid(visible=False, axis="y")
    axes.set_xlabel("ms a frame")
    axes.legend()
    return figure
