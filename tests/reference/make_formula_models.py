"""Makes tests/data/models/{llamba,llamba-bf16,hybrid-mamba1,hybrid-mamba1-fused,hybrid-mamba2}: small random models and
what they compute, in double precision, token by token, straight from the formulas of the papers and of the published
code's description. Shares nothing with Tandem. Needs numpy.

    python3 tests/reference/make_formula_models.py

Each folder holds config.json (mamba_config.json), model.safetensors and expected.safetensors: ids [T], logits [T, V],
and for each layer matrix.L [H, T, T] and, where recurrent, state.L after the last token. The hybrid-mamba1 folders have
unscaled.logits too: their kept attention without llama3 scaling of the rotary frequencies.
"""
import json
import pathlib

import numpy as np

import tensors

OUT = pathlib.Path(__file__).resolve().parents[1] / "data/models"
VOCAB, WIDTH, FF, LAYERS, TOKENS = 103, 32, 48, 3, 24
EPS = 1e-5
ROPE = {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
        "original_max_position_embeddings": 32}
THETA, HEADS, KV_HEADS, HEADDIM = 10000.0, 2, 1, 16


def silu(x):
    return x / (1 + np.exp(-x))


def softplus(x):
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


def rms(x, weight):
    return x / np.sqrt(np.mean(x * x, -1, keepdims=True) + EPS) * weight


def conv(x, weight, bias):
    """Causal, depthwise: x [T, C], weight [C, 1, W]; the last column of weight multiplies the current token."""
    width = weight.shape[2]
    padded = np.concatenate([np.zeros((width - 1, x.shape[1])), x])
    return np.stack([sum(padded[t + k] * weight[:, 0, k] for k in range(width)) + bias for t in range(len(x))])


