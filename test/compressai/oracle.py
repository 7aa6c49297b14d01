"""CompressAI's entropy coder behind a pipe: a JSON request a line in, a JSON answer a line out.

    {"do": "encode", "symbols": [...], "indexes": [...], "cdfs": [[...]], "sizes": [...],
     "offsets": [...]}                                      -> {"value": "hex"}
    {"do": "decode", "encoded": "hex", "indexes": [...], ...}  -> {"value": [...]}
    {"do": "quantize", "pmf": [...], "precision": 16}       -> {"value": [...]}

An action that raises answers {"error": "..."}. Ends when its input does, and so with whoever
started it, however that one ends. PYTHONPATH has to name what prepare.ts made.
"""

from answers import answer_all
from compressai import _CXX
from compressai.ans import RansDecoder, RansEncoder


def encode(symbols, indexes, cdfs, sizes, offsets):
    return RansEncoder().encode_with_indexes(symbols, indexes, cdfs, sizes, offsets).hex()


def decode(encoded, indexes, cdfs, sizes, offsets):
    data = bytes.fromhex(encoded)
    return RansDecoder().decode_with_indexes(data, indexes, cdfs, sizes, offsets)


def quantize(pmf, precision):
    return _CXX.pmf_to_quantized_cdf(pmf, precision)


answer_all({"encode": encode, "decode": decode, "quantize": quantize})
