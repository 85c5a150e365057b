import json
import os

import client
import expected
from chdb.session import Session


def load(printed, stages, scratch):
    session = Session(os.path.join(scratch, "clickhouse"))
    for stage in stages:
        os.chdir(stage)
        for statement in statements(printed):
            session.query(statement)
    found = {}
    for stream in expected.STREAMS:
        time = "formatDateTime(`_observed_at`, '%Y-%m-%dT%H:%i:%S.%f')"
        query = f"SELECT * REPLACE (concat(substring({time}, 1, 23), 'Z') AS `_observed_at`) FROM {stream}"
        lines = str(session.query(f"{query} SETTINGS output_format_json_quote_64bit_integers = 0", "JSONCompactEachRow"))
        found[stream] = [json.loads(line) for line in lines.split("\n") if line]
    load.version = str(session.query("SELECT version()")).strip().strip('"')
    return found


def statements(script):
    """The statements of a script whose texts hold no semicolon at a line's end."""
    lines = [line for line in script.split("\n") if not line.startswith("--")]
    return [part.strip() for part in "\n".join(lines).split(";\n") if part.strip()]


if __name__ == "__main__":
    import chdb
    client.run("clickhouse", f"ClickHouse {chdb.engine_version} (chDB {chdb.__version__})", load)
