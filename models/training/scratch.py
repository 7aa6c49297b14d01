"""Trains a small bundle from random weights on a CPU, from pictures to the exported folder.

    npm run train -- --out BUNDLE                       # synthetic scenes alone
    npm run train -- --out BUNDLE --pictures PHOTOS     # and unlabelled photos

Everything is drawn from the seed and the schedule counts steps: the same command gives the same
tables on the same machine. Views and checkpoints go to --work (default BUNDLE-work, about 1 GB);
after an interruption the same command with --resume goes on.
"""

from __future__ import annotations

import argparse
import json
import math
import subprocess
import sys
import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import torch

from bundling.graphs import session
from bundling.tables import RateTable, count_tables
from training.architectures import ARCHITECTURES
from training.card import Report, write_card, write_curves
from training.export import BundleSpec, export_graphs, mean_bytes, symbols_of, write_bundle
from training.parity import Parity, compare_symbols
from training.prepare import Store, label
from training.run import Batches, Run, Source, optimiser_for
from training.scenes import store_scenes
from training.stages import ScratchModel, Stage, crop_and_change, groups_of, losses_of
from training.teachers import Unsplit
from training.variants import VARIANTS, Variant, flat_table

REPOSITORY = Path(__file__).resolve().parents[2]
THREADS = 2  # Fixed: another number of threads adds up in another order.
PICTURE_ENDINGS = (".jpg", ".jpeg", ".png", ".webp")
FIELDS = ("pixels", "content", "detection", "segmentation")
CALIBRATION_BATCHES = 4
COUNTED_VIEWS = 160  # Of each source, for the tables.
PARITY_VIEWS = 8
GRADIENT_MOST = 1.0  # At 5 the first steps throw random layers about, and a hundred are lost.


@dataclass(frozen=True)
class Preset:
    """How much of everything. `side` and the batches are of the cropped and the whole views."""

    steps: int
    scenes: int
    views: int
    side: int
    cropped_batch: int
    whole_batch: int


PRESETS = {
    "quick": Preset(steps=160, scenes=64, views=64, side=160, cropped_batch=4, whole_batch=2),
    "small": Preset(steps=1200, scenes=300, views=400, side=192, cropped_batch=8, whole_batch=4),
}


class ScratchError(Exception):
    """Something the user can put right; the message says how."""


def make_scenes(folder: Path, count: int, seed: int) -> Path:
    """Runs the scene generator unless its pictures are there already."""
    if not (folder / "instances.json").exists():
        command = ["npm", "run", "--silent", "scenes", "--", "--out", str(folder.resolve())]
        command += ["--count", str(count), "--seed", str(seed)]
        try:
            subprocess.run(command, cwd=REPOSITORY, check=True, stdout=subprocess.DEVNULL)
        except (OSError, subprocess.CalledProcessError) as error:
            raise ScratchError(
                f"The scene generator did not run ({error}). Install Node.js, or make the scenes "
                "elsewhere with `npm run scenes -- --out FOLDER` and pass --scenes FOLDER."
            ) from error
    return folder


def list_folders(folders: list[Path]) -> list[Path]:
    """Pictures below the folders, sorted, so that order does not depend on the file system."""
    found = sorted(
        path for folder in folders for path in folder.rglob("*")
        if path.suffix.lower() in PICTURE_ENDINGS
    )  # fmt: skip
    if folders and not found:
        names = ", ".join(str(folder) for folder in folders)
        raise ScratchError(f"No pictures ({', '.join(PICTURE_ENDINGS)}) below {names}.")
    return found


def prepare(args: argparse.Namespace, preset: Preset) -> list[Source]:
    """Views of scenes, with their truth, and of pictures, with the teachers' answers if any."""
    scenes = args.scenes or make_scenes(args.work / "scenes", preset.scenes, args.seed)
    store_scenes(scenes, args.work / "scene-views", copies=1, seed=args.seed)
    sources = [Source(Store(args.work / "scene-views"), 1.0)]
    pictures = list_folders(args.pictures)
    if pictures:
        store = Store(args.work / "views", preset.views)
        label({"diverse": pictures}, store, preset.views, args.seed, args.teachers)
        labelled = args.teachers is not None
        sources = [replace(sources[0], share=0.35), Source(store, 0.65, labelled)]
    return sources


