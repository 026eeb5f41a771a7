"""Do models of the published sizes fit? Writes checkpoints of random bf16 weights with the exact names and shapes of
Llama-3.2-1B-Instruct, Llamba-1B and MambaInLlama1B into a temporary folder, one at a time (2.5 GB each), and has tandem-cli
describe them, decode and export a mixing matrix. Prints time and peak memory of each command; fails above 12 GiB. Needs numpy.

    python3 tests/reference/check_published_sizes.py build/release/bin/tandem-cli [--weights bf16] [--only llamba]
"""
import argparse
import json
import os
import pathlib
import struct
import sys
import tempfile
import time

import numpy as np

import tensors

LIMIT_GIB = 12
VOCAB, WIDTH, FF, LAYERS = 128256, 2048, 8192, 16
ATTENTION_LAYERS = [3, 7, 11, 15]  # which four of the sixteen is not published with the weights' sizes
TOKENIZER = pathlib.Path(__file__).resolve().parents[2] / "resources/models/seed-teacher"


def block(prefix):
    return {prefix + "input_layernorm.weight": [WIDTH], prefix + "post_attention_layernorm.weight": [WIDTH],
            prefix + "mlp.gate_proj.weight": [FF, WIDTH], prefix + "mlp.up_proj.weight": [FF, WIDTH],
            prefix + "mlp.down_proj.weight": [WIDTH, FF]}


def attention(prefix):
    return {prefix + f"self_attn.{name}_proj.weight": [rows, WIDTH]
            for name, rows in {"q": 2048, "k": 512, "v": 512, "o": 2048}.items()}


def mamba1(prefix):
    shapes = {"in_proj_x.weight": [512, WIDTH], "in_proj_z.weight": [2048, WIDTH], "B_proj.weight": [512, WIDTH],
              "C_proj.weight": [2048, WIDTH], "dt_proj_down.weight": [128, WIDTH], "dt_proj.weight": [2048, 128],
              "dt_proj.bias": [2048], "conv1d.weight": [2048, 1, 4], "conv1d.bias": [2048], "A_log": [2048, 16],
              "D": [2048], "out_proj.weight": [WIDTH, 2048]}
    return {prefix + "mamba." + name: shape for name, shape in shapes.items()}


def llamba(prefix):
    shapes = {"in_proj.weight": [8224, WIDTH], "z_bias": [2048], "conv1d.weight": [6144, 1, 4], "conv1d.bias": [6144],
              "D": [32], "out_proj.weight": [WIDTH, 2048]}
    return {prefix + "mixer." + name: shape for name, shape in shapes.items()}


LLAMA_CONFIG = {
    "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": WIDTH, "num_hidden_layers": LAYERS,
    "num_attention_heads": 32, "num_key_value_heads": 8, "head_dim": 64, "intermediate_size": FF, "vocab_size": VOCAB,
    "hidden_act": "silu", "rms_norm_eps": 1e-5, "tie_word_embeddings": True, "max_position_embeddings": 131072,
    "rope_theta": 500000.0, "eos_token_id": [128001, 128008, 128009],
    "rope_scaling": {"rope_type": "llama3", "factor": 32.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
                     "original_max_position_embeddings": 8192}}
HYBRID_CONFIG = {"d_model": WIDTH, "ssm_cfg": {"expand": 1}, "rms_norm_eps": 1e-5, "vocab_size": None, "d_inner": None,
                 "d_xb": 512, "intermediate_size": FF, "hidden_act": "silu", "n_layer": LAYERS,
                 "attn_layers": ATTENTION_LAYERS}
LLAMBA_CONFIG = {"model_type": "llamba", "vocab_size": VOCAB, "tie_embeddings": True, "pad_vocab_size_multiple": 8,
                 "lm_head_bias": False, "d_model": WIDTH, "n_layer": LAYERS, "norm_epsilon": 1e-5,
                 "mlp_cfg": {"intermediate_size": FF, "bias": False, "act_fn": "silu"},
                 "ssm_cfg": {"d_state": 64, "n_v_heads": 32, "n_qk_heads": 32, "expand": 1, "chunk_size": 128,
                             "activation": "identity", "bias": False}}


