"""The current state of an account as a table of Parquet files, by month, from the exports of malomo-mirror.

    spark-submit current_state.py EXPORTS STATE

EXPORTS is an export folder or a destination of malomo-mirror, STATE a folder of this job's; both may be anything that Spark
reads and writes, such as s3a://bucket/prefix. For each stream the newest state is STATE/STREAM/through=SEQ, where SEQ is the
last change that is in it; its rows are divided by month. Each run adds the files that are new, in one step: a run that is
cut off leaves no state, and the next one does its work.
"""

import sys

from pyspark.sql import SparkSession, Window
from pyspark.sql.functions import col, date_format, row_number, timestamp_seconds, try_to_timestamp

FIELDS = {
    "customers": "id STRING, email STRING, first_name STRING, last_name STRING, phone_number STRING, created_at STRING, "
                 "updated_at STRING, extra STRING",
    "events": "id STRING, customer_id STRING, type STRING, label STRING, link_back_url STRING, timestamp BIGINT, "
              "properties STRING, created_at STRING, updated_at STRING, extra STRING",
}
CHANGE = "_seq BIGINT, _op STRING, _observed_at TIMESTAMP"
LINE = "stream STRING, format STRING, path STRING, first_seq BIGINT, last_seq BIGINT, rows BIGINT"

# An event's month is when it happened, a customer's when the shop got to know them.
MONTHS = {"customers": try_to_timestamp(col("created_at")), "events": timestamp_seconds(col("timestamp"))}

# States that stay beside the newest one: whoever is reading one can end.
KEPT = 2


def update(spark, exports, state, stream):
    """Brings the state of a stream up to date. Returns the change that it goes through."""
    folder = f"{state}/{stream}"
    states = whole_states(spark, folder)
    through = max(states, default=0)
    lines = spark.read.schema(LINE).json(f"{exports}/manifest.ndjson").where(col("stream") == stream).collect()
    formats = {line.format for line in lines}
    format = "parquet" if "parquet" in formats else "ndjson"
    new = sorted((line for line in lines if line.format == format and line.last_seq > through), key=lambda line: line.first_seq)
    if not new:
        return through
    if new[0].first_seq != through + 1:
        sys.exit(f"{stream}: the files from change {through + 1} on are gone, the oldest begins with {new[0].first_seq}: "
                 f"begin anew with a snapshot (malomo-mirror export --snapshot)")
    paths = [f"{exports}/{line.path}" for line in new if line.rows > 0]
    changes = read(spark, format, paths, stream)
    if states:
        changes = changes.unionByName(spark.read.parquet(f"{folder}/through={through}").select(changes.columns))
    newest = row_number().over(Window.partitionBy("id").orderBy(col("_seq").desc()))
    current = changes.withColumn("_age", newest).where("_age = 1 AND _op IN ('insert', 'update')").drop("_age")
    current = current.withColumn("month", date_format(MONTHS[stream], "yyyy-MM"))
    # What a run left that was cut off goes; the file _SUCCESS comes last.
    current.write.partitionBy("month").mode("overwrite").parquet(f"{folder}/through={new[-1].last_seq}")
    for old in sorted(states)[:-KEPT]:
        files(spark, folder).delete(path(spark, f"{folder}/through={old}"), True)
    return new[-1].last_seq


def read(spark, format, paths, stream):
    """The rows of the files, with the same columns from either format."""
    schema = f"{CHANGE}, {FIELDS[stream]}"
    names = [field.split()[0] for field in schema.split(", ")]
    if not paths:
        return spark.createDataFrame([], schema)
    if format == "parquet":
        return spark.read.parquet(*paths).select(*names)
    return spark.read.schema(schema).json(paths).select(*names)


def whole_states(spark, folder):
    """The changes through which there is a state that was written to its end."""
    there = files(spark, folder)
    if not there.exists(path(spark, folder)):
        return []
    states = [one.getPath() for one in there.listStatus(path(spark, folder)) if one.getPath().getName().startswith("through=")]
    return [int(one.getName().split("=")[1]) for one in states if there.exists(path(spark, f"{one}/_SUCCESS"))]


def files(spark, folder):
    return path(spark, folder).getFileSystem(spark.sparkContext._jsc.hadoopConfiguration())


def path(spark, name):
    return spark.sparkContext._jvm.org.apache.hadoop.fs.Path(name)


def main():
    if len(sys.argv) != 3:
        sys.exit("usage: spark-submit current_state.py EXPORTS STATE")
    exports, state = (argument.rstrip("/") for argument in sys.argv[1:])
    spark = SparkSession.builder.appName("malomo current state").config("spark.sql.session.timeZone", "UTC").getOrCreate()
    for stream in FIELDS:
        print(f"{stream}: through change {update(spark, exports, state, stream)}")
    spark.stop()


if __name__ == "__main__":
    main()
