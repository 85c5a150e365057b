"""Commands as whole processes: how long they took and how much memory. Linux only."""

import os
import re
import select
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

# How often the processes' peaks are read.
EVERY_MILLISECONDS = 20


@dataclass
class Taken:
    seconds: float
    # Each process's own peak, added up: what they took at once is that or less.
    peak_bytes: int


def run(pipeline, environment, folder):
    """Runs commands whose outputs are each other's inputs, as a shell does; what they say goes to files in `folder`."""
    started = time.monotonic()
    children, source = [], subprocess.DEVNULL
    for number, command in enumerate(pipeline):
        last = number + 1 == len(pipeline)
        with open(folder / f"{number}.err", "wb") as told:
            out = open(folder / "out", "wb") if last else subprocess.PIPE
            child = subprocess.Popen(
                command, stdin=source, stdout=out, stderr=told, cwd=folder, env={**os.environ, **environment}
            )
        if source is not subprocess.DEVNULL:
            source.close()
        source = child.stdout
        if last:
            out.close()
        children.append(child)
    peaks = watch(children)
    seconds = time.monotonic() - started
    for number, child in enumerate(children):
        if child.returncode != 0:
            told = (folder / f"{number}.err").read_text(errors="replace")[-2000:]
            raise SystemExit(f"{pipeline[number]} ended with {child.returncode}:\n{told}")
    return Taken(seconds, sum(peaks))


def watch(children):
    """Waits for all of them. The peaks are the kernel's own, so that reading them now and then misses little; what
    `wait4` tells would be no less than this process's own."""
    peaks, ends = [0] * len(children), select.poll()
    files = [os.pidfd_open(child.pid) for child in children]
    for file in files:
        ends.register(file, select.POLLIN)
    left = len(children)
    while left:
        for number, child in enumerate(children):
            peaks[number] = max(peaks[number], peak_bytes(child.pid))
        for file, _ in ends.poll(EVERY_MILLISECONDS):
            ends.unregister(file)
            left -= 1
    for file, child in zip(files, children):
        child.wait()
        os.close(file)
    return peaks


def peak_bytes(process):
    """What a process has taken of memory at most; 0 once it has ended."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{process}/status").read_text())
    return int(found[1]) * 1024 if found else 0
