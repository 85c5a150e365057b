"""Customers and their events as a Singer tap, written as the SDK's documentation advises.

Of the documentation: a child stream for the events, with its parent's id as context; HeaderLinkPaginator, of whose
link the query goes into the next request; no state for each parent (`state_partitioning_keys = []`), which would make
state grow with the customers.
"""

from urllib.parse import parse_qsl

from singer_sdk import RESTStream, Tap
from singer_sdk import typing as th
from singer_sdk.authenticators import BearerTokenAuthenticator
from singer_sdk.pagination import HeaderLinkPaginator


class MalomoStream(RESTStream):
    records_jsonpath = "$[*]"
    primary_keys = ("id",)

    @property
    def url_base(self):
        return self.config["api_url"]

    @property
    def authenticator(self):
        return BearerTokenAuthenticator(token=self.config["auth_token"])

    @property
    def http_headers(self):
        return {"Accept": "application/vnd.malomo+json; version=2"}

    def get_new_paginator(self):
        return HeaderLinkPaginator()

    def get_url_params(self, context, next_page_token):
        return dict(parse_qsl(next_page_token.query)) if next_page_token else {}


class Customers(MalomoStream):
    name = "customers"
    path = "/customers"
    schema = th.PropertiesList(
        th.Property("id", th.StringType, required=True),
        th.Property("email", th.StringType),
        th.Property("first_name", th.StringType),
        th.Property("last_name", th.StringType),
        th.Property("phone_number", th.StringType),
        th.Property("created_at", th.DateTimeType),
        th.Property("updated_at", th.DateTimeType),
    ).to_dict()

    def get_child_context(self, record, context):
        return {"customer_id": record["id"]}


class Events(MalomoStream):
    name = "events"
    path = "/customers/{customer_id}/events"
    parent_stream_type = Customers
    state_partitioning_keys = ()
    schema = th.PropertiesList(
        th.Property("id", th.StringType, required=True),
        th.Property("customer_id", th.StringType),
        th.Property("type", th.StringType),
        th.Property("label", th.StringType),
        th.Property("link_back_url", th.StringType),
        th.Property("properties", th.ObjectType(additional_properties=True)),
        th.Property("timestamp", th.IntegerType),
        th.Property("created_at", th.DateTimeType),
        th.Property("updated_at", th.DateTimeType),
    ).to_dict()


class TapMalomo(Tap):
    name = "tap-malomo"
    config_jsonschema = th.PropertiesList(
        th.Property("api_url", th.StringType, required=True),
        th.Property("auth_token", th.StringType, required=True, secret=True),
    ).to_dict()

    def discover_streams(self):
        return [Customers(self), Events(self)]


if __name__ == "__main__":
    TapMalomo.cli()
