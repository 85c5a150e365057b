"""The order in which a client gets a world's files: some late, some twice.

Each stage is a folder that looks like an export folder: a manifest with some of the lines, and the files that they name.
"""

import json
import shutil
from pathlib import Path


def stages(world, folder):
    """Makes the stages of `world` in `folder`. Loading one after the other has to give the whole."""
    exports = Path(world) / "exports"
    lines = [line for line in (exports / "manifest.ndjson").read_text().split("\n") if line]
    ranges = sorted({json.loads(line)["first_seq"] for line in lines})
    # The third increment before the first: what it deletes is deleted before it is there. At last everything once more.
    orders = [[ranges[2]], [ranges[0], ranges[3]], [ranges[4], ranges[1]], ranges[::-1]]
    return [stage(exports, lines, order, Path(folder) / str(number)) for number, order in enumerate(orders)]


def growing(world, folder):
    """Yields `folder` as an export folder with one more increment each time."""
    exports, folder = Path(world) / "exports", Path(folder)
    lines = [line for line in (exports / "manifest.ndjson").read_text().split("\n") if line]
    firsts = sorted({json.loads(line)["first_seq"] for line in lines})
    for count in range(1, len(firsts) + 1):
        shutil.rmtree(folder / "new", ignore_errors=True)
        new = stage(exports, lines, firsts[:count], folder / "new")
        shutil.copytree(new, folder, dirs_exist_ok=True)
        shutil.rmtree(new)
        yield folder


def stage(exports, lines, order, folder):
    folder.mkdir(parents=True)
    manifest = []
    for first_seq in order:
        for line in lines:
            entry = json.loads(line)
            if entry["first_seq"] == first_seq:
                manifest.append(line + "\n")
                target = folder / entry["path"]
                target.parent.mkdir(exist_ok=True)
                shutil.copyfile(exports / entry["path"], target)
    # A line that is being written just now, and what a repair leaves beside a file: neither counts.
    (folder / "manifest.ndjson").write_text("".join(manifest) + '{"stream":"customers","format":"csv","pa')
    (folder / "customers" / "customers-000000000001-000000000002.csv.damaged").write_text("damaged")
    return folder