def architecture_of(args: argparse.Namespace) -> str:
    """A variant that is about its encoder brings its own."""
    return VARIANTS[args.variant].architecture or args.architecture


class Training:
    """One variant's stages over one set of sources."""

    def __init__(self, args: argparse.Namespace, preset: Preset, variant: Variant) -> None:
        self.args, self.preset, self.variant = args, preset, variant
        self.sources = prepare(args, preset)
        self.teacher = Unsplit().eval()
        for parameter in self.teacher.parameters():
            parameter.requires_grad_(False)
        self.architecture = ARCHITECTURES[architecture_of(args)]

    def batches(self, stage: Stage) -> Batches:
        points = len(self.variant.rate_points)
        size = self.preset.cropped_batch if stage.is_cropped else self.preset.whole_batch
        change = partial(crop_and_change, self.preset.side) if stage.is_cropped else None
        # Crops are for the maps alone, and so are pictures without truth but for the classifier.
        fields = FIELDS[:2] if stage.is_cropped else FIELDS
        place = self.variant.stages.index(stage)
        seed = self.args.seed * 1000 + place
        return Batches(self.sources, size, seed, fields, [1 / points] * points, change)

    def model(self, stage: Stage) -> ScratchModel:
        """The model as the stage begins."""
        torch.manual_seed(self.args.seed)
        points, (low, high) = len(self.variant.rate_points), self.variant.symbol_range
        model = ScratchModel(self.architecture, points, low, high)
        if stage.after is None:
            model.start_from(self.teacher)
            drawn = self.batches(stage)
            some = (drawn.draw(index) for index in range(CALIBRATION_BATCHES))
            model.calibrate(self.teacher, some, self.variant.fixed_step)
        else:
            model.load_state_dict(self.weights(stage.after))
        return model

    def weights(self, stage: str) -> dict[str, torch.Tensor]:
        return torch.load(self.args.work / f"{stage}.pt", weights_only=True)

    def run(self, stage: Stage) -> None:
        steps = max(1, round(self.preset.steps * stage.share))
        model, batches = self.model(stage), self.batches(stage)
        weights = torch.tensor(self.variant.rate_weights)

        def losses(step: int) -> dict[str, torch.Tensor]:
            noise = torch.Generator().manual_seed(batches.seed * 1_000_003 + step)
            return losses_of(model, self.teacher, stage, weights, batches(step), noise)

        optimiser = optimiser_for(model, groups_of(model, stage))
        run = Run(
            self.args.work / f"{stage.name}.pt", model, optimiser, losses, steps=steps,
            log_steps=max(1, math.ceil(steps / 25)), gradient_most=GRADIENT_MOST,
        )  # fmt: skip
        run.go()
        print(f"{stage.name}: {steps} steps in {run.minutes * 60:.0f} s", flush=True)

    def counted(self) -> Iterator[np.ndarray]:
        """Whole views for the tables; those of pictures, when there are any, come last."""
        for source in self.sources:
            for index in range(min(COUNTED_VIEWS, source.store.count())):
                yield np.asarray(source.store.arrays["pixels"][index])

    def tables(self, symbols: list[np.ndarray]) -> list[RateTable]:
        """Counted, since a histogram of real symbols codes them in no more bits than any prior."""
        if self.variant.fixed_step is None:
            return [count_tables(latents) for latents in symbols]
        low, high = self.variant.symbol_range
        return [flat_table(self.architecture.channels, low, high)]

    def description(self) -> str:
        """What it is and how little it was trained, for whoever sees it in a table of others."""
        views = sum(source.store.count() for source in self.sources)
        return f"{self.variant.description} Trained for {self.preset.steps} steps on {views} views."

    @torch.no_grad()
    def export(self, folder: str, stage: str, tasks: tuple[str, ...]) -> tuple[Path, Parity]:
        """Writes one bundle; returns where, and how its symbols compare with PyTorch's."""
        model = self.model(self.variant.stages[0])
        model.load_state_dict(self.weights(stage))
        out = self.args.out / folder
        name = "-".join(filter(None, (self.args.out.resolve().name, folder)))
        spec = BundleSpec(
            name=name, version="0.1.0", description=self.description(),
            channels=self.architecture.channels, stride=self.architecture.stride,
            rate_points=self.variant.rate_points,
            default_rate_point=self.variant.default_rate_point, tasks=tasks,
        )  # fmt: skip
        fresh = self.args.work / f"bundle-{stage}"
        fresh.mkdir(exist_ok=True)
        export_graphs(model.eval(), spec, fresh)
        encoder = session(fresh / "encoder.onnx")
        views = list(self.counted())
        symbols = symbols_of(encoder, views, len(spec.rate_points))
        tables = self.tables(symbols)
        some = [latents[-PARITY_VIEWS:] for latents in symbols]
        parity = compare_symbols(model, views[-PARITY_VIEWS:], some)
        last = min(COUNTED_VIEWS, self.sources[-1].store.count())
        typical = [mean_bytes(t, latents[-last:]) for t, latents in zip(tables, symbols)]
        write_bundle(fresh, spec, tables, typical, out)
        return out, parity


