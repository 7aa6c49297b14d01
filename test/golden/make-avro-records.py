"""Writes avro-records.json: our schemas' fingerprints and records of each by fastavro.

    python test/golden/make-avro-records.py       (needs fastavro; reads schemas/history)

Records are in Avro single-object encoding; `value` is what fastavro was given, bytes as hex.
"""

import json
from io import BytesIO
from pathlib import Path

import fastavro
from fastavro.schema import fingerprint, parse_schema, to_parsing_canonical_form

HISTORY = Path(__file__).parents[2] / "schemas" / "history"

IDENTITY = {"camera_id": "gate-2.north_A", "epoch": 1763712000123, "sequence": 4711}
TIMES = {"capture_time_us": 1763712345678901, "time_source": "rtcp", "encode_time_us": 1763712345700002}
SOURCE = {"source_width": 1920, "source_height": 1080}
LINEAGE = {
    "bundle_name": "halfsight-lite0", "bundle_version": "0.1.0", "bundle_digest": "ab" * 32,
    "head_task": "detection", "head_version": "1", "head_digest": "ef" * 32, "rate_point": 1, "table_hash": "0123456789abcdef",
    "bitstream_bytes": 7654,
}
FRAME_ID = "gate-2.north_A-1763712000123-4711"
RESULT = {"frame_id": FRAME_ID, **IDENTITY, **TIMES, "infer_time_us": 1763712345800003, **SOURCE, "status": "ok", "redrives": 2, "lineage": LINEAGE}
VALUES = {
    "frame": {
        **IDENTITY, **TIMES, "encode_duration_us": 21000, **SOURCE, "input_width": 416, "input_height": 416,
        "content": {"x": 0, "y": 91, "width": 416, "height": 234}, "bundle_name": "halfsight-lite0",
        "bundle_version": "0.1.0", "bundle_digest": bytes(range(32)), "rate_point": 1,
        "dropped": {"encoder-busy": 12}, "heads": ["detection", "segmentation"], "bitstream": bytes([0x48, 0x53, 1, 0, 255]),
    },
    "classification": {**RESULT, "classifications": [
        {"class_id": 281, "label": "tabby", "score": 0.625}, {"class_id": 282, "label": "tiger cat", "score": 0.25}]},
    "detection": {**RESULT, "bbox_format": "xyxy_normalized", "detections": [
        {"class_id": 0, "label": "person", "score": 0.875,
         "box": {"x_min": 0.125, "y_min": 0.25, "x_max": 0.5, "y_max": 0.75}}]},
    "segmentation": {**RESULT, "status": "shed", "mask_frame": "source", "masks": [
        {"class_id": 15, "label": "Person: \u00e9\u4eba", "area_fraction": 0.5,
         "mask": {"height": 1, "width": 2, "counts": "11"}}]},
    "dead-letter": {
        "reason": "record-truncated", "detail": "frame record ends after 12 bytes, in camera_id.", "frame_id": None,
        "camera_id": "gate-2.north_A", "origin_topic": "halfsight.camera.frame.v1", "origin_partition": 3,
        "origin_offset": 9007199254740990, "origin_timestamp_ms": 1763712345701, "origin_key": b"gate-2.north_A",
        "origin_headers": {"frame-id": FRAME_ID.encode()}, "origin_value": b"\xc3\x01\x00",
        "origin_bytes": 3, "consumer": "halfsight-inference", "failed_time_us": 1763712345800003,
        "bundle_digest": "cd" * 32, "bundle_name": "halfsight-lite0", "bundle_version": "0.1.0",
        "stack": "TypeError: x is not a function\n    at decode (decode.ts:1:2)", "redrives": 1,
    },
    "dead-letter-action": {
        "action": "discarded", "letter_partition": 3, "letter_offset": 9007199254740990, "number": 17, "frame_id": FRAME_ID,
        "note": "camera was replaced", "by": "ops@host-1", "time_us": 1763712345900005,
    },
    "head-shadow": {
        "task": "detection", "live_version": "1", "live_digest": "", "shadow_version": "2", "shadow_digest": "ef" * 32,
        "bundle_digest": "ab" * 32, "consumer": "halfsight-inference@host-1-4711-1763712000123", "frames": 9007199254740990,
        "left_out": 12, "failed": 1, "sums": {"matched": 3.5}, "since_time_us": 1763712300000001, "time_us": 1763712345900005,
    },
    "camera-status": {
        "camera_id": "gate-2.north_A", "epoch": 1763712000123, "agent_id": "agent-1", "state": "online",
        "captured": 4712, "published": 4700, "dropped": {"encoder-busy": 12}, "reconnects": 2,
        "last_frame_time_us": 1763712345678901, "frames_per_second": 9.5, "time_us": 1763712345900004, "final": False,
        "detail": "", "interrupted": True, "rate_point": 2, "frames_per_second_limit": 2.5, "profile_changes": 3,
        "sends_pictures": True,
    },
    "preview": {
        "camera_id": "gate-2.north_A", "capture_time_us": 1763712345678901, "width": 320, "height": 180,
        "jpeg": bytes([0xFF, 0xD8, 0xFF, 0xE0, 0, 1]),
    },
}

# What only the last versions can say.
LATER = {("classification", "v4"): {"status": "unwanted"}}


def as_json(value):
    if isinstance(value, bytes):
        return {"hex": value.hex()}
    if isinstance(value, dict):
        return {key: as_json(item) for key, item in value.items()}
    return [as_json(item) for item in value] if isinstance(value, list) else value


def main():
    fingerprints, records = [], []
    for path in sorted(HISTORY.glob("*/v*.avsc")):
        name = path.parent.name
        schema = parse_schema(json.loads(path.read_text()))
        code = fingerprint(to_parsing_canonical_form(schema), "CRC-64-AVRO")
        fingerprints.append({"name": name, "version": path.stem, "fingerprint": code,
                             "canonicalForm": to_parsing_canonical_form(schema)})
        body = BytesIO()
        value = {**VALUES[name], **LATER.get((name, path.stem), {})}
        fastavro.schemaless_writer(body, schema, value)
        # fastavro gives the fingerprint's 8 bytes in the order of the single-object header.
        record = "c301" + code + body.getvalue().hex()
        records.append({"name": name, "version": path.stem, "record": record, "value": as_json(value)})
    # Schemas with what the canonical form has to drop, expand or reorder.
    samples = ['"null"', '"int"', '{"type":"fixed","name":"foo","size":15}',
               '{"type":"record","name":"foo","namespace":"x.y","doc":"d","fields":[{"name":"f1","type":"boolean"}]}',
               '{"type":"enum","name":"a.b.Foo","symbols":["A1","A2"],"default":"A1"}',
               '{"type":"array","items":["null",{"type":"map","values":{"type":"enum","name":"Test","symbols":["A","B"]}}]}',
               '{"type":"record","name":"Node","namespace":"p","fields":[{"name":"next","type":["null","Node"],"default":null},'
               '{"name":"q","type":{"type":"fixed","name":"Q","namespace":"r","size":2}},{"name":"s","type":"r.Q"}]}']
    samples = [{"schema": json.loads(text), "fingerprint": fingerprint(to_parsing_canonical_form(json.loads(text)), "CRC-64-AVRO")}
               for text in samples]
    result = {"provenance": f"written by make-avro-records.py with fastavro {fastavro.__version__}",
              "samples": samples, "fingerprints": fingerprints, "records": records}
    (Path(__file__).parent / "avro-records.json").write_text(json.dumps(result, indent=1) + "\n")


main()
