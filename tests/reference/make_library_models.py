"""Makes tests/data/models/{llama3,llama3-untied,mamba2,mamba2-groups} with published code: the transformers library's
Llama and Mamba-2, and the plain PyTorch reference functions of mamba-ssm's source distribution (unpacked; never installed,
never built). Random small weights in float32; what is expected of them in float64 where the code allows. Also holds
make_formula_models.py's Mamba-1 recurrence against mamba-ssm's.

    pip install torch transformers einops; pip download --no-deps --no-binary :all: mamba-ssm; tar xf mamba_ssm-*.tar.gz
    python3 tests/reference/make_library_models.py mamba_ssm-*/

Each folder is what the library itself saves (config.json, model.safetensors or shards), and expected.safetensors: ids [T],
logits [T, V], matrix.L [H, T, T], and of Mamba-2 state.L after the last token.
"""
import ast
import json
import math
import pathlib
import shutil
import sys

import numpy as np
import torch
import torch.nn.functional as F
import transformers

import make_formula_models as formulas
import tensors

OUT = formulas.OUT
VOCAB, TOKENS = 103, 24
FUNCTIONS = {"mamba_ssm/ops/selective_scan_interface.py": ["selective_scan_ref"],
             "mamba_ssm/modules/ssd_minimal.py": ["segsum", "ssd_minimal_discrete"],
             "mamba_ssm/ops/triton/layernorm_gated.py": ["rms_norm_ref"]}


def reference_functions(source):
    """The named functions alone: their modules would import CUDA extensions."""
    from einops import rearrange, repeat
    space = {"torch": torch, "F": F, "rearrange": rearrange, "repeat": repeat, "math": math}
    for path, names in FUNCTIONS.items():
        tree = ast.parse((pathlib.Path(source) / path).read_text())
        found = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name in names]
        assert len(found) == len(names), path
        exec(compile(ast.Module(found, []), path, "exec"), space)
    return space


def randomise(model, seed):
    generator = torch.Generator().manual_seed(seed)
    for name, value in model.named_parameters():
        noise = torch.randn(value.shape, generator=generator)
        if name.endswith("A_log") or name.endswith("dt_bias"):
            value.data = 0.6 * noise - (1 if name.endswith("dt_bias") else 0)
        elif value.dim() == 1:
            value.data = (0.0 if name.endswith("bias") else 1.0) + 0.2 * noise
        elif "embed" in name:
            value.data = noise
        else:
            value.data = noise * (value.shape[-1] ** -0.5 if value.dim() == 2 else 0.5)


def save(model, name, shards=None):
    folder = OUT / name
    shutil.rmtree(folder, ignore_errors=True)
    model.save_pretrained(folder, **({"max_shard_size": shards} if shards else {}))
    return folder


def make_llama(name, seed, tied, shards=None):
    config = transformers.LlamaConfig(
        vocab_size=VOCAB, hidden_size=32, intermediate_size=48, num_hidden_layers=3, num_attention_heads=4,
        num_key_value_heads=2, rms_norm_eps=1e-5, rope_theta=500000.0, max_position_embeddings=256,
        rope_scaling={"rope_type": "llama3", "factor": 32.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
                      "original_max_position_embeddings": 64},
        tie_word_embeddings=tied, bos_token_id=1, eos_token_id=[0, 101, 102], attn_implementation="eager")
    model = transformers.LlamaForCausalLM(config)
    randomise(model, seed)
    for layer in model.model.layers:  # attention that looks somewhere
        layer.self_attn.q_proj.weight.data *= 3
        layer.self_attn.k_proj.weight.data *= 3
    model.tie_weights()
    folder = save(model, name, shards)
    ids = torch.randint(0, VOCAB, (1, TOKENS), generator=torch.Generator().manual_seed(seed + 100))
    with torch.no_grad():
        result = model.double()(ids, output_attentions=True)
    expected = {"ids": ids[0].numpy(), "logits": result.logits[0].numpy()}
    for layer, attention in enumerate(result.attentions):
        expected[f"matrix.{layer}"] = attention[0].numpy()
    tensors.write(folder / "expected.safetensors", expected)


