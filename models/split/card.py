"""What a finished bundle keeps of its models' answers, and the model card that says so."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from bundling.graphs import session
from bundling.tables import read_tables
from split.cuts import Cut
from split.executor import Executor
from split.member import Member, Wish
from split.pictures import whole_views


@dataclass(frozen=True)
class Kept:
    """One rate point on pictures the split never saw: mean bytes of the bitstream without its
    header, and for each model the share of its answers' variance that is lost."""

    bytes: float
    lost: list[float]


def measure(
    wish: Wish, members: list[Member], cuts: list[Cut], folder: Path, paths: list[Path]
) -> list[Kept]:
    """Runs the exported graphs against the untouched models."""
    encoder, body = session(folder / "encoder.onnx"), session(folder / "body.onnx")
    tables = read_tables(folder / "tables.json")
    tails = [Executor(member.model) for member in members]
    sizes = np.zeros(len(tables))
    errors, energies = np.zeros((len(tables), len(members))), np.zeros(len(members))
    views = list(whole_views(paths, wish.side, wish.fill, 1))
    for images in views:
        wanted = []
        for member, cut in zip(members, cuts, strict=True):
            with torch.no_grad():
                wanted.append(member.tail(member.stem(images, cut.tensor), cut.tensor))
        for point, table in enumerate(tables):
            rate_point = np.array([point], np.int64)
            latent = encoder.run(None, {"image": images.numpy(), "rate_point": rate_point})[0]
            sizes[point] += len(table.encode(latent[0])) / len(views)
            maps = body.run(None, {"latent": latent, "rate_point": rate_point})
            for index, member in enumerate(members):
                feeds = {cuts[index].tensor: torch.from_numpy(maps[index])}
                with torch.no_grad():
                    got = tails[index](feeds, [member.raw])[0]
                reference = member.answer.perceived(wanted[index], wanted[index])
                error = member.answer.perceived(got, wanted[index]) - reference
                errors[point, index] += float(error.square().mean())
                if point == 0:
                    energies[index] += float((reference - reference.mean()).square().mean())
    return [
        Kept(float(sizes[point]), (errors[point] / energies).tolist())
        for point in range(len(tables))
    ]


def write_card(
    wish: Wish, members: list[Member], cuts: list[Cut], kept: list[Kept], folder: Path,
    facts: dict[str, str],
) -> None:  # fmt: skip
    """README.md of the bundle."""
    tasks = [member.spec.task for member in members]
    rows = [
        f"| {index} | {row.bytes:.0f} | " + " | ".join(f"{lost:.4f}" for lost in row.lost) + " |"
        for index, row in enumerate(kept)
    ]
    models = [
        f"- {m.spec.task}: `{m.spec.file.name}`, cut at `{cut.tensor}` ({cut.channels} channels, "
        f"stride {cut.stride}); {cut.macs / 1e9:.2f} GMAC of it run on the camera."
        for m, cut in zip(members, cuts, strict=True)
    ]
    lines = [
        f"# {wish.name}", "",
        f"Made by splitting pretrained models (licence as given: {wish.licence}). Stems run on the "
        "camera, tails on the consumer; both are the models' own layers.", "",
        *models, "",
        *[f"- {name}: {value}" for name, value in facts.items()], "",
        "Share of each model's answers (variance of what its output says) lost on pictures that "
        "the split never saw, and mean bytes of the bitstream:", "",
        "| rate point | bytes | " + " | ".join(f"lost, {task}" for task in tasks) + " |",
        "|---|---|" + "---|" * len(tasks), *rows, "",
        "These shares compare rate points of one bundle. For accuracy on labelled pictures run "
        "`npm run evaluate -- --bundle <this folder> --data <COCO folder>` with the whole models "
        "as `--detector`, `--classifier` and `--segmenter`.", "",
        "Known weaknesses: the tables and the transform were counted on the pictures given; very "
        "different ones (night, noise) cost more bytes. A small model may run on the camera whole "
        "for less; the split pays when several or heavy models share the encoding, or when stored "
        "bitstreams are to be analysed again.",
    ]  # fmt: skip
    (folder / "README.md").write_text("\n".join(lines) + "\n")
