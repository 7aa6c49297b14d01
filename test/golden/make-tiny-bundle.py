"""Writes tiny-bundle/ and tiny-bundle-parity.json: a bundle of a few kilobytes for fast tests.

    python test/golden/make-tiny-bundle.py        (needs numpy, onnx, onnxruntime, compressai)

Every number in it is exact in float32 (sums of bytes, scaled by powers of two), so all platforms
give the same latents and the same results, and tests can predict them:

    latent channel 0, 1, 2   mean R, G, B of each 8x8 block, channel 3 its brightness R/4 + G/2 + B/4;
                             symbol = round half to even((mean - 128) / step), step 8 or 16
    body                     mean' = symbol * step + 128; s16 and s32 are 2x2 averages of s8 and s16
    classification           b = brightness of the frame / 256, a = area of the content / area of the input:
                             dark 0.75 (1 - b), bright 0.75 b, picture 0.25 a
    detection                one box a quadrant, score = its brightness / 256; classes person, car, dog,
                             person for top left, top right, bottom left, bottom right
    segmentation             32x32 map: bright where a block's brightness >= 160, dark where <= 64
"""

import hashlib
import json
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from compressai.ans import RansDecoder, RansEncoder
from onnx import TensorProto as T
from onnx import helper as h
from onnx import numpy_helper

HERE = Path(__file__).parent
BUNDLE = HERE / "tiny-bundle"
SIDE, CHANNELS, GRID = 64, 4, 8
STEPS = [8.0, 16.0]


def constant(name, value, dtype=np.float32):
    return numpy_helper.from_array(np.array(value, dtype=dtype), name)


def save(name, nodes, inputs, outputs, constants):
    """inputs and outputs: (name, type, shape without the batch)."""
    values = [[h.make_tensor_value_info(n, t, ["N", *s]) for n, t, s in side] for side in (inputs, outputs)]
    graph = h.make_graph(nodes, name, *values, constants)
    model = h.make_model(graph, opset_imports=[h.make_opsetid("", 17)], producer_name="halfsight-tiny")
    model.ir_version = 8
    onnx.checker.check_model(model, full_check=True)
    (BUNDLE / name).write_bytes(model.SerializeToString(deterministic=True))


def step_nodes():
    """The step of each sample's rate point, as [N,1,1,1]."""
    return [
        h.make_node("Gather", ["steps", "rate_point"], ["step_flat"]),
        h.make_node("Unsqueeze", ["step_flat", "axes123"], ["step"]),
    ], [constant("steps", STEPS), constant("axes123", [1, 2, 3], np.int64)]


def make_encoder():
    steps, constants = step_nodes()
    mix = np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1], [0.25, 0.5, 0.25]], np.float32).reshape(4, 3, 1, 1)
    nodes = [
        h.make_node("Cast", ["image"], ["float"], to=T.FLOAT),
        h.make_node("Transpose", ["float"], ["planes"], perm=[0, 3, 1, 2]),
        h.make_node("AveragePool", ["planes"], ["blocks"], kernel_shape=[8, 8], strides=[8, 8]),
        h.make_node("Conv", ["blocks", "mix"], ["means"]),
        h.make_node("Sub", ["means", "middle"], ["centred"]),
        *steps,
        h.make_node("Div", ["centred", "step"], ["scaled"]),
        h.make_node("Round", ["scaled"], ["rounded"]),
        h.make_node("Cast", ["rounded"], ["latent"], to=T.INT32),
    ]
    save("encoder.onnx", nodes,
         [("image", T.UINT8, [SIDE, SIDE, 3]), ("rate_point", T.INT64, [])],
         [("latent", T.INT32, [CHANNELS, GRID, GRID])],
         [*constants, constant("mix", mix), constant("middle", 128)])


def make_body():
    steps, constants = step_nodes()
    pool = {"kernel_shape": [2, 2], "strides": [2, 2]}
    nodes = [
        h.make_node("Cast", ["latent"], ["float"], to=T.FLOAT),
        *steps,
        h.make_node("Mul", ["float", "step"], ["scaled"]),
        h.make_node("Add", ["scaled", "middle"], ["s8"]),
        h.make_node("AveragePool", ["s8"], ["s16"], **pool),
        h.make_node("AveragePool", ["s16"], ["s32"], **pool),
    ]
    save("body.onnx", nodes,
         [("latent", T.INT32, [CHANNELS, GRID, GRID]), ("rate_point", T.INT64, [])],
         [("s8", T.FLOAT, [4, 8, 8]), ("s16", T.FLOAT, [4, 4, 4]), ("s32", T.FLOAT, [4, 2, 2])],
         [*constants, constant("middle", 128)])


FEATURES = [("s8", T.FLOAT, [4, 8, 8]), ("s16", T.FLOAT, [4, 4, 4]), ("s32", T.FLOAT, [4, 2, 2])]
BRIGHTNESS = [constant("channel", [3], np.int64), constant("scale", 1 / 256), constant("zero", 0), constant("one", 1)]


