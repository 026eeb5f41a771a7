"""Compares Tandem with llama.cpp (Python package llama-cpp-python, with numpy and safetensors) on one GGUF file.

    python3 tests/reference/compare_llama_cpp.py SmolLM2-135M-Instruct.Q4_1.gguf [--cli build/release/bin/tandem-cli]

Prints, one JSON object a line:
tokens      how many of the texts both tokenize alike
greedy      20 prompts, the likeliest token each time: how many completions are the same to the end; where two part, by
            how much llama.cpp preferred its token to Tandem's (both round their activations, differently)
perplexity  of 2,000 tokens of English, in windows of 500
speed       tokens per second at 1 and at 16 completions of one prompt, rounds taken in turn: the best of each, ratio
load        seconds to open the model, and to read its bytes (both from the system's cache), in turn: the best of each, ratio

Prompts and English are the questions of resources/problems/seed.jsonl, or of --problems FILE.
"""
import argparse
import ctypes
import json
import math
import pathlib
import subprocess
import tempfile
import time

import llama_cpp
import numpy
from safetensors.numpy import load_file

ROOT = pathlib.Path(__file__).resolve().parents[2]
CHAT = ("<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\n"
        "<|im_start|>user\n{}<|im_end|>\n<|im_start|>assistant\n")
NEW_TOKENS = 48
WINDOW = 500


class Llama:
    """A model on llama.cpp, with one sequence or several that share a prompt."""

    def __init__(self, path, threads, sequences=1, flash_attention=False, context=1024):
        llama_cpp.llama_backend_init()
        self.sequences = sequences
        self.model = llama_cpp.llama_model_load_from_file(path.encode(), llama_cpp.llama_model_default_params())
        self.vocab = llama_cpp.llama_model_get_vocab(self.model)
        self.vocab_size = llama_cpp.llama_vocab_n_tokens(self.vocab)
        params = llama_cpp.llama_context_default_params()
        params.n_ctx = params.n_batch = params.n_ubatch = context * (4 if sequences > 1 else 1)
        params.n_seq_max = sequences
        params.n_threads = params.n_threads_batch = threads
        params.flash_attn_type = 1 if flash_attention else 0
        params.kv_unified = True
        self.context = llama_cpp.llama_init_from_model(self.model, params)
        self.memory = llama_cpp.llama_get_memory(self.context)
        self.batch = llama_cpp.llama_batch_init(params.n_batch, 0, 1)

    def tokenize(self, text):
        data = text.encode()
        ids = (llama_cpp.llama_token * (len(data) + 8))()
        count = llama_cpp.llama_tokenize(self.vocab, data, len(data), ids, len(ids), False, True)
        return list(ids[:count])

    def decode(self, entries):
        """entries: (token, position, sequence, wants logits)."""
        for i, (token, position, sequence, logits) in enumerate(entries):
            self.batch.token[i] = token
            self.batch.pos[i] = position
            self.batch.n_seq_id[i] = 1
            self.batch.seq_id[i][0] = sequence
            self.batch.logits[i] = logits
        self.batch.n_tokens = len(entries)
        assert llama_cpp.llama_decode(self.context, self.batch) == 0

    def logits(self, index):
        row = llama_cpp.llama_get_logits_ith(self.context, index)
        return numpy.ctypeslib.as_array(row, shape=(self.vocab_size,))

    def prefill(self, ids, all_logits=False):
        llama_cpp.llama_memory_clear(self.memory, True)
        self.decode([(token, i, 0, all_logits or i + 1 == len(ids)) for i, token in enumerate(ids)])
        for sequence in range(1, self.sequences):
            llama_cpp.llama_memory_seq_cp(self.memory, 0, sequence, -1, -1)

    def greedy(self, ids, stop):
        """(token, logits) until a stop token."""
        self.prefill(ids)
        steps = []
        index = len(ids) - 1
        for i in range(NEW_TOKENS):
            logits = self.logits(index).copy()
            token = int(logits.argmax())
            steps.append((token, logits))
            if token in stop:
                break
            self.decode([(token, len(ids) + i, 0, True)])
            index = 0
        return steps

    def tokens_per_second(self, prompt, steps):
        self.prefill(prompt)
        tokens = [prompt[i % len(prompt)] for i in range(self.sequences)]
        start = None
        for step in range(steps + 1):
            if step == 1:
                start = time.perf_counter()  # the first one warms up
            self.decode([(tokens[s], len(prompt) + step, s, True) for s in range(self.sequences)])
            self.logits(0)
        return steps * self.sequences / (time.perf_counter() - start)


def tandem(cli, *arguments):
    return json.loads(subprocess.run([cli, *map(str, arguments), "--json"], check=True, capture_output=True).stdout)


