"""Customers and their events by dlt, set up as its documentation advises.

Of the documentation: RESTClient with HeaderLinkPaginator; a transformer for the children, whose requests are
deferred so that the extractor's threads run them in parallel; a `json` column for an object of any shape. How many
threads there are is set by the caller, in dlt's own variables.

    dlt_pipeline.py load URL DESTINATION FOLDER
    dlt_pipeline.py count DESTINATION FOLDER
"""

import gzip
import json
import sys
from pathlib import Path

import dlt
from dlt.sources.helpers.rest_client import RESTClient
from dlt.sources.helpers.rest_client.auth import BearerTokenAuth
from dlt.sources.helpers.rest_client.paginators import HeaderLinkPaginator

STREAMS = ("customers", "events")


@dlt.source
def malomo(url):
    client = RESTClient(
        base_url=url,
        headers={"Accept": "application/vnd.malomo+json; version=2"},
        auth=BearerTokenAuth("sk_peer"),
        paginator=HeaderLinkPaginator(),
    )

    @dlt.resource(primary_key="id", write_disposition="append")
    def customers():
        yield from client.paginate("/customers")

    @dlt.transformer(
        data_from=customers,
        primary_key="id",
        write_disposition="append",
        columns={"properties": {"data_type": "json"}},
    )
    def events(page):
        @dlt.defer
        def of_one(customer_id):
            pages = client.paginate(f"/customers/{customer_id}/events")
            return [{**event, "customer_id": customer_id} for page in pages for event in page]

        for customer in page:
            yield of_one(customer["id"])

    return customers, events


def destination(name, folder):
    if name == "duckdb":
        return dlt.destinations.duckdb(str(folder / "peer.duckdb"))
    return dlt.destinations.filesystem(bucket_url=(folder / "files").as_uri())


def load(url, name, folder):
    pipeline = dlt.pipeline(
        "peer",
        pipelines_dir=str(folder / "pipelines"),
        destination=destination(name, folder),
        dataset_name="malomo",
    )
    options = {} if name == "duckdb" else {"loader_file_format": "jsonl"}
    pipeline.run(malomo(url), **options).raise_on_failed_jobs()


def ids(name, folder):
    """The ids of each stream, as they arrived."""
    if name == "duckdb":
        import duckdb

        with duckdb.connect(str(folder / "peer.duckdb"), read_only=True) as database:
            for stream in STREAMS:
                yield [row[0] for row in database.sql(f"SELECT id FROM malomo.{stream}").fetchall()]
    else:
        for stream in STREAMS:
            files = sorted((folder / "files" / "malomo" / stream).glob("*.jsonl*"))
            yield [json.loads(line)["id"] for file in files for line in opened(file)]


def opened(file):
    return gzip.open(file, "rt") if file.suffix == ".gz" else open(file)


if __name__ == "__main__":
    command, *arguments, folder = sys.argv[1:]
    if command == "load":
        load(*arguments, Path(folder))
    else:
        print(json.dumps([[len(found), len(set(found))] for found in ids(*arguments, Path(folder))]))
