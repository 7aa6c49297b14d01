"""Reads records of one topic with nothing of Halfsight but the .avsc files in schemas/.

    python read_results.py BROKERS TOPIC [COUNT]

Written to show that any Avro library can read our topics: kafka-python fetches (read committed),
fastavro decodes. Each record begins with C3 01 and the CRC-64-AVRO fingerprint of its schema (Avro
single-object encoding), by which the schema is found in schemas/. Prints one JSON object a line;
exits with 1 if a record cannot be decoded, or if there is none.
"""

import json
import sys
from io import BytesIO
from pathlib import Path

import fastavro
from fastavro.schema import fingerprint, to_parsing_canonical_form
from kafka import KafkaConsumer, TopicPartition

SCHEMAS = Path(__file__).resolve().parents[2] / "schemas"
POLL_MS = 2000


def known_schemas():
    """Every version of every schema, by its fingerprint as it stands in a record."""
    schemas = {}
    # Old versions first: the newest one is in schemas/ and in its history.
    for path in [*SCHEMAS.glob("history/**/*.avsc"), *SCHEMAS.glob("*.avsc")]:
        schema = json.loads(path.read_text())
        canonical = to_parsing_canonical_form(schema)
        # fastavro gives the fingerprint as hex of its little-endian bytes.
        schemas[bytes.fromhex(fingerprint(canonical, "CRC-64-AVRO"))] = (
            str(path.relative_to(SCHEMAS)),
            fastavro.parse_schema(schema),
        )
    return schemas


def decode(value, schemas):
    if value[:2] != b"\xc3\x01":
        raise ValueError(f"begins with {value[:2].hex()}, not with c301")
    if value[2:10] not in schemas:
        raise ValueError(f"no file in {SCHEMAS} has the fingerprint {value[2:10].hex()}")
    name, schema = schemas[value[2:10]]
    body = BytesIO(value[10:])
    record = fastavro.schemaless_reader(body, schema, None)
    if body.read(1):
        raise ValueError(f"has bytes behind its {name} body")
    return name, record


def readable(value):
    """bytes have no place in JSON."""
    return value.hex() if isinstance(value, bytes) else str(value)


def main():
    if len(sys.argv) not in (3, 4):
        sys.exit(__doc__)
    brokers, topic = sys.argv[1], sys.argv[2]
    count_max = int(sys.argv[3]) if len(sys.argv) == 4 else 10
    consumer = KafkaConsumer(
        bootstrap_servers=brokers.split(","),
        isolation_level="read_committed",
        auto_offset_reset="earliest",
        enable_auto_commit=False,
    )
    partitions = consumer.partitions_for_topic(topic)
    if not partitions:
        sys.exit(f"there is no topic {topic} at {brokers}")
    consumer.assign([TopicPartition(topic, partition) for partition in sorted(partitions)])
    consumer.seek_to_beginning()
    schemas = known_schemas()
    count = 0
    while count < count_max:
        batches = consumer.poll(timeout_ms=POLL_MS, max_records=count_max - count)
        if not batches:
            break
        for message in (message for batch in batches.values() for message in batch):
            name, record = decode(message.value, schemas)
            where = {"partition": message.partition, "offset": message.offset, "schema": name}
            print(json.dumps({**where, "record": record}, default=readable), flush=True)
            count += 1
    print(f"{count} records of {topic} decoded", file=sys.stderr)
    sys.exit(0 if count > 0 else 1)


if __name__ == "__main__":
    main()