def brightness_nodes(source, out):
    """The brightness channel of a feature map, over 256, within 0 and 1."""
    return [
        h.make_node("Gather", [source, "channel"], [f"{out}_raw"], axis=1),
        h.make_node("Mul", [f"{out}_raw", "scale"], [f"{out}_scaled"]),
        h.make_node("Clip", [f"{out}_scaled", "zero", "one"], [out]),
    ]


def make_classification():
    nodes = [
        *brightness_nodes("s32", "cells"),
        h.make_node("ReduceMean", ["cells"], ["b4"], axes=[2, 3], keepdims=0),
        h.make_node("Sub", ["one", "b4"], ["d"]),
        h.make_node("Split", ["content", "halves"], ["low", "high"], axis=1),
        h.make_node("Sub", ["high", "low"], ["sides"]),
        h.make_node("ReduceProd", ["sides"], ["area"], axes=[1], keepdims=1),
        h.make_node("Concat", ["d", "b4", "area"], ["all"], axis=1),
        h.make_node("Mul", ["all", "weights"], ["probabilities"]),
    ]
    save("head-classification.onnx", nodes,
         [("s32", T.FLOAT, [4, 2, 2]), ("content", T.FLOAT, [4])],
         [("probabilities", T.FLOAT, [3])],
         [*BRIGHTNESS, constant("halves", [2, 2], np.int64), constant("weights", [0.75, 0.75, 0.25])])


def make_detection():
    half = SIDE / 2
    boxes = [[x, y, x + half, y + half] for y in (0, half) for x in (0, half)]
    nodes = [
        *brightness_nodes("s32", "cells"),
        h.make_node("Flatten", ["cells"], ["scores"], axis=1),
        h.make_node("Shape", ["s32"], ["batch"], start=0, end=1),
        h.make_node("Concat", ["batch", "box_shape"], ["boxes_shape"], axis=0),
        h.make_node("Expand", ["box_list", "boxes_shape"], ["boxes"]),
        h.make_node("Concat", ["batch", "class_shape"], ["classes_shape"], axis=0),
        h.make_node("Expand", ["class_list", "classes_shape"], ["classes"]),
    ]
    save("head-detection.onnx", nodes, FEATURES,
         [("boxes", T.FLOAT, [4, 4]), ("scores", T.FLOAT, [4]), ("classes", T.INT32, [4])],
         [*BRIGHTNESS, constant("box_list", [boxes]), constant("class_list", [[0, 1, 2, 0]], np.int32),
          constant("box_shape", [4, 4], np.int64), constant("class_shape", [4], np.int64)])


def make_segmentation():
    nodes = [
        *brightness_nodes("s8", "cells"),
        h.make_node("GreaterOrEqual", ["cells", "bright_from"], ["is_bright"]),
        h.make_node("LessOrEqual", ["cells", "dark_to"], ["is_dark"]),
        h.make_node("Where", ["is_dark", "two", "zero"], ["dark"]),
        h.make_node("Where", ["is_bright", "one", "dark"], ["map"]),
        h.make_node("Resize", ["map", "", "scales"], ["large"], mode="nearest"),
        h.make_node("Squeeze", ["large", "axis1"], ["flat"]),
        h.make_node("Cast", ["flat"], ["class_map"], to=T.UINT8),
    ]
    save("head-segmentation.onnx", nodes, FEATURES, [("class_map", T.UINT8, [32, 32])],
         [*BRIGHTNESS, constant("bright_from", 160 / 256), constant("dark_to", 64 / 256), constant("two", 2),
          constant("scales", [1, 1, 4, 4]), constant("axis1", [1], np.int64)])