def frequencies(scaled):
    base = THETA ** (-2 * np.arange(HEADDIM // 2) / HEADDIM)
    if not scaled:
        return base
    result = []
    low, high, length = ROPE["low_freq_factor"], ROPE["high_freq_factor"], ROPE["original_max_position_embeddings"]
    for w in base:
        wavelength = 2 * np.pi / w
        if wavelength < length / high:
            result.append(w)
        elif wavelength > length / low:
            result.append(w / ROPE["factor"])
        else:
            g = (length / wavelength - low) / (high - low)
            result.append((1 - g) * w / ROPE["factor"] + g * w)
    return np.array(result)


def rotate(x, freq):
    """x [T, heads, D]: the pairs (m, m + D/2) turn by position times frequency m."""
    angle = np.arange(len(x))[:, None, None] * freq
    a, b = np.split(x, 2, axis=-1)
    return np.concatenate([a * np.cos(angle) - b * np.sin(angle), b * np.cos(angle) + a * np.sin(angle)], -1)


def attention(u, w, scaled):
    q, k, v = (u @ w[f"self_attn.{name}_proj.weight"].T for name in "qkv")
    freq = frequencies(scaled)
    q = rotate(q.reshape(len(u), HEADS, HEADDIM), freq)
    k = rotate(k.reshape(len(u), KV_HEADS, HEADDIM), freq)
    v = v.reshape(len(u), KV_HEADS, HEADDIM)
    matrices, outputs = [], []
    for h in range(HEADS):
        kv = h // (HEADS // KV_HEADS)
        scores = q[:, h] @ k[:, kv].T / np.sqrt(HEADDIM)
        scores[np.triu_indices(len(u), 1)] = -np.inf
        p = np.exp(scores - scores.max(-1, keepdims=True))
        p /= p.sum(-1, keepdims=True)
        matrices.append(p)
        outputs.append(p @ v[:, kv])
    return np.concatenate(outputs, -1) @ w["self_attn.o_proj.weight"].T, np.stack(matrices), None


def ssd(x, b, c, decay, step, skip):
    """x [T, H, P], b, c [T, H, N], decay, step [T, H], skip [H] -> y [T, H, P], matrices [H, T, T], state [H, P, N]."""
    tokens, heads, width = x.shape
    state = np.zeros((heads, width, b.shape[2]))
    y = np.zeros_like(x)
    for t in range(tokens):
        for h in range(heads):
            state[h] = decay[t, h] * state[h] + step[t, h] * np.outer(x[t, h], b[t, h])
            y[t, h] = state[h] @ c[t, h] + skip[h] * x[t, h]
    matrices = np.zeros((heads, tokens, tokens))
    for h in range(heads):
        for i in range(tokens):
            for j in range(i + 1):
                matrices[h, i, j] = step[j, h] * (c[i, h] @ b[j, h]) * np.prod(decay[j + 1:i + 1, h])
    return y, matrices, state


def llamba_mixer(u, w):
    heads, groups, state = 4, 2, 6
    inner = WIDTH
    p = u @ w["mixer.in_proj.weight"].T
    convolved = inner + 2 * groups * state
    xbc = conv(p[:, :convolved], w["mixer.conv1d.weight"], w["mixer.conv1d.bias"])
    z = p[:, convolved:convolved + inner]
    a_log = p[:, convolved + inner:]
    x = xbc[:, :inner].reshape(-1, heads, inner // heads)
    b, c = (np.repeat(part.reshape(-1, groups, state), heads // groups, 1)
            for part in np.split(xbc[:, inner:], 2, -1))
    y, matrices, last = ssd(x, b, c, 1 / (1 + np.exp(a_log)), np.ones_like(a_log), w["mixer.D"])
    gated = y.reshape(len(u), inner) * silu(z + w["mixer.z_bias"])
    return gated @ w["mixer.out_proj.weight"].T, matrices, last


def mamba2_mixer(u, w):
    heads, width = HEADS, HEADDIM
    inner, narrow = heads * width, KV_HEADS * width
    p = u @ w["mamba.in_proj.weight"].T
    z, xbc, raw = np.split(p, [inner, 2 * inner + 2 * narrow], -1)
    xbc = silu(conv(xbc, w["mamba.conv1d.weight"], w["mamba.conv1d.bias"]))
    x, b, c = np.split(xbc, [narrow, 2 * narrow], -1)
    x, b = (np.repeat(part.reshape(-1, KV_HEADS, width), heads // KV_HEADS, 1) for part in (x, b))
    step = softplus(raw + w["mamba.dt_bias"])
    decay = np.exp(step * -np.exp(w["mamba.A_log"]))
    y, matrices, last = ssd(x, b, c.reshape(-1, heads, width), decay, step, w["mamba.D"])
    gated = y * silu(z.reshape(-1, heads, width))
    normed = gated / np.sqrt(np.mean(gated ** 2, -1, keepdims=True) + EPS)
    return (normed.reshape(len(u), inner) * w["mamba.norm.weight"]) @ w["mamba.out_proj.weight"].T, matrices, last


def mamba1_mixer(u, w):
    inner, narrow, n = WIDTH, KV_HEADS * HEADDIM, 4
    c_groups, x_groups = inner // n, narrow // n
    repeat = c_groups // x_groups
    tokens = len(u)
    expand = lambda v: np.repeat(v.reshape(tokens, x_groups, n), repeat, 1)
    x = expand(u @ w["mamba.in_proj_x.weight"].T).reshape(tokens, inner)
    z = u @ w["mamba.in_proj_z.weight"].T
    b = expand(u @ w["mamba.B_proj.weight"].T)
    c = (u @ w["mamba.C_proj.weight"].T).reshape(tokens, c_groups, n)
    x = silu(conv(x, w["mamba.conv1d.weight"], w["mamba.conv1d.bias"]))
    bias = w["mamba.dt_proj.bias"]
    projected = (u @ w["mamba.dt_proj_down.weight"].T) @ w["mamba.dt_proj.weight"].T + bias
    delta = softplus(projected + bias)  # twice, as the published weights were trained
    a = -np.exp(w["mamba.A_log"])
    state = np.zeros((inner, n))
    y = np.zeros((tokens, inner))
    matrices = np.zeros((HEADS, tokens, tokens))
    for e in range(inner):
        g = e // n
        for t in range(tokens):
            state[e] = np.exp(delta[t, e] * a[e]) * state[e] + delta[t, e] * b[t, g] * x[t, e]
            y[t, e] = c[t, g] @ state[e] + w["mamba.D"][e] * x[t, e]
        for i in range(tokens):
            for j in range(i + 1):
                decay = np.exp(a[e] * delta[j + 1:i + 1, e].sum())
                matrices[e // HEADDIM, i, j] += np.sum(c[i, g] * decay * delta[j, e] * b[j, g]) / HEADDIM
    return (y * silu(z)) @ w["mamba.out_proj.weight"].T, matrices, state


def run(weights, names, ids, mix):
    x = weights[names["embedding"]][ids]
    found = {}
    for layer in range(LAYERS):
        prefix = f"{names['layers']}{layer}."
        w = {key[len(prefix):]: value for key, value in weights.items() if key.startswith(prefix)}
        mixed, matrices, state = mix(layer, rms(x, w["input_layernorm.weight"]), w)
        x = x + mixed
        u = rms(x, w["post_attention_layernorm.weight"])
        up = silu(u @ w["mlp.gate_proj.weight"].T) * (u @ w["mlp.up_proj.weight"].T)
        x = x + up @ w["mlp.down_proj.weight"].T
        found[f"matrix.{layer}"] = matrices
        if state is not None:
            found[f"state.{layer}"] = state
    head = weights.get("lm_head.weight", weights[names["embedding"]])
    found["logits"] = rms(x, weights[names["norm"]]) @ head.T
    return found


class Random:
    def __init__(self, seed, bf16=False):
        self.rng = np.random.default_rng(seed)
        self.bf16 = bf16

    def __call__(self, *shape, scale=None, around=0.0):
        scale = shape[-1] ** -0.5 if scale is None else scale
        values = (around + scale * self.rng.standard_normal(shape)).astype(np.float32)
        if self.bf16:
            values = tensors.from_bf16(tensors.to_bf16(values))
        return values.astype(np.float64)


LLAMA = {"embedding": "model.embed_tokens.weight", "layers": "model.layers.", "norm": "model.norm.weight"}
LLAMBA = {"embedding": "backbone.embedding.weight", "layers": "backbone.layers.",
          "norm": "backbone.final_layernorm.weight"}


def block(random, prefix):
    return {f"{prefix}input_layernorm.weight": random(WIDTH, scale=0.1, around=1),
            f"{prefix}post_attention_layernorm.weight": random(WIDTH, scale=0.1, around=1),
            f"{prefix}mlp.gate_proj.weight": random(FF, WIDTH), f"{prefix}mlp.up_proj.weight": random(FF, WIDTH),
            f"{prefix}mlp.down_proj.weight": random(WIDTH, FF)}


def attention_layer(random, prefix):
    return {f"{prefix}self_attn.q_proj.weight": random(HEADS * HEADDIM, WIDTH, scale=0.4),
            f"{prefix}self_attn.k_proj.weight": random(KV_HEADS * HEADDIM, WIDTH, scale=0.4),
            f"{prefix}self_attn.v_proj.weight": random(KV_HEADS * HEADDIM, WIDTH),
            f"{prefix}self_attn.o_proj.weight": random(WIDTH, HEADS * HEADDIM)}


def llamba_layer(random, prefix):
    heads, convolved = 4, WIDTH + 2 * 2 * 6
    return {f"{prefix}mixer.in_proj.weight": random(convolved + WIDTH + heads, WIDTH),
            f"{prefix}mixer.z_bias": random(WIDTH, scale=0.3),
            f"{prefix}mixer.conv1d.weight": random(convolved, 1, 4, scale=0.5),
            f"{prefix}mixer.conv1d.bias": random(convolved, scale=0.2),
            f"{prefix}mixer.D": random(heads, scale=0.5, around=1), f"{prefix}mixer.out_proj.weight": random(WIDTH, WIDTH)}


def mamba2_layer(random, prefix):
    inner, narrow = HEADS * HEADDIM, KV_HEADS * HEADDIM
    return {f"{prefix}mamba.in_proj.weight": random(2 * inner + 2 * narrow + HEADS, WIDTH),
            f"{prefix}mamba.conv1d.weight": random(inner + 2 * narrow, 1, 4, scale=0.5),
            f"{prefix}mamba.conv1d.bias": random(inner + 2 * narrow, scale=0.2),
            f"{prefix}mamba.dt_bias": random(HEADS, scale=0.5, around=-1), f"{prefix}mamba.A_log": random(HEADS, scale=0.7),
            f"{prefix}mamba.D": random(HEADS, scale=0.5, around=1),
            f"{prefix}mamba.norm.weight": random(inner, scale=0.1, around=1),
            f"{prefix}mamba.out_proj.weight": random(WIDTH, inner)}


def mamba1_layer(random, prefix):
    inner, narrow, n, rank = WIDTH, KV_HEADS * HEADDIM, 4, 2
    return {f"{prefix}mamba.in_proj_x.weight": random(narrow, WIDTH), f"{prefix}mamba.in_proj_z.weight": random(inner, WIDTH),
            f"{prefix}mamba.B_proj.weight": random(narrow, WIDTH), f"{prefix}mamba.C_proj.weight": random(inner, WIDTH),
            f"{prefix}mamba.dt_proj_down.weight": random(rank, WIDTH), f"{prefix}mamba.dt_proj.weight": random(inner, rank),
            f"{prefix}mamba.dt_proj.bias": random(inner, scale=0.3, around=-0.7),
            f"{prefix}mamba.conv1d.weight": random(inner, 1, 4, scale=0.5),
            f"{prefix}mamba.conv1d.bias": random(inner, scale=0.2), f"{prefix}mamba.A_log": random(inner, n, scale=0.7),
            f"{prefix}mamba.D": random(inner, scale=0.5, around=1), f"{prefix}mamba.out_proj.weight": random(WIDTH, inner)}


def fused(weights):
    """The names of the inference code: z, x, B, C, dt in one matrix; q, k, v in another."""
    result = dict(weights)
    for layer in range(LAYERS):
        prefix = f"model.layers.{layer}."
        take = lambda *names: np.concatenate([result.pop(prefix + name) for name in names])
        if f"{prefix}self_attn.q_proj.weight" in result:
            result[f"{prefix}mha.in_proj.weight"] = take(*(f"self_attn.{n}_proj.weight" for n in "qkv"))
            result[f"{prefix}mha.out_proj.weight"] = take("self_attn.o_proj.weight")
        else:
            result[f"{prefix}mamba.in_proj.weight"] = take(
                *(f"mamba.{n}.weight" for n in ("in_proj_z", "in_proj_x", "B_proj", "C_proj", "dt_proj_down")))
    return result


def llama_config():
    return {"model_type": "llama", "vocab_size": VOCAB, "hidden_size": WIDTH, "intermediate_size": FF,
            "num_hidden_layers": LAYERS, "num_attention_heads": HEADS, "num_key_value_heads": KV_HEADS,
            "head_dim": HEADDIM, "hidden_act": "silu", "rms_norm_eps": EPS, "rope_theta": THETA, "rope_scaling": ROPE,
            "max_position_embeddings": 256, "tie_word_embeddings": True, "eos_token_id": [0, 101]}


def hybrid_config(ssm):
    return {"d_model": WIDTH, "n_layer": LAYERS, "intermediate_size": FF, "rms_norm_eps": EPS, "hidden_act": "silu",
            "vocab_size": None, "d_inner": None, "d_xb": KV_HEADS * HEADDIM, "ssm_cfg": ssm, "attn_layers": [1]}


def llamba_config(tied):
    return {"model_type": "llamba", "vocab_size": VOCAB, "pad_vocab_size_multiple": 1, "tie_embeddings": tied,
            "lm_head_bias": False, "d_model": WIDTH, "n_layer": LAYERS, "norm_epsilon": EPS,
            "mlp_cfg": {"intermediate_size": FF, "bias": False, "act_fn": "silu"},
            "ssm_cfg": {"d_state": 6, "n_v_heads": 4, "n_qk_heads": 2, "expand": 1, "activation": "identity", "bias": False}}


def save(name, configs, weights, expected, bf16=False):
    folder = OUT / name
    folder.mkdir(parents=True, exist_ok=True)
    for file, config in configs.items():
        (folder / file).write_text(json.dumps(config, indent=1) + "\n")
    tensors.write(folder / "model.safetensors", weights, bf16)
    tensors.write(folder / "expected.safetensors", expected)


def make_llamba(name, seed, bf16, tied):
    random = Random(seed, bf16)
    weights = {LLAMBA["embedding"]: random(VOCAB, WIDTH, scale=1), LLAMBA["norm"]: random(WIDTH, scale=0.1, around=1)}
    if not tied:
        weights["lm_head.weight"] = random(VOCAB, WIDTH)
    for layer in range(LAYERS):
        prefix = f"{LLAMBA['layers']}{layer}."
        weights |= block(random, prefix) | llamba_layer(random, prefix)
    ids = random.rng.integers(0, VOCAB, TOKENS)
    expected = {"ids": ids, **run(weights, LLAMBA, ids, lambda _, u, w: llamba_mixer(u, w))}
    save(name, {"config.json": llamba_config(tied)}, weights, expected, bf16)


def make_hybrid(seed, layer_of, mixer):
    random = Random(seed)
    weights = {LLAMA["embedding"]: random(VOCAB, WIDTH, scale=1), LLAMA["norm"]: random(WIDTH, scale=0.1, around=1)}
    for layer in range(LAYERS):
        prefix = f"{LLAMA['layers']}{layer}."
        weights |= block(random, prefix) | (attention_layer if layer == 1 else layer_of)(random, prefix)
    ids = random.rng.integers(0, VOCAB, TOKENS)
    runs = [run(weights, LLAMA, ids, lambda l, u, w: attention(u, w, scaled) if l == 1 else mixer(u, w))
            for scaled in (True, False)]
    return weights, {"ids": ids, **runs[0], "unscaled.logits": runs[1]["logits"]}


def main():
    make_llamba("llamba", 1, bf16=False, tied=True)
    make_llamba("llamba-bf16", 2, bf16=True, tied=False)
    weights, expected = make_hybrid(3, mamba1_layer, mamba1_mixer)
    configs = {"config.json": llama_config(), "mamba_config.json": hybrid_config({"expand": 1, "d_state": 4})}
    save("hybrid-mamba1", configs, weights, expected)
    save("hybrid-mamba1-fused", configs, fused(weights),
         {"ids": expected["ids"], "logits": expected["unscaled.logits"], "scaled.logits": expected["logits"]})
    weights, expected = make_hybrid(4, mamba2_layer, mamba2_mixer)
    configs["mamba_config.json"] = hybrid_config({"expand": 1, "ngroups": HEADS, "d_state": HEADDIM})
    save("hybrid-mamba2", configs, weights, expected)


if __name__ == "__main__":
    main()
