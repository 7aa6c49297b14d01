"""A bundle's folder: JSON beside the graphs, digests in the manifest (`models/manifest.ts`)."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from bundling.tables import PRECISION, RateTable


def write_json(path: Path, value: object, indent: int | None = 1) -> None:
    path.write_text(json.dumps(value, indent=indent, ensure_ascii=False) + "\n")


def write_tables(folder: Path, tables: list[RateTable]) -> None:
    """`tables.json`: one entry a rate point, as `codec/tables.ts` reads it."""
    rows = [{"offsets": t.offsets, "sizes": t.sizes, "cdfs": t.cdfs} for t in tables]
    write_json(folder / "tables.json", {"precision": PRECISION, "ratePoints": rows}, None)


def write_folder(fresh: Path, manifest: dict[str, object], bundle: Path) -> None:
    """Adds bundle.json to the files in `fresh` and moves all of them into `bundle`.

    Moved file by file, the manifest last, so that a process that reads the folder at that moment
    meets at worst a digest mismatch. `manifest` lacks `files`, which is written here.
    """
    files = {}
    for path in sorted(p for p in fresh.iterdir() if p.name != "bundle.json"):
        data = path.read_bytes()
        files[path.name] = {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}
    write_json(fresh / "bundle.json", manifest | {"files": files})
    bundle.mkdir(parents=True, exist_ok=True)
    for name in [*files, "bundle.json"]:
        moved = bundle / f".{name}.new"
        moved.write_bytes((fresh / name).read_bytes())
        moved.replace(bundle / name)