def check_work(args: argparse.Namespace) -> None:
    """Refuses to mix two runs in one folder."""
    kept = {
        name: str(value) for name, value in vars(args).items() if name not in ("resume", "work")
    }
    path = args.work / "settings.json"
    if not path.exists():
        args.work.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(kept, indent=1))
        return
    if not args.resume:
        raise ScratchError(f"{args.work} holds a run. Add --resume to go on, or remove the folder.")
    before = json.loads(path.read_text())
    changed = [name for name in kept if kept[name] != before.get(name)]
    if changed:
        raise ScratchError(
            f"{args.work} holds a run with other settings ({', '.join(changed)}). "
            "Resume with the same ones, or choose another --work."
        )


def train(args: argparse.Namespace) -> list[tuple[Path, Parity]]:
    """The whole way; returns each bundle's folder and how its symbols compare with PyTorch's."""
    begun = time.monotonic()
    args.work = args.work or args.out.with_name(args.out.name + "-work")
    check_work(args)
    torch.set_num_threads(THREADS)
    torch.use_deterministic_algorithms(True)
    variant = VARIANTS[args.variant]
    preset = PRESETS[args.preset]
    if args.steps is not None:
        preset = replace(preset, steps=args.steps)
    training = Training(args, preset, variant)
    print(f"views ready after {time.monotonic() - begun:.0f} s", flush=True)
    for stage in variant.stages:
        training.run(stage)
    bundles = []
    for folder, stage, tasks in variant.outputs:
        out, parity = training.export(folder, stage, tasks)
        logs = [args.work / f"{s.name}.csv" for s in variant.stages]
        write_curves(logs, out)
        seconds = time.monotonic() - begun
        report = Report(args, architecture_of(args), preset.steps, seconds, parity, logs)
        write_card(out, report)
        bundles.append((out, parity))
        print(f"{out}: {parity.describe()}", flush=True)
    print(f"done in {time.monotonic() - begun:.0f} s")
    return bundles


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--out", type=Path, required=True, help="the bundle's folder")
    add("--work", type=Path, help="views and checkpoints (default: OUT-work)")
    add("--pictures", type=Path, action="append", default=[], help="unlabelled; may be repeated")
    add("--scenes", type=Path, help="as `npm run scenes` writes them (default: made here)")
    add("--teachers", type=Path, help="folder of yolox_nano.onnx and deeplabv3_mnv2_voc.onnx")
    add("--architecture", choices=("lean", "ladon", "stride8"), default="lean")
    add("--variant", choices=tuple(VARIANTS), default="ladon")
    add("--preset", choices=tuple(PRESETS), default="small")
    add("--steps", type=int, help="instead of the preset's")
    add("--seed", type=int, default=1)
    add("--resume", action="store_true")
    return parser.parse_args(arguments)


def main() -> None:
    warnings.filterwarnings("ignore", module="torch")  # The exporter's, about its own insides.
    try:
        train(parse(sys.argv[1:]))
    except ScratchError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
