"""Runs live streams with log, status lines and page until they are stopped."""

from __future__ import annotations

import logging
import re
import signal
from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict
from threading import Event
from typing import TYPE_CHECKING, Any

import cv2
from rich.console import Console

from streamanon.cli.live_display import LiveDisplay, summary
from streamanon.errors import StreamanonError, UsageError
from streamanon.extras import missing_package
from streamanon.factory import Factory
from streamanon.files.run import check_report
from streamanon.live.stream import Stream
from streamanon.pipeline.document import write_document

if TYPE_CHECKING:
    from streamanon.live.stream_file import LiveConfig, StreamSpec

LOG = logging.getLogger("streamanon")

_LOOK_EVERY_S = 0.25
_FILES = 4096
_HOST_PORT = re.compile(r"(?:\[([0-9a-fA-F:.%]+)\]|([^:\[\]]+)):(\d{1,5})")


def operate(live: LiveConfig, console: Console) -> None:
    """Run live streams until they are stopped by Ctrl-C, SIGTERM or SIGHUP, or none is left.

    The report is the one that the first stream's settings name.

    Raises:
        UsageError: the request cannot be carried out as made.
        StreamanonError: a stream ended with an error, or could not hide something; that of the only
            one, as it was raised.
    """
    specs = live.streams
    config = specs[0].config
    check_report(config.report, overwrite=config.overwrite)
    if config.overwrite and not config.report:
        raise UsageError("--overwrite is for files and reports, live outputs replace nothing")
    host_port = parse_host_port(live.serve) if live.serve else None
    for one in specs:
        one.config.check("live", switchable=host_port is not None)
    if not host_port and (live.token is not None or live.behind_proxy):
        setting = "a proxy in front" if live.token is None else "a token"
        raise UsageError(f"{setting} is for the page: ask for it with serve, or leave it")
    _allow_more_files()
    with ExitStack() as stack:
        factory = Factory(config)
        stack.callback(factory.close)
        cv2.setNumThreads(1)  # as lines do, which would set it back under one another
        display = stack.enter_context(LiveDisplay(console, alone=len(specs) == 1))
        stopped = stack.enter_context(_signals())
        running = [_stream(one, factory) for one in specs]
        stack.callback(_stop, running)
        if host_port:
            stack.callback(_page(running, factory, host_port, live).close)
        for stream in running:
            stream.start()
        up = set(running)
        while up and not stopped.wait(_LOOK_EVERY_S):
            display.show([stream.status() for stream in running])
            up -= _ended(up, len(running))
        _stop(running)
        for status in (stream.status() for stream in running):
            if status.frames:
                LOG.info(summary(status))
    # a service that starts again would find the report of a start that failed in its way
    if config.report and any(stream.status().frames for stream in running):
        write_document(config.report, config, [one.report() for one in running], factory.runtimes)
    _raise_failure(running)


def _allow_more_files() -> None:
    """Raise the soft limit on open files, which is low enough by default to be used up."""
    with suppress(ImportError, OSError, ValueError):  # Windows has none; a container may forbid it
        import resource

        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        wanted = _FILES if hard == resource.RLIM_INFINITY else min(_FILES, hard)
        if 0 <= soft < wanted:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def parse_host_port(text: str) -> tuple[str, int]:
    """Read an address to listen on.

    Raises:
        UsageError: it is not HOST:PORT.
    """
    found = _HOST_PORT.fullmatch(text)
    if not found or int(found[3]) > 65535:
        raise UsageError(f"serve is {text!r}: wanted HOST:PORT, 127.0.0.1:8080 for example")
    return found[1] or found[2], int(found[3])


def _stream(spec: StreamSpec, factory: Factory) -> Stream:
    job, own = spec.job, factory.for_stream(**asdict(spec.config))
    return Stream(spec.name, job.input, job.outputs, own)


def _ended(streams: Collection[Stream], of: int) -> set[Stream]:
    """Return the streams that have ended; of several, log why."""
    over = {stream for stream in streams if not stream.running}
    for stream in over:
        if of > 1:
            stream.log.error(f"stopped: {stream.error}")
    return over


def _stop(streams: Sequence[Stream]) -> None:
    """Stop all streams at once."""
    with ThreadPoolExecutor(len(streams)) as pool:
        for _ in pool.map(Stream.stop, streams):
            pass


def _page(
    streams: Sequence[Stream], factory: Factory, host_port: tuple[str, int], live: LiveConfig
) -> Any:
    """Start the page and return its server."""
    try:
        from streamanon.web.server import Server
    except ImportError as error:
        raise missing_package("the page", "web", error) from error
    server = Server(streams, factory, host_port, live.token, behind_proxy=live.behind_proxy)
    server.start()
    return server


@contextmanager
def _signals() -> Iterator[Event]:
    """Yield an event that Ctrl-C, SIGTERM and SIGHUP set; a second Ctrl-C interrupts as usual."""
    stopped = Event()
    before: dict[signal.Signals, Any] = {}

    def stop(number: int, _: object) -> None:
        stopped.set()
        signal.signal(signal.SIGINT, signal.default_int_handler)
        LOG.info(f"stopping ({signal.Signals(number).name}): outputs are finished")

    for one in (signal.SIGINT, signal.SIGTERM, getattr(signal, "SIGHUP", signal.SIGTERM)):
        if signal.getsignal(one) is not signal.SIG_IGN:  # as nohup has it
            before.setdefault(one, signal.signal(one, stop))
    try:
        yield stopped
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)


def _raise_failure(streams: Sequence[Stream]) -> None:
    failed = [(stream.name, stream.error) for stream in streams if stream.error]
    if failed and len(streams) == 1:
        raise failed[0][1]
    if failed:
        why = "; ".join(f"{name}: {error}" for name, error in failed)
        raise StreamanonError(f"{len(failed)} of {len(streams)} streams failed: {why}")