def models():
    def shapes(embedding, norm, layers, mixer_of):
        result = {embedding: [VOCAB, WIDTH], norm: [WIDTH]}
        for layer in range(LAYERS):
            result |= block(f"{layers}{layer}.") | mixer_of(layer)(f"{layers}{layer}.")
        return result
    names = ("model.embed_tokens.weight", "model.norm.weight", "model.layers.")
    yield ("llama", 1_235_814_400, {"config.json": LLAMA_CONFIG}, shapes(*names, lambda _: attention))
    yield ("llamba", 1_405_159_936, {"config.json": LLAMBA_CONFIG},
           shapes("backbone.embedding.weight", "backbone.final_layernorm.weight", "backbone.layers.", lambda _: llamba))
    yield ("mamba-in-llama", 1_293_002_752, {"config.json": LLAMA_CONFIG, "mamba_config.json": HYBRID_CONFIG},
           shapes(*names, lambda layer: attention if layer in ATTENTION_LAYERS else mamba1))


def write_weights(path, shapes):
    """Normal numbers of a trained model's size; one block of them over and over, as these are only to be moved about."""
    header, offset = {}, 0
    for name, shape in shapes.items():
        size = 2 * int(np.prod(shape))
        header[name] = {"dtype": "BF16", "shape": shape, "data_offsets": [offset, offset + size]}
        offset += size
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    rng = np.random.default_rng(1)
    noise = rng.standard_normal(1 << 22).astype(np.float32)
    small, ones = tensors.to_bf16(0.02 * noise), tensors.to_bf16(1 + 0.02 * noise)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for name, shape in shapes.items():
            block_of = ones if name.endswith("norm.weight") else small
            left, start = int(np.prod(shape)), int(rng.integers(0, 1 << 20))
            while left > 0:
                part = block_of[start:start + left]
                part.tofile(file)
                left, start = left - len(part), 0


def measure(command):
    start = time.monotonic()
    child = os.spawnv(os.P_NOWAIT, command[0], command)
    _, status, usage = os.wait4(child, 0)
    if status != 0:
        sys.exit(f"{' '.join(command)} failed")
    return time.monotonic() - start, usage.ru_maxrss / 2**20


def check(cli, weights, folder):
    common = [str(folder), "--tokenizer", str(TOKENIZER)]
    text = "Ava has 12 apples and gives 3 to Ben. How many apples does Ava have now?"
    commands = {"info": [cli, "info", str(folder), "--weights", weights],
                "decode": [cli, "run", "--model", *common, "--problem", text, "--completions", "4", "--max-tokens", "12",
                           "--weights", weights],
                "matrix": [cli, "capture", "--model", *common, "--text", text, "--layers", "0,3", "--heads", "0",
                           "--out", str(folder / "matrix.safetensors")]}
    fits = True
    for what, command in commands.items():
        seconds, gib = measure(command)
        print(f"{folder.name:>16} {what:>7}: {seconds:6.1f} s, peak {gib:5.2f} GiB", flush=True)
        fits = fits and gib <= LIMIT_GIB
    return fits


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("cli")
    parser.add_argument("--weights", default="f32")
    parser.add_argument("--only", default="")
    arguments = parser.parse_args()
    fits = True
    for name, parameters, configs, shapes in models():
        if arguments.only not in name:
            continue
        assert sum(int(np.prod(shape)) for shape in shapes.values()) == parameters, name
        with tempfile.TemporaryDirectory() as root:
            folder = pathlib.Path(root) / name
            folder.mkdir()
            for file, config in configs.items():
                (folder / file).write_text(json.dumps(config))
            write_weights(folder / "model.safetensors", shapes)
            fits = check(arguments.cli, arguments.weights, folder) and fits
    sys.exit(0 if fits else 1)


if __name__ == "__main__":
    main()
