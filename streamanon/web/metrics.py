"""The streams' figures in the format of Prometheus."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import TypeAlias, get_args

from prometheus_client import generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from streamanon.live.status import State, Status

Kind: TypeAlias = "type[GaugeMetricFamily | CounterMetricFamily]"
Values: TypeAlias = "Iterable[tuple[Sequence[str], float]]"


class Metrics(Collector):
    """Figures of the streams, read at every scrape."""

    def __init__(
        self, statuses: Callable[[], Sequence[Status]], visitors: Callable[[], int]
    ) -> None:
        self._statuses, self._visitors = statuses, visitors

    def render(self) -> bytes:
        """Return all figures as text."""
        return generate_latest(self)

    def collect(self) -> Iterator[Metric]:
        """Yield all figures."""
        streams = self._statuses()
        states = [((s.name, x), float(s.state == x)) for s in streams for x in get_args(State)]
        yield _gauge("stream_state", "1 for what the stream is doing.", ["state"], states)
        for name, text, pick in _GAUGES:
            yield _gauge(name, text, [], [((s.name,), pick(s)) for s in streams])
        latency = [
            ((s.name, quantile), ms / 1000)
            for s in streams
            for quantile, ms in (("0.5", s.latency_p50_ms), ("0.99", s.latency_p99_ms))
        ]
        yield _gauge("latency_seconds", "Age of frames when written.", ["quantile"], latency)
        levels = [((s.name, s.level), 1.0) for s in streams]
        yield _gauge("level", "1 for the quality the machine can afford.", ["level"], levels)
        for name, text, count in _COUNTERS:
            yield _counter(name, text, [], [((s.name,), count(s)) for s in streams])
        dropped = [((s.name, c), float(n)) for s in streams for c, n in s.dropped.items()]
        yield _counter("dropped_frames", "Frames thrown away.", ["cause"], dropped)
        hidden = [((s.name, t), float(n)) for s in streams for t, n in s.treatments.items()]
        yield _counter("treatments", "Faces hidden, by what was done.", ["treatment"], hidden)
        methods = [((s.name, m), float(n)) for s in streams for m, n in s.methods.items()]
        yield _counter("methods", "Faces hidden, by the method that drew it.", ["method"], methods)
        yield from _outputs(streams)
        visitors = self._visitors()
        yield GaugeMetricFamily(
            "streamanon_camera_visitors", "People on the camera page.", visitors
        )


_GAUGES: tuple[tuple[str, str, Callable[[Status], float]], ...] = (
    ("input_fps", "Frames a second that come in.", lambda s: s.fps_in),
    ("output_fps", "Frames a second that go out, placeholders not counted.", lambda s: s.fps_out),
    ("faces", "Faces in the newest frame.", lambda s: s.faces),
)

_COUNTERS: tuple[tuple[str, str, Callable[[Status], float]], ...] = (
    ("frames", "Frames written.", lambda s: s.frames),
    ("people", "Tracks that started.", lambda s: s.people),
    ("reconnects", "Times the input came back.", lambda s: s.reconnects),
    ("restarts", "Times the line was built again.", lambda s: s.restarts),
)


def _outputs(streams: Sequence[Status]) -> Iterator[Metric]:
    """Yield the figures of outputs, labelled by masked name and place."""
    rows = [
        ((stream.name, str(place), output.name), output)
        for stream in streams
        for place, output in enumerate(stream.outputs)
    ]
    names = ["place", "output"]
    connected = [(labels, float(output.connected)) for labels, output in rows]
    yield _gauge("output_connected", "1 while an output takes frames.", names, connected)
    restarts = [(labels, float(output.restarts)) for labels, output in rows]
    yield _counter("output_restarts", "Times an output was started again.", names, restarts)
    dropped = [(labels, float(output.dropped)) for labels, output in rows]
    yield _counter("output_dropped_frames", "Frames an output had to miss.", names, dropped)


def _figure(kind: Kind, name: str, text: str, labels: list[str], values: Values) -> Metric:
    """Return a figure of the streams, each value with its labels."""
    figure = kind(f"streamanon_{name}", text, labels=["stream", *labels])
    for where, value in values:
        figure.add_metric(where, value)
    return figure


_gauge, _counter = partial(_figure, GaugeMetricFamily), partial(_figure, CounterMetricFamily)
