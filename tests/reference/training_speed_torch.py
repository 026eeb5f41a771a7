"""Trains a plain PyTorch model of the shape given as JSON on random tokens and prints its tokens per second.

Eager, f32, on the CPU; what the installed version has is used: scaled_dot_product_attention and rms_norm of
torch.nn.functional, and the fused AdamW. Started by compare_training_speed.py, once per interpreter and round.
Usage: training_speed_torch.py '{"mixer": "attention", "threads": 2, ...}'"""
import json
import math
import statistics
import sys
import time

import torch
import torch.nn.functional as F

SHAPE = json.loads(sys.argv[1])
WIDTH, FF, VOCAB = SHAPE["d_model"], SHAPE["d_ff"], SHAPE["vocab"]
HEADS, KV_HEADS, HEADDIM, STATE = SHAPE["heads"], SHAPE["kv_heads"], SHAPE["headdim"], SHAPE["state"]
SEQUENCES, TOKENS = SHAPE["sequences"], SHAPE["tokens"]
CONV = 4


def rms_norm(x, weight):
    if hasattr(F, "rms_norm"):
        return F.rms_norm(x, (x.shape[-1],), weight, 1e-5)
    return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-5) * weight


def attention(q, k, v):
    k = k.repeat_interleave(HEADS // KV_HEADS, dim=1)
    v = v.repeat_interleave(HEADS // KV_HEADS, dim=1)
    if hasattr(F, "scaled_dot_product_attention"):
        return F.scaled_dot_product_attention(q, k, v, is_causal=True)
    hidden = torch.ones(TOKENS, TOKENS, dtype=torch.bool).triu(1)
    scores = (q @ k.transpose(-1, -2) / math.sqrt(HEADDIM)).masked_fill(hidden, -math.inf)
    return scores.softmax(-1) @ v


class Attention(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.qkv = torch.nn.Linear(WIDTH, (HEADS + 2 * KV_HEADS) * HEADDIM, bias=False)
        self.out = torch.nn.Linear(HEADS * HEADDIM, WIDTH, bias=False)
        angles = torch.outer(torch.arange(TOKENS), 10000.0 ** (-torch.arange(0, HEADDIM, 2) / HEADDIM))
        self.cos, self.sin = torch.cat([angles.cos()] * 2, -1), torch.cat([angles.sin()] * 2, -1)

    def rotate(self, x):
        low, high = x.chunk(2, -1)
        return x * self.cos + torch.cat([-high, low], -1) * self.sin

    def forward(self, u):
        heads = self.qkv(u).view(SEQUENCES, TOKENS, -1, HEADDIM).transpose(1, 2)
        q, k, v = heads.split([HEADS, KV_HEADS, KV_HEADS], 1)
        mixed = attention(self.rotate(q), self.rotate(k), v)
        return self.out(mixed.transpose(1, 2).reshape(SEQUENCES, TOKENS, -1))


class DiscreteMamba2(torch.nn.Module):
    """Llamba's mixer with its state-space part as one masked matrix per head: y = (L o C B^T) x."""

    def __init__(self):
        super().__init__()
        inner, content = HEADS * HEADDIM, HEADS * STATE
        self.widths = [inner, content, content]
        self.inproj = torch.nn.Linear(WIDTH, 2 * inner + 2 * content + HEADS, bias=False)
        self.conv = torch.nn.Conv1d(sum(self.widths), sum(self.widths), CONV, groups=sum(self.widths), padding=CONV - 1)
        self.skip = torch.nn.Parameter(torch.ones(HEADS))
        self.z_bias = torch.nn.Parameter(torch.zeros(inner))
        self.out = torch.nn.Linear(inner, WIDTH, bias=False)

    def forward(self, u):
        inner = self.widths[0]
        xbc, z, raw = self.inproj(u).split([sum(self.widths), inner, HEADS], -1)
        xbc = self.conv(xbc.transpose(1, 2))[..., :TOKENS].transpose(1, 2)
        x, b, c = (part.reshape(SEQUENCES, TOKENS, HEADS, -1).transpose(1, 2) for part in xbc.split(self.widths, -1))
        decay = torch.cumsum(-F.softplus(raw), 1).transpose(1, 2)  # [B, H, T]
        future = torch.ones(TOKENS, TOKENS, dtype=torch.bool).triu(1)
        between = (decay[..., :, None] - decay[..., None, :]).masked_fill(future, -math.inf)
        y = (between.exp() * (c @ b.transpose(-1, -2))) @ x + self.skip[:, None, None] * x
        y = y.transpose(1, 2).reshape(SEQUENCES, TOKENS, inner)
        return self.out(y * F.silu(z + self.z_bias))


class Layer(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.mixer = Attention() if SHAPE["mixer"] == "attention" else DiscreteMamba2()
        self.gate_up = torch.nn.Linear(WIDTH, 2 * FF, bias=False)
        self.down = torch.nn.Linear(FF, WIDTH, bias=False)
        self.input_norm = torch.nn.Parameter(torch.ones(WIDTH))
        self.post_norm = torch.nn.Parameter(torch.ones(WIDTH))

    def forward(self, x):
        x = x + self.mixer(rms_norm(x, self.input_norm))
        gate, up = self.gate_up(rms_norm(x, self.post_norm)).chunk(2, -1)
        return x + self.down(F.silu(gate) * up)


class Model(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = torch.nn.Parameter(0.02 * torch.randn(VOCAB, WIDTH))
        self.layers = torch.nn.ModuleList(Layer() for _ in range(SHAPE["layers"]))
        self.norm = torch.nn.Parameter(torch.ones(WIDTH))

    def forward(self, ids):
        x = F.embedding(ids, self.embedding)
        for layer in self.layers:
            x = layer(x)
        return F.linear(rms_norm(x, self.norm), self.embedding)


def optimizer_of(model):
    try:
        return torch.optim.AdamW(model.parameters(), lr=1e-3, fused=True)
    except (RuntimeError, TypeError):  # versions without a fused one for the CPU
        return torch.optim.AdamW(model.parameters(), lr=1e-3)


def main():
    torch.set_num_threads(SHAPE["threads"])
    torch.manual_seed(1)
    model = Model()
    optimizer = optimizer_of(model)
    seconds = []
    for _ in range(SHAPE["updates"]):
        ids = torch.randint(VOCAB, (SEQUENCES, TOKENS + 1))
        begin = time.perf_counter()
        optimizer.zero_grad(set_to_none=True)
        loss = F.cross_entropy(model(ids[:, :-1]).flatten(0, 1), ids[:, 1:].flatten())
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        loss.item()
        seconds.append(time.perf_counter() - begin)
    rate = SEQUENCES * TOKENS / statistics.median(seconds[SHAPE["warm_up"]:])
    print(json.dumps({"name": f"PyTorch {torch.__version__}", "tokens_per_s": rate}))


main()
