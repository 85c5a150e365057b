"""integrations/spark, run after each of several exports: what it keeps is what the mirror holds."""

import importlib.util
import os
import shutil
import sys
from pathlib import Path

import expected
import pyspark
import stages
from pyspark.sql import SparkSession

JOB = Path(__file__).parents[2] / "integrations/spark/current_state.py"


def main(world, scratch):
    os.makedirs(scratch)
    spec = importlib.util.spec_from_file_location("current_state", JOB)
    job = importlib.util.module_from_spec(spec)
    spark = (SparkSession.builder.master("local[2]").config("spark.ui.enabled", "false")
             .config("spark.driver.host", "127.0.0.1").config("spark.driver.bindAddress", "127.0.0.1")
             .config("spark.sql.session.timeZone", "UTC").config("spark.sql.shuffle.partitions", "2").getOrCreate())
    spark.sparkContext.setLogLevel("ERROR")
    spec.loader.exec_module(job)
    state, through = os.path.join(scratch, "state"), []
    for folder in stages.growing(world, os.path.join(scratch, "exports")):
        through.append([job.update(spark, str(folder), state, stream) for stream in expected.STREAMS])
        if len(through) == 2:
            # What a run leaves that is cut off at its end: the next one does its work again.
            for stream, last in zip(expected.STREAMS, through[-1]):
                os.remove(f"{state}/{stream}/through={last}/_SUCCESS")
            again = [job.update(spark, str(folder), state, stream) for stream in expected.STREAMS]
            assert again == through[-1], again
        again = [job.update(spark, str(folder), state, stream) for stream in expected.STREAMS]
        assert again == through[-1], again
    kept = sorted(os.listdir(f"{state}/events"))
    assert len(kept) == job.KEPT + 1, kept
    found = {stream: rows(spark, f"{state}/{stream}/through={last}", columns)
             for (stream, columns), last in zip(expected.STREAMS.items(), through[-1])}
    months = sum(name.startswith("month=") for name in os.listdir(f"{state}/events/through={through[-1][1]}"))
    assert months > 3, months
    count = expected.compare(world, found)
    # From NDJSON, in one step.
    for file in Path(folder).glob("*/*.parquet"):
        file.unlink()
    manifest = Path(folder) / "manifest.ndjson"
    manifest.write_text("".join(line for line in manifest.open() if '"format":"parquet"' not in line))
    shutil.rmtree(state)
    last = [job.update(spark, str(folder), state, stream) for stream in expected.STREAMS]
    found = {stream: rows(spark, f"{state}/{stream}/through={one}", columns)
             for (stream, columns), one in zip(expected.STREAMS.items(), last)}
    count += expected.compare(world, found)
    spark.stop()
    print(f"integrations/spark, PySpark {pyspark.__version__}: {count} rows equal from Parquet and NDJSON, events of {months} months")


def rows(spark, folder, columns):
    time = "concat(date_format(_observed_at, \"yyyy-MM-dd'T'HH:mm:ss.SSS\"), 'Z')"
    frame = spark.read.parquet(folder).selectExpr(*[f"`{column}`" for column in columns], "_seq", time)
    return [tuple(row) for row in frame.collect()]


main(*sys.argv[2:])