def make_tables():
    """A discrete triangle around 0, each slot at least one part in 65536; finer steps spread wider."""
    rate_points = []
    for reach in (16, 8):
        weights = [reach + 1 - abs(symbol) for symbol in range(-reach, reach + 1)]
        total = sum(weights)
        cdf = [0]
        for weight in weights:
            cdf.append(cdf[-1] + weight * 65000 // total)
        cdf.append(65536)
        rate_points.append({
            "offsets": [-reach] * CHANNELS, "sizes": [len(cdf)] * CHANNELS, "cdfs": [cdf] * CHANNELS,
        })
    return {"precision": 16, "ratePoints": rate_points}


def table_hash(rate_point):
    digest = hashlib.sha256()
    for offset, size, cdf in zip(rate_point["offsets"], rate_point["sizes"], rate_point["cdfs"]):
        digest.update(np.array([offset, size, *cdf], "<i4").tobytes())
    return digest.hexdigest()


def write_json(path, value, indent=None):
    path.write_text(json.dumps(value, indent=indent) + "\n")


def write_bundle():
    BUNDLE.mkdir(exist_ok=True)
    make_encoder()
    make_body()
    make_classification()
    make_detection()
    make_segmentation()
    tables = make_tables()
    write_json(BUNDLE / "tables.json", tables)
    write_json(BUNDLE / "labels-classification.json", ["dark", "bright", "picture"])
    write_json(BUNDLE / "labels-detection.json", ["person", "car", "dog"])
    write_json(BUNDLE / "labels-segmentation.json", ["background", "bright", "dark"])
    files = sorted(path for path in BUNDLE.iterdir() if path.name != "bundle.json")
    manifest = {
        "format": "halfsight-bundle/1", "name": "tiny", "version": "0.1.0",
        "description": "For tests: exact arithmetic on block averages. Sees brightness, nothing else.",
        "license": "Apache-2.0", "created": "2026-11-21",
        "input": {"width": SIDE, "height": SIDE, "layout": "NHWC", "dtype": "uint8", "colour": "RGB",
                  "letterbox": {"anchor": "centre", "fill": [127, 127, 127]}},
        "latent": {"channels": CHANNELS, "stride": 8, "dtype": "int32"},
        "encoder": {"file": "encoder.onnx", "image": "image", "ratePoint": "rate_point", "latent": "latent"},
        "tables": {"file": "tables.json"},
        "ratePoints": [
            {"index": index, "name": name, "tableHash": table_hash(tables["ratePoints"][index]), "typicalBytes": size}
            for index, (name, size) in enumerate([("fine", 180), ("coarse", 150)])
        ],
        "defaultRatePoint": 0,
        "body": {"file": "body.onnx", "latent": "latent", "ratePoint": "rate_point", "features": ["s8", "s16", "s32"]},
        "heads": [
            {"task": "classification", "version": "1", "file": "head-classification.onnx", "inputs": ["s32", "content"],
             "outputs": {"probabilities": "probabilities"}, "labels": "labels-classification.json", "topK": 3},
            {"task": "detection", "version": "1", "file": "head-detection.onnx", "inputs": ["s8", "s16", "s32"],
             "outputs": {"boxes": "boxes", "scores": "scores", "classes": "classes"},
             "labels": "labels-detection.json", "scoreMin": 0.3, "iouMax": 0.6},
            {"task": "segmentation", "version": "1", "file": "head-segmentation.onnx", "inputs": ["s8", "s16", "s32"],
             "outputs": {"classMap": "class_map"}, "labels": "labels-segmentation.json", "background": 0},
        ],
        "files": {
            path.name: {"sha256": hashlib.sha256(path.read_bytes()).hexdigest(), "bytes": path.stat().st_size}
            for path in files
        },
    }
    write_json(BUNDLE / "bundle.json", manifest, indent=1)
    return tables


def lcg_image(seed):
    """s = s * 1664525 + 1013904223 mod 2^32 for each byte in row, column, channel order; byte = s >> 24,
    then halved and 128 added in the right half of the picture, so that there is something to see."""
    state, values = seed, np.empty(SIDE * SIDE * 3, np.uint8)
    for index in range(values.size):
        state = (state * 1664525 + 1013904223) % 2**32
        values[index] = state >> 24
    image = values.reshape(SIDE, SIDE, 3) // 2
    image[:, SIDE // 2:] += 128
    return image


def run(name, feeds):
    session = onnxruntime.InferenceSession(str(BUNDLE / name), providers=["CPUExecutionProvider"])
    outputs = [output.name for output in session.get_outputs()]
    wanted = {entry.name for entry in session.get_inputs()}
    return dict(zip(outputs, session.run(None, {k: v for k, v in feeds.items() if k in wanted})))


def write_parity(tables):
    cases = []
    for seed, rate_point in ((1, 0), (2, 1)):
        rate = np.array([rate_point], np.int64)
        latent = run("encoder.onnx", {"image": lcg_image(seed)[None], "rate_point": rate})["latent"]
        feeds = {**run("body.onnx", {"latent": latent, "rate_point": rate}),
                 "content": np.array([[0, 0.25, 1, 0.75]], np.float32)}
        table = tables["ratePoints"][rate_point]
        symbols = latent.reshape(-1).tolist()
        indices = np.repeat(np.arange(CHANNELS), GRID * GRID).tolist()
        coding = (indices, table["cdfs"], table["sizes"], table["offsets"])
        string = RansEncoder().encode_with_indexes(symbols, *coding)
        assert RansDecoder().decode_with_indexes(string, *coding) == symbols
        cases.append({
            "seed": seed, "ratePoint": rate_point, "content": [0, 0.25, 1, 0.75], "symbols": symbols,
            "rans": string.hex(),
            "probabilities": run("head-classification.onnx", feeds)["probabilities"][0].tolist(),
            "scores": run("head-detection.onnx", feeds)["scores"][0].tolist(),
            "classMap": run("head-segmentation.onnx", feeds)["class_map"][0][::4, ::4].tolist(),
        })
    provenance = f"onnxruntime {onnxruntime.__version__}, rANS by compressai.ans of CompressAI 1.2.8"
    write_json(HERE / "tiny-bundle-parity.json",
               {"provenance": f"written by make-tiny-bundle.py: {provenance}", "image": lcg_image.__doc__, "cases": cases})


if __name__ == "__main__":
    write_parity(write_bundle())
