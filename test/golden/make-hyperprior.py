"""Writes compressai-hyperprior.json: small scale and mean-scale hyperpriors of the real CompressAI.

    pip install compressai==1.2.8 && python make-hyperprior.py > compressai-hyperprior.json

Untrained weights, from a seed, spread so that the scales reach from below the scale table's first
entry to far up. What matters here is the coding, not the picture. The scale table is shorter than
CompressAI's default one (64 entries from 0.11 to 256), for a small file.
"""

import json
import platform
import struct

import compressai
import torch
from compressai.models import MeanScaleHyperprior, ScaleHyperprior
from compressai.models.google import get_scale_table


def tables(model) -> dict:
    sizes = model._cdf_length.tolist()
    cdfs = [row[:size] for row, size in zip(model._quantized_cdf.tolist(), sizes)]
    return {"offsets": model._offset.tolist(), "sizes": sizes, "cdfs": cdfs}


def float_bits(values) -> str:
    """float32, little-endian, hex."""
    flat = values.flatten().tolist()
    return struct.pack(f"<{len(flat)}f", *flat).hex()


def vector(kind, seed: int) -> dict:
    torch.manual_seed(seed)
    model = kind(N=4, M=6).eval()
    with torch.no_grad():
        for layer in model.g_a:
            if hasattr(layer, "weight"):
                layer.weight *= 3.0
        for layer in [*model.h_a, *model.h_s]:
            if hasattr(layer, "weight"):
                layer.weight *= 3.0
        model.update(scale_table=get_scale_table(0.11, 24.0, 32), force=True)
        y = model.g_a(torch.rand(1, 3, 128, 128))
        z = model.h_a(torch.abs(y) if kind is ScaleHyperprior else y)
        z_strings = model.entropy_bottleneck.compress(z)
        z_symbols = model.entropy_bottleneck.quantize(
            z, "symbols", model.entropy_bottleneck._get_medians().reshape(1, -1, 1, 1)
        )
        z_hat = model.entropy_bottleneck.decompress(z_strings, z.size()[-2:])
        params = model.h_s(z_hat)
        scales, means = (params, None) if kind is ScaleHyperprior else params.chunk(2, 1)
        conditional = model.gaussian_conditional
        indexes = conditional.build_indexes(scales)
        y_strings = conditional.compress(y, indexes, means=means)
        y_symbols = conditional.quantize(y, "symbols", means)
        back = conditional.decompress(y_strings, indexes, means=means)
        assert torch.equal(back, y_symbols + (0 if means is None else means))
        return {
            "model": kind.__name__,
            "side": {
                "shape": list(z_symbols.shape[1:]),
                "tables": tables(model.entropy_bottleneck),
                "symbols": z_symbols.flatten().int().tolist(),
                "string": z_strings[0].hex(),
            },
            "main": {
                "shape": list(y_symbols.shape[1:]),
                "scales_float32": float_bits(scales),
                "indexes": indexes.flatten().tolist(),
                "symbols": y_symbols.flatten().int().tolist(),
                "string": y_strings[0].hex(),
            },
            "scale_table_float32": float_bits(conditional.scale_table),
            "main_tables": tables(conditional),
        }


def main() -> None:
    vectors = [vector(ScaleHyperprior, 1), vector(MeanScaleHyperprior, 2)]
    # Both models have the same Gaussian tables: they are kept once.
    main_tables = [v.pop("main_tables") for v in vectors]
    assert main_tables[0] == main_tables[1]
    print(
        json.dumps(
            {
                "provenance": f"written by make-hyperprior.py with compressai {compressai.__version__}, "
                f"torch {torch.__version__}, python {platform.python_version()}",
                "main_tables": main_tables[0],
                "vectors": vectors,
            }
        )
    )


if __name__ == "__main__":
    main()
