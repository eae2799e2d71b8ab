#!/usr/bin/env python3
"""Renders tests/fixtures/golden/lm: small random checkpoints of every architecture, and what transformers computes with them.

Each folder holds config.json, the checkpoint, and expected/model.safetensors:
    tokens, tokens_short  token ids (as f32) of a long sequence (past the window, past the original context) and of a short one
    hidden, hidden_short  [n][hidden]: last hidden states, f32 arithmetic
    rows, logits          (decoders) chosen rows of the long sequence, and their logits [n_rows][n_vocab]
    error_bf16, error_f16 transformers' own error against its f32, as [rms, max] of the hidden states, over [rms, max] of them
Default initialisation would hide a missing bias or norm (zeros and ones) and gives uniform attention: all parameters are drawn
here, and the attention's entropy is checked. Run by hand in a Python that has torch and transformers 5:
    .cache/peers/bin/python tests/peers/make_golden_lm.py
"""
import argparse
import json
import math
import pathlib
import shutil

import safetensors.torch
import torch
import transformers

DTYPES = {"f32": torch.float32, "bf16": torch.bfloat16, "f16": torch.float16}
DECODER = {"vocab_size": 67, "hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 4, "num_key_value_heads": 2,
           "head_dim": 12, "intermediate_size": 40, "rms_norm_eps": 1e-2, "bos_token_id": 1, "eos_token_id": 2,
           "max_position_embeddings": 256}
ENCODER = {"vocab_size": 67, "num_hidden_layers": 2, "num_attention_heads": 4, "layer_norm_eps": 1e-2,
           "pad_token_id": 0}


def plain(theta):
    return {"rope_type": "default", "rope_theta": theta}


CASES = {
    "llama": ("f32", "LlamaForCausalLM", "LlamaConfig", {**DECODER, "attention_bias": True, "mlp_bias": True,
              "tie_word_embeddings": False, "num_hidden_layers": 2, "rope_parameters": plain(500.0)}),
    "llama_linear": ("f16", "LlamaForCausalLM", "LlamaConfig", {**DECODER, "tie_word_embeddings": True,
                     "rope_parameters": {"rope_type": "linear", "rope_theta": 100.0, "factor": 4.0}}),
    "llama3": ("bf16", "LlamaForCausalLM", "LlamaConfig", {**DECODER, "tie_word_embeddings": True,
               "rope_parameters": {"rope_type": "llama3", "rope_theta": 1000.0, "factor": 8.0, "low_freq_factor": 1.0,
                                   "high_freq_factor": 4.0, "original_max_position_embeddings": 48}}),
    "mistral": ("bf16", "MistralForCausalLM", "MistralConfig", {**DECODER, "sliding_window": 9,
                "tie_word_embeddings": False, "rope_parameters": plain(300.0)}),
    "qwen2": ("f16", "Qwen2ForCausalLM", "Qwen2Config", {**{k: v for k, v in DECODER.items() if k != "head_dim"},
              "use_sliding_window": True, "sliding_window": 11, "max_window_layers": 1, "tie_word_embeddings": False,
              "rope_parameters": plain(700.0)}),
    "qwen3": ("bf16", "Qwen3ForCausalLM", "Qwen3Config", {**DECODER, "tie_word_embeddings": True,
              "rope_parameters": plain(400.0)}),
    "bert": ("f32", "BertModel", "BertConfig", {**ENCODER, "hidden_size": 28, "intermediate_size": 44,
             "max_position_embeddings": 100}),
    "bert_old": ("f16", "BertForMaskedLM", "BertConfig", {**ENCODER, "hidden_size": 28, "intermediate_size": 44,
                 "max_position_embeddings": 100, "hidden_act": "gelu_new"}),
    "nomic": ("bf16", "NomicBertModel", "NomicBertConfig", {**ENCODER, "hidden_size": 32, "intermediate_size": 44,
              "head_dim": 8, "max_position_embeddings": 100, "rope_parameters": plain(200.0)}),
}


def randomise(model, generator):
    """Every parameter of its own: matrices near unit gain, queries and keys above it, norms around one, biases large."""
    for name, parameter in model.named_parameters():
        noise = torch.randn(parameter.shape, generator=generator)
        if parameter.dim() == 1:
            norm = "norm" in name.lower() and name.endswith("weight")
            value = 0.6 + torch.rand(parameter.shape, generator=generator) if norm else 0.4 * noise
        elif "embed" in name:
            value = noise
        else:
            sharp = any(part in name for part in ("q_proj", "k_proj", "query", "key"))
            value = noise * (1.4 if sharp else 1.0) / math.sqrt(parameter.shape[1])
        parameter.data.copy_(value)


def run(folder, model_class, dtype, tokens, **more):
    model = getattr(transformers, model_class).from_pretrained(folder, dtype=dtype, attn_implementation="eager").eval()
    with torch.no_grad():
        out = model(torch.tensor([tokens]), output_hidden_states=True, **more)
    hidden = out.last_hidden_state if hasattr(out, "last_hidden_state") else out.hidden_states[-1]
    return hidden[0].float(), getattr(out, "logits", None), out