def compare_greedy(options, questions, llama):
    same, length, gaps, alike = 0, 0, [], 0
    stop = {0, 2}
    for question in questions[:20]:
        ours = tandem(options.cli, "run", "--model", options.model, "--problem", question, "--prompt", "question",
                      "--completions", 1, "--temperature", 0, "--max-tokens", NEW_TOKENS, "--threads", options.threads)
        tokens = ours["models"][0]["completions"][0]["tokens"]
        prompt = llama.tokenize(CHAT.format(question))
        alike += len(prompt) == ours["models"][0]["prompt_tokens"]
        theirs = [(token, logits) for token, logits in llama.greedy(prompt, stop) if token not in stop]
        parting = next((i for i, (token, _) in enumerate(theirs) if i >= len(tokens) or tokens[i] != token), None)
        length += len(theirs)
        if parting is None and len(tokens) == len(theirs):
            same += 1
        elif parting is not None and parting < len(tokens):
            token, logits = theirs[parting]
            gaps.append({"after": parting, "logit_gap": round(float(logits[token] - logits[tokens[parting]]), 3)})
    print(json.dumps({"tokens": {"prompts": 20, "alike": alike}}))
    print(json.dumps({"greedy": {"prompts": 20, "same": same, "mean_tokens": length / 20, "partings": gaps}}), flush=True)


def mean_loss(logits, ids):
    logits = logits[:-1].astype(numpy.float64)
    top = logits.max(axis=1, keepdims=True)
    total = numpy.log(numpy.exp(logits - top).sum(axis=1)) + top[:, 0]
    return total - logits[numpy.arange(len(ids) - 1), ids[1:]]


def compare_perplexity(options, questions, llama):
    ids = llama.tokenize("\n".join(questions))[:4 * WINDOW]
    losses = {"tandem": [], "llama_cpp": []}
    worst = 0
    with tempfile.TemporaryDirectory() as folder:
        out = pathlib.Path(folder) / "logits.safetensors"
        for begin in range(0, len(ids), WINDOW):
            window = ids[begin:begin + WINDOW]
            tandem(options.cli, "capture", "--model", options.model, "--ids", ",".join(map(str, window)), "--layers", 0,
                   "--heads", 0, "--threads", options.threads, "--out", out)
            losses["tandem"].append(mean_loss(load_file(out)["logits"], window))
            llama.prefill(window, all_logits=True)
            rows = numpy.stack([llama.logits(i) for i in range(len(window))])
            losses["llama_cpp"].append(mean_loss(rows, window))
            worst = max(worst, float(numpy.abs(losses["tandem"][-1] - losses["llama_cpp"][-1]).max()))
    perplexity = {name: math.exp(numpy.concatenate(rows).mean()) for name, rows in losses.items()}
    print(json.dumps({"perplexity": {"tokens": len(ids), **perplexity, "largest_difference_of_a_token_nats": worst,
                                     "ratio": perplexity["tandem"] / perplexity["llama_cpp"]}}), flush=True)


def compare_speed(options, questions):
    prompt_tokens, steps = 128, 64
    best = {}
    for sequences in (1, 16):
        engines = [Llama(options.model, options.threads, sequences, flash) for flash in (False, True)]
        prompt = (engines[0].tokenize("\n".join(questions)) * 2)[:prompt_tokens]
        rates = {"tandem": [], "llama_cpp": []}
        for _ in range(options.rounds):
            report = tandem(options.cli, "bench", "--model", options.model, "--batches", sequences, "--prompt",
                            prompt_tokens, "--tokens", steps, "--threads", options.threads, "--repeats", 1)
            rates["tandem"].append(max(bar["tokens_per_s"] for bar in report["bars"]))
            rates["llama_cpp"].append(max(engine.tokens_per_second(prompt, steps) for engine in engines))
        best = {name: max(values) for name, values in rates.items()}
        print(json.dumps({"speed": {"completions": sequences, "threads": options.threads, "rounds": options.rounds,
                                    **best, "ratio": best["tandem"] / best["llama_cpp"]}}), flush=True)


def compare_load(options):
    """Opening the model (its bytes from the system's cache, hashed, its tokenizer built) beside reading those bytes."""
    times = {"tandem": [], "read": []}
    for _ in range(2 * options.rounds):
        report = tandem(options.cli, "run", "--model", options.model, "--problem", "1 + 1?", "--completions", 1,
                        "--max-tokens", 1, "--threads", options.threads)
        times["tandem"].append(report["load_s"])
        start = time.perf_counter()
        pathlib.Path(options.model).read_bytes()
        times["read"].append(time.perf_counter() - start)
    best = {f"{name}_s": round(min(values), 4) for name, values in times.items()}
    print(json.dumps({"load": {**best, "ratio": best["tandem_s"] / best["read_s"]}}), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--cli", default=str(ROOT / "build/release/bin/tandem-cli"))
    parser.add_argument("--problems", default=str(ROOT / "resources/problems/seed.jsonl"))
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", choices=["text", "speed"])
    options = parser.parse_args()
    silent = llama_cpp.llama_log_callback(lambda level, text, data: None)  # must outlive every call
    llama_cpp.llama_log_set(silent, ctypes.c_void_p(0))
    questions = [json.loads(line)["question"] for line in open(options.problems)]
    if options.only != "speed":
        llama = Llama(options.model, options.threads)
        compare_greedy(options, questions, llama)
        compare_perplexity(options, questions, llama)
    if options.only != "text":
        compare_speed(options, questions)
        compare_load(options)


if __name__ == "__main__":
    main()
