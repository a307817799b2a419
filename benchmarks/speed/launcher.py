"""Runs one command and prints, as JSON, what the operating system accounts for it.

A script of its own, started as ``python -I -S launcher.py CORES COMMAND...``: Linux counts the
memory of whoever starts a process towards that process's peak, so the starter must be small.
"""

import json
import os
import subprocess
import sys
import time


def main(cores: int, command: list[str]) -> None:
    """Run a command on the first cores this process may use; 0 for all of them."""
    if cores:
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:cores])
    start = time.perf_counter()
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    assert process.stderr is not None
    complaint = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    answer = {
        "exit_code": os.waitstatus_to_exitcode(status),
        "complaint": complaint.decode(errors="replace")[-400:],
        "elapsed_s": time.perf_counter() - start,
        "cpu_s": usage.ru_utime + usage.ru_stime,
        "peak_mb": usage.ru_maxrss / 1024,
    }
    print(json.dumps(answer))


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
