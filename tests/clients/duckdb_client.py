import os

import client
import duckdb
import expected


def load(printed, stages, scratch):
    connection = duckdb.connect(os.path.join(scratch, "malomo.duckdb"))
    for stage in stages:
        os.chdir(stage)
        connection.execute(printed)
    time = "strftime(\"_observed_at\" AT TIME ZONE 'UTC', '%Y-%m-%dT%H:%M:%S.%gZ')"
    return {stream: connection.execute(f"SELECT * REPLACE ({time} AS \"_observed_at\") FROM {stream}").fetchall()
            for stream in expected.STREAMS}


client.run("duckdb", f"DuckDB {duckdb.__version__}", load)
