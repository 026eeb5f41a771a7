"""Writes safetensors files from numpy arrays; bf16 is numpy's uint16 beside the name of the type."""
import json
import struct

import numpy as np


def to_bf16(array):
    """Rounded to nearest even, as uint16 words."""
    bits = np.ascontiguousarray(array, np.float32).view(np.uint32).astype(np.uint64)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype(np.uint16)


def from_bf16(words):
    return (words.astype(np.uint32) << 16).view(np.float32)


def write(path, tensors, bf16=False):
    """tensors: name -> array. Integers are stored as I32, the rest as F32 or BF16."""
    header, blobs, offset = {}, [], 0
    for name, array in tensors.items():
        array = np.asarray(array)
        if array.dtype.kind == "i":
            dtype, data = "I32", array.astype("<i4").tobytes()
        elif bf16:
            dtype, data = "BF16", to_bf16(array).astype("<u2").tobytes()
        else:
            dtype, data = "F32", array.astype("<f4").tobytes()
        header[name] = {"dtype": dtype, "shape": list(array.shape), "data_offsets": [offset, offset + len(data)]}
        offset += len(data)
        blobs.append(data)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + b"".join(blobs))
