"""A head alone, for consumers that run a bundle already (`models/added-head.ts`).

python models/run.py bundling.head --bundle models/bundles/halfsight-lite0 \\
    --task detection --version 2 --onnx mine.onnx --out detection-2

Takes what bundle.json says of its own head of that task, with another file and version; `--set`
changes more of it. It was trained on what the bundle's body.onnx makes, takes the same inputs, and
has outputs of the same names. Needs nothing but Python.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path


def digest_of(path: Path) -> dict[str, object]:
    data = path.read_bytes()
    return {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}


def write_head(bundle: Path, head: dict[str, object], onnx: Path, labels: Path, out: Path) -> None:
    """`head`: as in bundle.json; its `file` and `labels` are set here. head.json comes last."""
    manifest = json.loads((bundle / "bundle.json").read_text())
    origin = {"name": manifest["name"]}
    for part in ("body", "tables"):
        origin[part] = manifest["files"][manifest[part]["file"]]["sha256"]
    out.mkdir(parents=True)
    for source in (onnx, labels):
        shutil.copyfile(source, out / source.name)
    content = {
        "format": "halfsight-head/1",
        "bundle": origin,
        "head": head | {"file": onnx.name, "labels": labels.name},
        "files": {source.name: digest_of(out / source.name) for source in (onnx, labels)},
    }
    (out / "head.json").write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n")


def own_head(bundle: Path, task: str) -> dict[str, object]:
    heads = json.loads((bundle / "bundle.json").read_text())["heads"]
    for head in heads:
        if head["task"] == task:
            return head
    sys.exit(f"{bundle} has no head for {task}: it has {', '.join(h['task'] for h in heads)}.")


def change(text: str) -> tuple[str, object]:
    key, _, value = text.partition("=")
    try:
        return key, json.loads(value)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text} is not KEY=JSON, as scoreMin=0.4 is") from None


def parser() -> argparse.ArgumentParser:
    words = argparse.ArgumentParser(prog="python models/run.py bundling.head")
    words.add_argument("--bundle", type=Path, required=True, help="what the consumers run")
    words.add_argument("--task", required=True, help="classification, detection or segmentation")
    words.add_argument("--version", required=True, help="another than the bundle's own head has")
    words.add_argument("--onnx", type=Path, required=True, help="the head's network")
    words.add_argument("--labels", type=Path, help="JSON list of names; default the bundle's")
    words.add_argument("--set", type=change, action="append", default=[], metavar="KEY=JSON",
                       help="what else is different, scoreMin=0.4 for example")  # fmt: skip
    words.add_argument("--out", type=Path, required=True, help="a folder that is made")
    return words


def main(words: Sequence[str] | None = None) -> None:
    said = parser().parse_args(words)
    own = own_head(said.bundle, said.task)
    labels = said.labels or said.bundle / str(own["labels"])
    for path in (said.onnx, labels):
        if not path.is_file():
            sys.exit(f"{path} is no file.")
    if said.out.exists():
        sys.exit(f"{said.out} is there already.")
    head = own | dict(said.set) | {"task": said.task, "version": said.version}
    write_head(said.bundle, head, said.onnx, labels, said.out)
    print(f"{said.out}: npx halfsight heads add {said.out}")


if __name__ == "__main__":
    main()
