"""Datasette shows the mirror itself: what its pages say of it, and every row of the streams."""

import asyncio
import json
import os
import sys
from urllib.parse import quote

import client
import expected
from datasette.app import Datasette
from datasette.version import __version__


async def main(program, world):
    metadata = json.loads(client.describe(program, "datasette", world))
    served = Datasette([os.path.join(world, "mirror.db")], metadata=metadata)
    await served.invoke_startup()
    database = await got(served, "/mirror.json")
    tables = {table["name"]: table for table in database["tables"]}
    described = metadata["databases"]["mirror"]
    names = {table["name"] for table in json.loads(client.describe(program, "json", world))["tables"]}
    for name, table in tables.items():
        assert table["hidden"] == (name not in names), f"{name} is hidden: {table['hidden']}"
    for view in database["views"]:
        assert view["name"] in described["tables"], f"{view['name']} is not described"
    for name, query in described["queries"].items():
        answer = await served.client.get(f"/mirror/{name}?email=na@example.com")
        assert answer.status_code == 200, f"{name}: {answer.text[-400:]}"
    page = (await served.client.get("/mirror/customers")).text
    for said in ["The e-mail address.", "exactly as the API holds them now"]:
        assert said in page, said
    page = (await served.client.get("/mirror/events?_facet=type&_size=1")).text
    assert "na@example.com" in page or "@example" in page, "a customer's e-mail address stands for it"
    return sum([await equal_rows(served, world, stream) for stream in expected.STREAMS])


async def equal_rows(served, world, stream):
    columns, found, path = expected.STREAMS[stream], {}, f"/mirror/{stream}.json?_size=200&_shape=objects&_labels=off"
    while path:
        answer = await got(served, path)
        for row in answer["rows"]:
            found[row["id"]] = tuple(row[column] for column in columns)
        token = answer["next"]
        path = token and f"/mirror/{stream}.json?_size=200&_shape=objects&_labels=off&_next={quote(token)}"
    wanted = {key: row[:-2] for key, row in expected.rows(world, stream).items()}
    assert found == wanted, f"{stream}: {len(found)} rows of {len(wanted)}, or others"
    return len(found)


async def got(served, path):
    answer = await served.client.get(path)
    assert answer.status_code == 200, f"{path}: {answer.status_code}"
    return answer.json()


program, world, _ = sys.argv[1:]
count = asyncio.run(main(program, world))
print(f"Datasette {__version__}: {count} rows equal, metadata shown, canned queries run")
