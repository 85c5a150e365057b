"""What every client does: takes what `describe` prints, loads a world in stages, and compares.

    CLIENT.py PROGRAM WORLD SCRATCH
"""

import os
import subprocess
import sys

import expected
import stages


def run(name, version, load, json_as_text=True):
    """`load(printed, stages)` runs what `describe --as` printed, in each of the folders, and returns the rows of each stream."""
    program, world, scratch = sys.argv[1:]
    os.makedirs(scratch)
    printed = describe(program, name, world)
    found = load(printed, stages.stages(world, os.path.join(scratch, "stages")), scratch)
    count = expected.compare(world, found, json_as_text)
    print(f"{version}: {count} rows equal")


def describe(program, form, world):
    command = [program, "--set", f"mirror.path={world}/mirror.db", "describe", "--as", form]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout
