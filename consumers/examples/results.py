"""Prints the results of a topic as they come: python results.py BROKERS TOPIC [SCHEMA_REGISTRY_URL]"""

import functools
import io
import json
import pathlib
import sys
import urllib.request

from fastavro import parse_schema, schemaless_reader
from fastavro.schema import fingerprint, to_parsing_canonical_form
from kafka import KafkaConsumer

brokers, topic, *registry = sys.argv[1:]
schemas = {}
for path in pathlib.Path(__file__).parents[2].glob("schemas/history/*/*.avsc"):
    schema = parse_schema(json.loads(path.read_text()))
    schemas[fingerprint(to_parsing_canonical_form(schema), "CRC-64-AVRO")] = schema


@functools.cache
def registered(schema_id):
    with urllib.request.urlopen(f"{registry[0]}/schemas/ids/{schema_id}") as answer:
        return parse_schema(json.loads(json.load(answer)["schema"]))


def decode(value):
    if value[0] == 0:  # Confluent wire format: 00, the schema's id in the registry, the Avro body
        return schemaless_reader(io.BytesIO(value[5:]), registered(int.from_bytes(value[1:5])), None)
    # Single-object encoding: C3 01, the schema's fingerprint, the Avro body
    return schemaless_reader(io.BytesIO(value[10:]), schemas[value[2:10].hex()], None)


for record in KafkaConsumer(topic, bootstrap_servers=brokers, isolation_level="read_committed"):
    print(json.dumps(decode(record.value), default=str), flush=True)
