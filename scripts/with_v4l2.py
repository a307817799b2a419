"""Run a command on a machine that has a webcam and a virtual camera, made up in QEMU.

For machines whose kernel has no V4L2, such as most containers: a Debian kernel boots in QEMU with
this machine's files as its own, read-only, so that the same virtual environment runs there. Its
webcam is /dev/video0 (vivid, the kernel's test driver), its virtual camera /dev/video10
(v4l2loopback). Nothing is installed or changed on this machine but files in the work folder.

    apt install build-essential busybox-static kmod linux-headers-amd64 qemu-system-x86 \
        v4l2loopback-source
    python -m scripts.with_v4l2 \
        .venv/bin/python -m pytest -p no:cacheprovider --timeout 600 tests/sinks/test_v4l2.py
"""

from __future__ import annotations

import argparse
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

WORK = Path("/var/tmp/streamanon-v4l2")  # not /tmp: that is empty in there
MACHINE = (
    *("qemu-system-x86_64", "-nographic", "-no-reboot", "-nic", "none", "-smp", "2", "-m", "2048"),
    # emulated even where /dev/kvm is: inside of virtual machines that one often hangs
    *("-machine", "q35,accel=tcg", "-cpu", "max", "-append", "console=ttyS0 loglevel=4 panic=-1"),
    *("-virtfs", "local,path=/,mount_tag=files,security_model=none,readonly=on,multidevs=remap"),
)
FOR_ROOT = (
    *("virtio", "virtio_ring", "virtio_pci_modern_dev", "virtio_pci_legacy_dev", "virtio_pci"),
    *("netfs", "fscache", "9pnet", "9pnet_virtio", "9p"),
)
"""What it takes to mount the files of this machine, in order."""

INIT = """#!/bin/busybox sh
B=/bin/busybox
for part in proc sys dev; do $B mkdir -p /$part; done
$B mount -t proc none /proc
$B mount -t sysfs none /sys
for module in {modules}; do $B insmod /$module.ko; done
$B mkdir -p /root
$B mount -t 9p -o trans=virtio,version=9p2000.L,msize=524288,ro,cache=loose files /root
$B mount -t devtmpfs none /root/dev
$B mount -t proc none /root/proc
$B mount -t sysfs none /root/sys
$B mkdir -p /root/dev/shm
$B mount -t tmpfs none /root/dev/shm
$B ifconfig lo up
$B chroot /root /sbin/modprobe -d {tree} vivid n_devs=1 node_types=0x1
$B chroot /root /sbin/modprobe -d {tree} v4l2loopback video_nr=10 exclusive_caps=1
$B mount -t tmpfs none /root/tmp
$B chroot /root /bin/sh -c {command}
echo "{ended}$?"
$B poweroff -f
"""
ENDED = "the command ended with "


def prepare(work: Path) -> tuple[Path, str]:
    """Unpack a kernel and build v4l2loopback for it; return the tree it lies in and its version."""
    headers = sorted(Path("/usr/src").glob("linux-headers-*-amd64"))
    source = next(Path("/usr/src").glob("v4l2loopback.tar.*"), None)
    if not headers or source is None:
        sys.exit("kernel headers or v4l2loopback-source are missing: see the top of this script")
    version = headers[-1].name.removeprefix("linux-headers-")
    tree = work / version
    loopback = tree / "lib/modules" / version / "extra/v4l2loopback.ko"
    if not loopback.exists():
        tree.mkdir(parents=True, exist_ok=True)
        subprocess.run(["apt-get", "download", f"linux-image-{version}"], cwd=work, check=True)
        package = next(work.glob(f"linux-image-{version}_*.deb"))
        subprocess.run(["dpkg-deb", "-x", package, tree], check=True)
        subprocess.run(["tar", "-C", work, "-xf", source], check=True)
        build = work / "modules/v4l2loopback"
        subprocess.run(["make", "-C", headers[-1], f"M={build}", "modules"], check=True)
        loopback.parent.mkdir(exist_ok=True)
        (build / "v4l2loopback.ko").rename(loopback)
        subprocess.run(["depmod", "-b", tree, version], check=True)
    return tree, version


def first_files(work: Path, tree: Path, command: str) -> Path:
    """Pack what the kernel starts with; return the archive."""
    folder = work / "first"
    (folder / "bin").mkdir(parents=True, exist_ok=True)
    (folder / "bin/busybox").write_bytes(Path("/bin/busybox").read_bytes())
    modules = []
    for name in FOR_ROOT:
        found = next(tree.rglob(f"{name}.ko"), None)
        if found:  # the others are built into this kernel
            (folder / found.name).write_bytes(found.read_bytes())
            modules.append(name)
    init = folder / "init"
    init.write_text(
        INIT.format(modules=" ".join(modules), tree=tree, command=shlex.quote(command), ended=ENDED)
    )
    for path in (init, folder / "bin/busybox"):
        path.chmod(0o755)
    archive = work / "first.cpio"
    names = "\n".join(str(path.relative_to(folder)) for path in folder.rglob("*")).encode()
    packing = ["/bin/busybox", "cpio", "-o", "-H", "newc"]
    with archive.open("wb") as target:
        subprocess.run(packing, cwd=folder, input=names, stdout=target, check=True)
    return archive


def boot(kernel: Path, archive: Path) -> int:
    """Boot, show what is printed, and return the exit code of the command."""
    machine = subprocess.Popen(
        [*MACHINE, "-kernel", kernel, "-initrd", archive],
        stdout=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        text=True,
        errors="replace",
    )
    assert machine.stdout
    code = 1
    for line in machine.stdout:
        print(line, end="", flush=True)
        if found := re.search(ENDED + r"(\d+)", line):
            code = int(found[1])
    machine.wait()
    return code


def main() -> int:
    """Run the command; return its exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, default=WORK, help="folder for what is built")
    parser.add_argument("command", nargs=argparse.REMAINDER)
    asked = parser.parse_args()
    tree, version = prepare(asked.work)
    command = f"cd {shlex.quote(str(Path.cwd()))} && PYTHONDONTWRITEBYTECODE=1 "
    command += f"HOME=/tmp PATH={shlex.quote(os.environ['PATH'])} {shlex.join(asked.command)}"
    return boot(tree / f"boot/vmlinuz-{version}", first_files(asked.work, tree, command))


if __name__ == "__main__":
    sys.exit(main())
