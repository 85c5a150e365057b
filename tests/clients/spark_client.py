import os
import re

import client
import expected
import pyspark
from pyspark.sql import SparkSession


def load(printed, stages, scratch):
    found = {}
    spark = (SparkSession.builder.master("local[2]").config("spark.ui.enabled", "false")
             .config("spark.driver.host", "127.0.0.1").config("spark.driver.bindAddress", "127.0.0.1")
             .config("spark.sql.session.timeZone", "UTC").config("spark.sql.shuffle.partitions", "2")
             .config("spark.sql.warehouse.dir", os.path.join(scratch, "warehouse")).getOrCreate())
    spark.sparkContext.setLogLevel("ERROR")
    for stage in stages:
        # The Java program stays in the folder in which it was started.
        there = re.sub(r"path '(\w+)'", lambda path: f"path '{stage}/{path.group(1)}'", printed)
        for statement in statements(there):
            spark.sql(statement)
    for stream in expected.STREAMS:
        time = "concat(date_format(`_observed_at`, \"yyyy-MM-dd'T'HH:mm:ss.SSS\"), 'Z')"
        query = f"SELECT * EXCEPT (`_observed_at`), {time} AS `_observed_at` FROM {stream}"
        found[stream] = [tuple(row) for row in spark.sql(query).collect()]
    spark.stop()
    return found


def statements(script):
    """The statements of a script whose texts hold no semicolon at a line's end."""
    lines = [line for line in script.split("\n") if not line.startswith("--")]
    return [part.strip().removesuffix(";") for part in "\n".join(lines).split(";\n") if part.strip()]


client.run("spark", f"PySpark {pyspark.__version__}", load)
