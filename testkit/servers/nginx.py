"""nginx with its RTMP module, where it is installed: RTMP in and out, and HLS of what is pushed."""

import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from testkit.servers.ports import free_port
from testkit.waiting import wait_until

_MODULE = Path("/usr/lib/nginx/modules/ngx_rtmp_module.so")
_CONFIG = """
load_module {module};
daemon off; master_process off; pid {folder}/pid; error_log {folder}/errors.log;
events {{}}
rtmp {{ server {{ listen 127.0.0.1:{rtmp};
    application live {{ live on; hls on; hls_path {folder}/hls; hls_fragment 1s;
        hls_playlist_length 6s; }} }} }}
http {{ access_log off; client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi; uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{ listen 127.0.0.1:{http}; root {folder}; }} }}
"""


@dataclass(frozen=True)
class Nginx:
    """A server that runs.

    Attributes:
        folder: folder of the server's files; what is pushed appears in ``hls``.
        rtmp: port.
        http: port.
    """

    folder: Path
    rtmp: int
    http: int

    def url(self, name: str) -> str:
        """Return where to push to and to read from by RTMP."""
        return f"rtmp://127.0.0.1:{self.rtmp}/live/{name}"

    def playlist(self, name: str) -> str:
        """Return where to read by HLS."""
        return f"http://127.0.0.1:{self.http}/hls/{name}.m3u8"

    def wait_for(self, name: str) -> None:
        """Wait until the playlist names its first segments."""
        path = self.folder / "hls" / f"{name}.m3u8"
        wait_until(lambda: path.exists() and path.read_text().count(".ts") >= 2)


def missing() -> bool:
    """Tell whether nginx or its module is not installed."""
    return not _MODULE.exists() or shutil.which("nginx", path="/usr/sbin:/usr/bin") is None


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def nginx(folder: Path) -> Iterator[Nginx]:
    """Run the server for as long as the context lasts."""
    server = Nginx(folder, free_port(), free_port())
    config = folder / "nginx.conf"
    config.write_text(
        _CONFIG.format(module=_MODULE, folder=folder, rtmp=server.rtmp, http=server.http)
    )
    tool = shutil.which("nginx", path="/usr/sbin:/usr/bin") or "nginx"
    process = subprocess.Popen([tool, "-c", str(config), "-p", str(folder)])
    try:
        wait_until(lambda: _listens(server.rtmp))
        yield server
    finally:
        process.kill()
        process.wait()