def check_attention(name, attentions):
    """A row's entropy over that of equal weights, averaged: near 1 the scores would not matter."""
    shares = []
    for layer in attentions:
        entropy = -(layer.clamp(min=1e-30).log() * layer).sum(-1)[..., 4:]
        equal = (layer[..., 4:, :] > 0).sum(-1).clamp(min=2).float().log()
        shares.append((entropy / equal).mean().item())
    print(f"{name}: entropy of attention over uniform, by layer: {' '.join(f'{s:.2f}' for s in shares)}")
    assert max(shares) < 0.93, name


def rename_old(folder):
    """The names of the first BERT checkpoints, and a tensor that nobody reads."""
    path = folder / "model.safetensors"
    tensors = safetensors.torch.load_file(path)
    renamed = {}
    for name, tensor in tensors.items():
        if "LayerNorm" in name:
            name = name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta")
        renamed[name] = tensor
    renamed["bert.embeddings.position_ids"] = torch.arange(100).unsqueeze(0)
    safetensors.torch.save_file(renamed, path, metadata={"format": "pt"})


def rewrite_config(name, folder):
    """llama_linear: the spelling of transformers 4. Versions and names of files are nobody's business."""
    path = folder / "config.json"
    config = json.loads(path.read_text())
    if name == "llama_linear":
        rope = config.pop("rope_parameters")
        config["rope_theta"] = rope["rope_theta"]
        config["rope_scaling"] = {"type": "linear", "factor": rope["factor"]}
        config["torch_dtype"] = config.pop("dtype")
    path.write_text(json.dumps(config, indent=1, sort_keys=True) + "\n")


def make(name, out, seed):
    dtype, model_class, config_class, settings = CASES[name]
    folder = out / name
    shutil.rmtree(folder, ignore_errors=True)
    generator = torch.Generator().manual_seed(seed)
    config = getattr(transformers, config_class)(**settings)
    model = getattr(transformers, model_class)(config)
    randomise(model, generator)
    if config.to_dict().get("tie_word_embeddings") and hasattr(model, "lm_head"):
        model.tie_weights()
    model.to(DTYPES[dtype]).save_pretrained(folder, max_shard_size="30KB" if name == "mistral" else "5GB")
    tokens = torch.randint(3, 67, (77,), generator=generator).tolist()
    short = torch.randint(3, 67, (5,), generator=generator).tolist()
    hidden, logits, out32 = run(folder, model_class, torch.float32, tokens, output_attentions=True)
    check_attention(name, out32.attentions)
    expected = {"tokens": torch.tensor(tokens).float(), "tokens_short": torch.tensor(short).float(), "hidden": hidden,
                "hidden_short": run(folder, model_class, torch.float32, short)[0]}
    if logits is not None and "Causal" in model_class:
        rows = [0, 1, 31, 32, 63, 76]
        expected |= {"rows": torch.tensor(rows).float(), "logits": logits[0, rows].float()}
    for other in ("bf16", "f16"):
        difference = run(folder, model_class, DTYPES[other], tokens)[0] - hidden
        expected["error_" + other] = torch.tensor([(difference.pow(2).mean() / hidden.pow(2).mean()).sqrt(),
                                                   difference.abs().max() / hidden.abs().max()])
    print(name, {k: [f"{x:.2e}" for x in v] for k, v in expected.items() if k.startswith("error")})
    rewrite_config(name, folder)
    if name == "bert_old":
        rename_old(folder)
    (folder / "expected").mkdir()
    safetensors.torch.save_file({k: v.contiguous() for k, v in expected.items()}, folder / "expected/model.safetensors",
                                metadata={"made_by": f"tests/peers/make_golden_lm.py, torch {torch.__version__}, "
                                                     f"transformers {transformers.__version__}, CPU, eager attention"})


def make_rope(out):
    """expected/model.safetensors of `rope`: the angles of released models at far positions, [3][n][128]: 64 cosines, then sines."""
    from transformers.models.llama.modeling_llama import LlamaRotaryEmbedding

    llama3 = {"rope_type": "llama3", "rope_theta": 5e5, "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
              "original_max_position_embeddings": 8192}
    positions, angles = [1, 100, 4095, 8192, 32767, 131071], []
    for rope in (plain(1e6), {"rope_type": "linear", "rope_theta": 1e4, "factor": 4.0}, llama3):
        config = transformers.LlamaConfig(head_dim=128, max_position_embeddings=131072, rope_parameters=rope)
        cosine, sine = LlamaRotaryEmbedding(config)(torch.zeros(1), torch.tensor([positions]))
        angles.append(torch.cat([cosine[0, :, :64], sine[0, :, :64]], dim=1))
    (out / "rope" / "expected").mkdir(parents=True, exist_ok=True)
    safetensors.torch.save_file({"angles": torch.stack(angles), "positions": torch.tensor(positions).float()},
                                out / "rope" / "expected" / "model.safetensors")


def main():
    default = pathlib.Path(__file__).resolve().parent.parent / "fixtures" / "golden" / "lm"
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=pathlib.Path, default=default)
    parser.add_argument("cases", nargs="*", default=[*CASES, "rope"])
    args = parser.parse_args()
    torch.set_num_threads(1)
    for name in args.cases:
        make_rope(args.out) if name == "rope" else make(name, args.out, 1 + list(CASES).index(name))


if __name__ == "__main__":
    main()
