"""Which live input goes to which outputs, decided and checked before anything is opened."""

from collections.abc import Sequence
from dataclasses import dataclass

from streamanon.errors import UsageError
from streamanon.media.address import Address, input_address, output_address


@dataclass(frozen=True, slots=True)
class LiveJob:
    """One live stream to anonymise; without outputs it is shown on the page only."""

    input: Address
    outputs: tuple[Address, ...] = ()


def plan_live(inputs: Sequence[str], outputs: Sequence[str]) -> LiveJob | None:
    """Return the live stream that a command line names, or None when all of it are files.

    Raises:
        UsageError: files and live addresses are mixed, or one address is used twice.
    """
    sources = [input_address(text) for text in inputs]
    sinks = [output_address(text) for text in outputs]
    if not any(sources):
        if any(sinks):
            live = next(filter(None, sinks))
            raise UsageError(f"{live} is a live output, {inputs[0]} a file: name a file to write")
        return None
    if len(inputs) > 1:
        raise UsageError(
            f"{len(inputs)} inputs, one of them live: `streamanon live` takes several streams"
        )
    for text, sink in zip(outputs, sinks, strict=True):
        if sink is None:
            raise UsageError(
                f"output {text} is a file, and a live stream never ends: use record:FOLDER"
            )
    (source,) = filter(None, sources)
    wanted = tuple(filter(None, sinks))
    check_apart([source, *wanted])
    return LiveJob(source, wanted)


def check_apart(addresses: Sequence[Address]) -> None:
    """Refuse addresses that are used twice."""
    for number, address in enumerate(addresses):
        if address.scheme != "window" and address.target and address in addresses[:number]:
            raise UsageError(f"{address} is used twice: every input and output has its own address")
