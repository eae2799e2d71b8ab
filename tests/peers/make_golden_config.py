#!/usr/bin/env python3
"""Golden readings of config.json: what transformers' own classes say of files that they wrote, and of the same files in
the spelling of transformers 4. Writes tests/fixtures/golden/lm_config.json. Usage: make_golden_config.py OUT.json

Needs transformers 5 (see tests/bench/README.md for the environment of the peers)."""
import copy
import json
import sys
import tempfile

import transformers
from transformers import AutoConfig, BertConfig, LlamaConfig, MistralConfig, NomicBertConfig, Qwen2Config, Qwen3Config

LLAMA3 = {"rope_type": "llama3", "rope_theta": 500000.0, "factor": 32.0, "low_freq_factor": 1.0,
          "high_freq_factor": 4.0, "original_max_position_embeddings": 8192}
SMALL = dict(hidden_size=96, intermediate_size=160, num_hidden_layers=4, num_attention_heads=6, vocab_size=320)


def cases():
    def llama(**more):
        return LlamaConfig(architectures=["LlamaForCausalLM"], **more)

    yield "llama 2 7B", LlamaConfig(architectures=["LlamaForCausalLM"], dtype="float16", max_position_embeddings=4096,
                                    rms_norm_eps=1e-5)
    yield "llama 3.2 1B", llama(dtype="bfloat16", hidden_size=2048, intermediate_size=8192, num_hidden_layers=16,
                                num_key_value_heads=8, head_dim=64, vocab_size=128256, max_position_embeddings=131072,
                                bos_token_id=128000, eos_token_id=[128001, 128008, 128009], rms_norm_eps=1e-5,
                                tie_word_embeddings=True, rope_parameters=LLAMA3)
    yield "llama with defaults", LlamaConfig()
    yield "llama with biases", llama(**SMALL, head_dim=24, num_key_value_heads=3, attention_bias=True, mlp_bias=True)
    yield "llama, linear", llama(**SMALL, rope_parameters={"rope_type": "linear", "rope_theta": 1e4, "factor": 4.0})
    yield "mistral 0.1", MistralConfig(dtype="bfloat16", rms_norm_eps=1e-5)
    yield "mistral 0.2", MistralConfig(sliding_window=None, rope_parameters={"rope_type": "default", "rope_theta": 1e6})
    yield "qwen2 with defaults", Qwen2Config()
    yield "qwen2, window", Qwen2Config(**SMALL, num_key_value_heads=2, use_sliding_window=True, sliding_window=64,
                                       max_window_layers=1, bos_token_id=1, eos_token_id=2)
    yield "qwen3 with defaults", Qwen3Config()
    yield "qwen3 0.6B", Qwen3Config(hidden_size=1024, intermediate_size=3072, num_hidden_layers=28,
                                    num_attention_heads=16, num_key_value_heads=8, head_dim=128, dtype="bfloat16",
                                    max_position_embeddings=40960, tie_word_embeddings=True,
                                    rope_parameters={"rope_type": "default", "rope_theta": 1e6})
    yield "bert with defaults", BertConfig()
    yield "bert, small", BertConfig(**SMALL, hidden_act="relu", type_vocab_size=3, layer_norm_eps=1e-6)
    yield "nomic_bert with defaults", NomicBertConfig()
    yield "nomic_bert, small", NomicBertConfig(**SMALL)


def old_spelling(new):
    """As transformers 4 wrote it."""
    old = copy.deepcopy(new)
    rope = old.pop("rope_parameters", None)
    if rope is not None:
        old["rope_theta"] = rope.pop("rope_theta")
        old["rope_scaling"] = None if rope["rope_type"] == "default" else rope
    if "dtype" in old:
        old["torch_dtype"] = old.pop("dtype")
    old.pop("layer_types", None)
    if old["model_type"] == "qwen2" and old["use_sliding_window"] is False:
        old["sliding_window"] = 4096
    old["transformers_version"] = "4.46.0"
    return old


def reading(text):
    """What the reference makes of the file."""
    with tempfile.TemporaryDirectory() as folder:
        with open(folder + "/config.json", "w") as out:
            out.write(text)
        c = AutoConfig.from_pretrained(folder)
    rope = getattr(c, "rope_parameters", None)
    window = getattr(c, "sliding_window", None)
    types = getattr(c, "layer_types", None)
    if types is None:
        types = ["sliding_attention" if window else "full_attention"] * c.num_hidden_layers
    eos = c.eos_token_id
    dtype = str(c.dtype).replace("torch.", "") if c.dtype is not None else "float32"
    heads = c.num_attention_heads
    return {
        "family": c.model_type, "n_layers": c.num_hidden_layers, "hidden": c.hidden_size, "n_heads": heads,
        "n_kv_heads": getattr(c, "num_key_value_heads", heads),
        "head_dim": getattr(c, "head_dim", None) or c.hidden_size // heads, "ffn": c.intermediate_size,
        "n_vocab": c.vocab_size, "n_positions": c.max_position_embeddings,
        "n_types": getattr(c, "type_vocab_size", 0), "stored": dtype, "activation": c.hidden_act,
        "qkv_bias": c.model_type in ("bert", "qwen2") or bool(getattr(c, "attention_bias", False)),
        "ffn_bias": c.model_type == "bert" or bool(getattr(c, "mlp_bias", False)),
        "tied": bool(c.tie_word_embeddings), "eps": getattr(c, "rms_norm_eps", None) or c.layer_norm_eps,
        "theta": rope["rope_theta"] if rope else 0, "rope_type": rope["rope_type"] if rope else "default",
        "factor": rope.get("factor", 1.0) if rope else 1.0,
        "original_positions": rope.get("original_max_position_embeddings", 0) if rope else 0,
        "windowed": [kind == "sliding_attention" for kind in types],
        "window": window if window and "sliding_attention" in types else 0,
        "bos": c.bos_token_id if c.bos_token_id is not None else -1,
        "eos": eos if isinstance(eos, list) else [] if eos is None else [eos],
    }


def main():
    out = []
    for name, config in cases():
        new = json.loads(config.to_json_string(use_diff=True))
        for spelling, file in (("5", new), ("4", old_spelling(new))):
            text = json.dumps(file)
            out.append({"name": f"{name}, as transformers {spelling} writes it", "file": file,
                        "reading": reading(text)})
    with open(sys.argv[1], "w") as stream:
        json.dump({"made_by": f"tests/peers/make_golden_config.py, transformers {transformers.__version__}",
                   "cases": out}, stream, separators=(",", ":"))
        stream.write("\n")


main()