def mamba2_mixer(u, mixer, groups, norm_group, ref):
    """One mixer from mamba-ssm's reference functions: u [T, C] -> output [T, C], matrices [H, T, T], state [H, P, N]."""
    weight = {name: value.detach().double() for name, value in mixer.items()}
    heads = len(weight["A_log"])
    inner = len(weight["norm.weight"])
    projected = u @ weight["in_proj.weight"].T
    state = (weight["conv1d.weight"].shape[0] - inner) // (2 * groups)
    z, xbc, dt = torch.split(projected, [inner, inner + 2 * groups * state, heads], -1)
    kernel = weight["conv1d.weight"]
    padded = F.pad(xbc.T[None], (kernel.shape[2] - 1, 0))
    xbc = F.silu(F.conv1d(padded, kernel, weight["conv1d.bias"], groups=kernel.shape[0]))[0].T
    x, b, c = torch.split(xbc, [inner, groups * state, groups * state], -1)
    x = x.reshape(len(u), heads, inner // heads)
    b, c = (part.reshape(len(u), groups, state).repeat_interleave(heads // groups, 1) for part in (b, c))
    dt = F.softplus(dt + weight["dt_bias"])
    decay = dt * -torch.exp(weight["A_log"])
    y, last = ref["ssd_minimal_discrete"]((x * dt[..., None])[None], decay[None], b[None], c[None], len(u))
    matrices = torch.einsum("ihn,jhn->hij", c, b) * torch.exp(ref["segsum"](decay.T)) * dt.T[:, None]
    y = (y[0] + weight["D"][:, None] * x).reshape(len(u), inner)
    y = ref["rms_norm_ref"](y, weight["norm.weight"], None, z=z, eps=1e-5, group_size=norm_group, norm_before_gate=False,
                            upcast=False)
    return y @ weight["out_proj.weight"].T, matrices, last[0]


def mamba2_expected(state_dict, ids, layers, groups, norm_group, ref):
    state_dict = {name: value.double() for name, value in state_dict.items()}
    embedding = state_dict.get("backbone.embeddings.weight", state_dict.get("backbone.embedding.weight"))
    rms = lambda v, w: ref["rms_norm_ref"](v, w, None, eps=1e-5, upcast=False)
    x = embedding[ids]
    expected = {"ids": ids.numpy()}
    for layer in range(layers):
        prefix = f"backbone.layers.{layer}."
        mixer = {name[len(prefix) + 6:]: value for name, value in state_dict.items() if name.startswith(prefix + "mixer.")}
        mixed, matrices, state = mamba2_mixer(rms(x, state_dict[prefix + "norm.weight"]), mixer, groups, norm_group, ref)
        x = x + mixed
        expected[f"matrix.{layer}"], expected[f"state.{layer}"] = matrices.numpy(), state.numpy()
    head = state_dict.get("lm_head.weight", embedding)
    expected["logits"] = (rms(x, state_dict["backbone.norm_f.weight"]) @ head.T).numpy()
    return expected


def mamba2_model(groups, tied, seed):
    # One chunk covers the text: without its CUDA kernels transformers 4.46 loses the state between chunks.
    config = transformers.Mamba2Config(
        vocab_size=VOCAB, hidden_size=24, num_hidden_layers=2, num_heads=6, head_dim=8, expand=2, n_groups=groups, state_size=10,
        conv_kernel=4, chunk_size=32, tie_word_embeddings=tied, bos_token_id=1, eos_token_id=0, pad_token_id=0)
    model = transformers.Mamba2ForCausalLM(config)
    randomise(model, seed)
    model.tie_weights()
    return model


def make_mamba2(ref):
    """As transformers saves and computes it; mamba-ssm's functions agree."""
    model = mamba2_model(groups=1, tied=False, seed=21)
    folder = save(model, "mamba2")
    ids = torch.randint(0, VOCAB, (TOKENS,), generator=torch.Generator().manual_seed(121))
    expected = mamba2_expected(model.state_dict(), ids, 2, 1, None, ref)
    with torch.no_grad():
        result = model(ids[None], use_cache=True)
    np.testing.assert_allclose(result.logits[0].numpy(), expected["logits"], atol=2e-5)
    for layer in range(2):
        state = result.cache_params.ssm_states[layer][0].numpy()
        np.testing.assert_allclose(state, expected[f"state.{layer}"], atol=2e-5)
    expected["logits"] = result.logits[0].numpy()
    tensors.write(folder / "expected.safetensors", expected)


def make_mamba2_groups(ref):
    """The state-spaces spelling, with two groups, each of which the gated norm takes alone; a tied head that is stored."""
    weights = {name.replace("embeddings", "embedding"): value
               for name, value in mamba2_model(groups=2, tied=True, seed=22).state_dict().items()}
    folder = OUT / "mamba2-groups"
    folder.mkdir(parents=True, exist_ok=True)
    config = {"d_model": 24, "d_intermediate": 0, "n_layer": 2, "vocab_size": VOCAB, "pad_vocab_size_multiple": 1,
              "ssm_cfg": {"layer": "Mamba2", "headdim": 8, "d_state": 10, "ngroups": 2}, "attn_layer_idx": [], "attn_cfg": {},
              "rms_norm": True, "residual_in_fp32": True, "fused_add_norm": True, "tie_embeddings": True}
    (folder / "config.json").write_text(json.dumps(config, indent=1) + "\n")
    tensors.write(folder / "model.safetensors", {name: value.numpy() for name, value in weights.items()})
    ids = torch.randint(0, VOCAB, (TOKENS,), generator=torch.Generator().manual_seed(122))
    tensors.write(folder / "expected.safetensors", mamba2_expected(weights, ids, 2, 2, 24, ref))


def check_mamba1(ref):
    """make_formula_models.py's Mamba-1 mixer is mamba-ssm's selective_scan_ref, called as the hybrids call it."""
    rng = np.random.default_rng(5)
    inner, n, tokens, groups = 32, 4, 12, 8
    u = rng.standard_normal((tokens, formulas.WIDTH))
    w = formulas.mamba1_layer(formulas.Random(6), "")
    w["mamba.out_proj.weight"] = np.eye(inner)
    ours, _, state = formulas.mamba1_mixer(u, w)
    tensor = {name.removeprefix("mamba."): torch.from_numpy(value) for name, value in w.items()}
    u = torch.from_numpy(u)
    expand = lambda v: v.reshape(tokens, groups // 2, n).repeat_interleave(2, 1)
    x = expand(u @ tensor["in_proj_x.weight"].T).reshape(tokens, inner)
    kernel = tensor["conv1d.weight"]
    x = F.silu(F.conv1d(F.pad(x.T[None], (3, 0)), kernel, tensor["conv1d.bias"], groups=inner))
    delta = F.linear(u @ tensor["dt_proj_down.weight"].T, tensor["dt_proj.weight"], tensor["dt_proj.bias"]).T[None]
    b = expand(u @ tensor["B_proj.weight"].T).permute(1, 2, 0)[None]
    c = (u @ tensor["C_proj.weight"].T).reshape(tokens, groups, n).permute(1, 2, 0)[None]
    y, last = ref["selective_scan_ref"](x.float(), delta.float(), -torch.exp(tensor["A_log"]).float(), b.float(), c.float(),
                                        tensor["D"].float(), z=(u @ tensor["in_proj_z.weight"].T).T[None].float(),
                                        delta_bias=tensor["dt_proj.bias"].float(), delta_softplus=True,
                                        return_last_state=True)
    np.testing.assert_allclose(y[0].T.numpy(), ours, atol=1e-5)
    np.testing.assert_allclose(last[0].numpy(), state, atol=1e-5)


def main():
    torch.manual_seed(0)
    ref = reference_functions(sys.argv[1])
    check_mamba1(ref)
    make_llama("llama3", 11, tied=True, shards="40KB")
    make_llama("llama3-untied", 12, tied=False)
    make_mamba2(ref)
    make_mamba2_groups(ref)


if __name__ == "__main__":
    main()
