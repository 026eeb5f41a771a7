"""Times Tandem's training against PyTorch's on the same shapes and batch: eager, f32, on the CPU, same threads.

Every contender runs once per round, in turn; the table gives the median over the rounds, the spread, the ratio to
PyTorch, the share of the peak arithmetic that Tandem's own products reach on this machine in the same sitting, and
how much of its threads' time a contender got ("had", starting up on one thread included): where that differs
between contenders, something else was running. Tandem's time includes making and tokenising its problems; PyTorch gets random tokens for free.

Interpreters with PyTorch are given by --python, as often as wanted:
  Debian's 1.13:  apt install python3-torch libopenblas0-openmp   (the reference BLAS is many times slower)
                  --python /usr/bin/python3
  the current one: python3 -m venv DIR && DIR/bin/pip install torch  (an index of CPU-only builds spares gigabytes)
                  --python DIR/bin/python
Usage: compare_training_speed.py --cli build/release/bin/tandem-cli --python P [--python P ...] [--rounds 5]"""
import argparse
import json
import os
import pathlib
import statistics
import subprocess
import tempfile
import time

TORCH = pathlib.Path(__file__).with_name("training_speed_torch.py")
WARM_UP = 2  # updates
SHAPE = {"d_model": 192, "d_ff": 640, "vocab": 1024, "heads": 6, "kv_heads": 2, "headdim": 32, "state": 16, "layers": 6,
         "sequences": 12, "tokens": 512, "warm_up": WARM_UP}
LLAMA = {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "vocab_size": SHAPE["vocab"],
         "hidden_size": SHAPE["d_model"], "intermediate_size": SHAPE["d_ff"], "num_hidden_layers": SHAPE["layers"],
         "num_attention_heads": SHAPE["heads"], "num_key_value_heads": SHAPE["kv_heads"], "head_dim": SHAPE["headdim"],
         "hidden_act": "silu", "rms_norm_eps": 1e-5, "rope_theta": 10000.0, "tie_word_embeddings": True,
         "max_position_embeddings": SHAPE["tokens"]}
LLAMBA = {"model_type": "llamba", "vocab_size": SHAPE["vocab"], "tie_embeddings": True, "pad_vocab_size_multiple": 1,
          "d_model": SHAPE["d_model"], "n_layer": SHAPE["layers"], "norm_epsilon": 1e-5,
          "mlp_cfg": {"intermediate_size": SHAPE["d_ff"], "bias": False, "act_fn": "silu"},
          "ssm_cfg": {"d_state": SHAPE["state"], "n_v_heads": SHAPE["heads"], "n_qk_heads": SHAPE["heads"], "expand": 1,
                      "activation": "identity"}}
MODELS = {"attention": LLAMA, "llamba": LLAMBA}


def products_per_token(mixer):
    """Multiply-adds of the matrix products for one token, forward, with the mixing over an average context."""
    width, ff, heads = SHAPE["d_model"], SHAPE["d_ff"], SHAPE["heads"]
    inner, context = heads * SHAPE["headdim"], (SHAPE["tokens"] + 1) / 2
    if mixer == "attention":
        projection = (heads + 2 * SHAPE["kv_heads"]) * SHAPE["headdim"]
        mixing = 2 * context * inner
    else:
        projection = 2 * inner + 2 * heads * SHAPE["state"] + heads
        mixing = 2 * inner * SHAPE["state"]  # as a recurrence; other ways to compute it do more
    layer = width * projection + inner * width + 3 * width * ff + mixing
    return SHAPE["layers"] * layer + width * SHAPE["vocab"]


def run(command, threads):
    """Runs to the end; returns what it printed and the share of `threads` whole processors that it got."""
    before, begin = os.times(), time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(command)}\n{done.stderr}")
    after, wall = os.times(), time.perf_counter() - begin
    used = after.children_user + after.children_system - before.children_user - before.children_system
    return done.stdout, used / wall / threads


def time_tandem(options, mixer, precision):
    recipe = {"seed": 1, "precision": precision, "model": MODELS[mixer], "corpus": {"seed": 1},
              "tokenizer": {"vocab": SHAPE["vocab"], "examples": 300}, "checkpoint_every": 1 << 20,
              "stages": [{"goal": "tokens", "sequences": SHAPE["sequences"], "tokens": SHAPE["tokens"],
                          "schedule": {"peak": 1e-3, "steps": options.updates}}]}
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, "recipe.json")
        path.write_text(json.dumps(recipe))
        out = pathlib.Path(folder, "out")
        _, share = run([options.cli, "train", "--recipe", str(path), "--out", str(out), "--threads", str(options.threads)],
                       options.threads)
        log = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    rates = [line["tokens_per_s"] for line in log if "tokens_per_s" in line]
    return f"Tandem, {precision} products", statistics.median(rates[WARM_UP:]), share


def time_torch(options, mixer, python):
    shape = dict(SHAPE, mixer=mixer, threads=options.threads, updates=options.updates)
    output, share = run([python, str(TORCH), json.dumps(shape)], options.threads)
    result = json.loads(output)
    return result["name"], result["tokens_per_s"], share


def measure_peaks(options):
    """Tandem's own products on cached operands: (f32, bf16) in flop/s."""
    output, _ = run([options.cli, "bench", "--model", "seed-teacher", "--weights", "bf16", "--batches", "1", "--tokens",
                     "2", "--repeats", "1", "--threads", str(options.threads), "--json"], options.threads)
    roofline = json.loads(output)["roofline"]
    return roofline["flops_per_s"], roofline["bf16_flops_per_s"]


def compare(options, mixer):
    contenders = [lambda p=p: time_tandem(options, mixer, p) for p in ("f32", "bf16")]
    contenders += [lambda p=p: time_torch(options, mixer, p) for p in options.python]
    rates, shares = {}, {}
    for _ in range(options.rounds):
        for contender in contenders:
            name, rate, share = contender()
            rates.setdefault(name, []).append(rate)
            shares.setdefault(name, []).append(share)
    f32_peak, bf16_peak = measure_peaks(options)
    torches = [name for name in rates if name.startswith("PyTorch")]
    print(f"\n{mixer}: {SHAPE['layers']} layers of {SHAPE['d_model']}, {SHAPE['sequences']} x {SHAPE['tokens']} tokens, "
          f"{options.threads} threads, {options.rounds} rounds of {options.updates} updates")
    print(f"peak of Tandem's products: f32 {f32_peak / 1e9:.0f} Gflop/s, bf16 {bf16_peak / 1e9:.0f} Gflop/s")
    print(f"{'':24}{'tokens/s':>9}{'least':>8}{'most':>8}{'had':>6}{'of peak':>9}"
          + "".join(f"{'x ' + name[8:]:>14}" for name in torches))
    for name, of_rounds in rates.items():
        rate = statistics.median(of_rounds)
        peak = bf16_peak if "bf16" in name and bf16_peak > 0 else f32_peak
        share = 6 * products_per_token(mixer) * rate / peak
        print(f"{name:24}{rate:9.0f}{min(of_rounds):8.0f}{max(of_rounds):8.0f}{statistics.median(shares[name]):6.0%}{share:9.0%}"
              + "".join(f"{rate / statistics.median(rates[other]):14.2f}" for other in torches))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cli", required=True)
    parser.add_argument("--python", action="append", default=[])
    parser.add_argument("--mixer", choices=list(MODELS), action="append", help="default: all")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--updates", type=int, default=8)
    options = parser.parse_args()
    for mixer in options.mixer or list(MODELS):
        compare(options, mixer)


if __name__ == "__main__":
    main()
