"""Programs that read Parquet: each function takes paths, and returns the rows of all these files."""

import os

INSTANTS = ["_observed_at", "occurred_at", "created_at_utc", "updated_at_utc"]


def of_pyarrow(files):
    import pyarrow.parquet
    return [row for file in files for row in pyarrow.parquet.read_table(file).to_pylist()]


def of_pandas(files):
    import pandas
    # Its own integers have no NULL.
    frames = [pandas.read_parquet(file, dtype_backend="pyarrow") for file in files]
    rows = [row for frame in frames for row in frame.to_dict("records")]
    plain = lambda value: None if pandas.isna(value) else value
    return [{name: plain(value) for name, value in row.items()} for row in rows]


def of_polars(files):
    import polars
    # It takes JSON for bytes.
    return polars.read_parquet(files).with_columns(polars.col(polars.Binary).cast(polars.String)).to_dicts()


def of_duckdb(files):
    import duckdb
    relation = duckdb.sql(f"SELECT * FROM read_parquet({files})")
    types = dict(zip(relation.columns, map(str, relation.types)))
    assert types["extra"] == "JSON" and types["created_at_utc"] == "TIMESTAMP WITH TIME ZONE", types
    instants = ", ".join(f"epoch_us({name}) AS {name}" for name in INSTANTS if name in types)
    rows = duckdb.sql(f"SELECT * REPLACE ({instants}) FROM relation").fetchall()
    return [dict(zip(relation.columns, row)) for row in rows]


def of_spark(files):
    frame = spark().read.parquet(*files)
    columns = [f"unix_micros(`{name}`) AS `{name}`" if name in INSTANTS else f"`{name}`" for name in frame.columns]
    return [row.asDict() for row in frame.selectExpr(*columns).collect()]


def spark():
    """A Spark cluster of two workers, on this machine alone."""
    import pyspark
    from pyspark.sql import SparkSession
    # Workers are started from there.
    os.environ.setdefault("SPARK_HOME", os.path.dirname(pyspark.__file__))
    os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
    session = (SparkSession.builder.master("local-cluster[2,1,512]").config("spark.ui.enabled", "false")
               .config("spark.executor.memory", "512m")
               .config("spark.driver.host", "127.0.0.1").config("spark.driver.bindAddress", "127.0.0.1")
               .config("spark.ui.showConsoleProgress", "false")
               .config("spark.sql.session.timeZone", "UTC").config("spark.sql.shuffle.partitions", "2").getOrCreate())
    session.sparkContext.setLogLevel("ERROR")
    return session
