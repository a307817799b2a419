"""Runs one command and prints its time, processor time and memory as JSON.

A script of its own, started as ``python -I -S launcher.py CORES COMMAND...``: Linux counts the
memory of the parent towards the peak of the process it starts, so the parent must be small.
"""

import json
import os
import subprocess
import sys
import time


def busy_s() -> float:
    """Return the processor time that the whole machine has spent working since it started."""
    with open("/proc/stat", encoding="ascii") as file:  # noqa: PTH123  pathlib would make it larger
        user, nice, system, _idle, _waiting, *rest = map(int, file.readline().split()[1:9])
    return (user + nice + system + sum(rest)) / os.sysconf("SC_CLK_TCK")


def main(cores: int, command: list[str]) -> None:
    """Run a command on the first cores this process may use; 0 for all of them."""
    if cores:
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:cores])
    busy_before_s, start = busy_s(), time.perf_counter()
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    assert process.stderr is not None
    complaint = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    elapsed_s, cpu_s = time.perf_counter() - start, usage.ru_utime + usage.ru_stime
    others_s = busy_s() - busy_before_s - cpu_s
    answer = {
        "exit_code": os.waitstatus_to_exitcode(status),
        "complaint": complaint.decode(errors="replace")[-400:],
        "elapsed_s": elapsed_s,
        "cpu_s": cpu_s,
        "peak_mb": usage.ru_maxrss / 1024,
        "others": max(0.0, others_s / (elapsed_s * (os.cpu_count() or 1))),
    }
    print(json.dumps(answer))


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
