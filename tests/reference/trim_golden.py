"""Cuts the referee's outputs (seed_pair/golden.safetensors) down to what the tests carry in tests/data:
logits and greedy continuation of prompt 3, and the matrices, inputs and mixer outputs of layers 1 and 2 for prompt 1.
Usage: trim_golden.py path/to/golden.safetensors tests/data"""
import json
import struct
import sys

MODELS = ("teacher", "student-llamba", "student-hybrid")
LOGITS = ["ids.3"] + [f"{m}.{what}.3" for m in MODELS for what in ("logits", "greedy")]
MATRICES = {f"golden_layer{l}.safetensors": ["ids.1"] + [f"{m}.matrix.{l}.1" for m in MODELS] for l in (1, 2)}


def read(path):
    data = open(path, "rb").read()
    size = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8 : 8 + size])
    header.pop("__metadata__", None)
    return {k: (v["dtype"], v["shape"], data[8 + size + v["data_offsets"][0] : 8 + size + v["data_offsets"][1]])
            for k, v in header.items()}


def write(path, tensors):
    header, offset = {}, 0
    for name, (dtype, shape, data) in tensors.items():
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [offset, offset + len(data)]}
        offset += len(data)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + b"".join(data for _, _, data in tensors.values()))


golden = read(sys.argv[1])
for file, names in {"golden_logits.safetensors": LOGITS, **MATRICES}.items():
    write(f"{sys.argv[2]}/{file}", {name: golden[name] for name in names})
