"""Golden ids of tokenizers, and the small tokenizers in the tree that always can be tested.

    python make_golden_tokenizers.py [--train] DATA    DATA: the folder with tokenizer-llama2, tokenizer-llama3 ...

--train makes the small tokenizers anew (tests/fixtures/tokenizers/*/), from the corpus itself. Then the reference libraries
encode the whole corpus and every code point between others, and hashes of the ids go to tests/fixtures/golden/tokenizers.json:
"chunks", one for each chunk of text; "decoded", one for what ten chunks' ids are decoded to; "points", one for each
thousand code points."""
import argparse
import base64
import json
import os

import sentencepiece
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

import tokenizer_corpus as corpus
import tokenizer_references as references

HERE = os.path.dirname(os.path.abspath(__file__))
SMALL = os.path.join(HERE, "../fixtures/tokenizers")
GOLDEN = os.path.join(HERE, "../fixtures/golden/tokenizers.json")
REAL = {"tokenizer-llama2": "sentencepiece", "tokenizer-llama3": "tiktoken", "tokenizer-qwen": "qwen",
        "tokenizer-gpt2": "gpt2", "tokenizer-bert-uncased": "wordpiece"}
TRAINED = {"sentencepiece": "sentencepiece", "sentencepiece-trim": "sentencepiece", "tiktoken": "tiktoken",
           "qwen": "qwen", "gpt2": "gpt2", "wordpiece": "wordpiece", "json-bytes": "json", "json-pieces": "json",
           "json-metaspace": "json", "json-words": "json"}
MARK = "\u2581"


def fnv(data, value=0xCBF29CE484222325):
    for byte in data:
        value = (value ^ byte) * 0x100000001B3 & corpus.MASK
    return value


def bytes_of(ids):
    return b"".join(i.to_bytes(4, "little") for i in ids)


# ---- the small tokenizers ----

def training_text(seeds):
    texts = list(seeds[1]) * 3 + [corpus.chunk(n, seeds) for n in range(5000, 5040)]
    with open(os.path.join(HERE, "../../src/README.md"), encoding="utf-8") as file:
        return texts + file.read().split("\n")


def train_bytes(texts, pattern, n):
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False) if pattern is None else \
        pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(pattern), "isolated"),
                                 pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator(texts, trainers.BpeTrainer(vocab_size=n, show_progress=False, initial_alphabet=sorted(
        pre_tokenizers.ByteLevel.alphabet())))
    return tokenizer


def save_json(name, value):
    folder = os.path.join(SMALL, name)
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "tokenizer.json"), "w", encoding="utf-8") as file:
        json.dump(value, file, ensure_ascii=False, separators=(",", ":"))


def token(number, content, special=False, normalized=False):
    return {"id": number, "content": content, "single_word": False, "lstrip": False, "rstrip": False,
            "normalized": normalized, "special": special}


def write(name, file, text):
    os.makedirs(os.path.join(SMALL, name), exist_ok=True)
    with open(os.path.join(SMALL, name, file), "w", encoding="utf-8", newline="\n") as out:
        out.write(text)


def train_lists(texts):
    for name, pattern, vocab, merges in (("qwen", references.QWEN, "vocab.json", "merges.txt"),
                                         ("gpt2", None, "encoder.json", "vocab.bpe")):
        model = json.loads(train_bytes(texts, pattern, 640).to_str())["model"]
        write(name, vocab, json.dumps(model["vocab"], ensure_ascii=False))
        write(name, merges, "#version: 0.2\n" + "".join(" ".join(pair) + "\n" for pair in model["merges"]))
    added = {"640": token(640, "<|endoftext|>", True), "641": token(641, "<|im_start|>", True),
             "642": token(642, "<think>"), "643": token(643, "negative samples"),
             "644": token(644, "Vi\u00EA\u0323t Nam", normalized=True)}
    for entry in added.values():
        entry.pop("id")
    write("qwen", "tokenizer_config.json", json.dumps(
        {"tokenizer_class": "Qwen2Tokenizer", "added_tokens_decoder": added, "eos_token": "<|im_start|>",
         "bos_token": None, "pad_token": "<|endoftext|>", "model_max_length": 10 ** 30}))


def train_tiktoken(texts):
    full = json.loads(train_bytes(texts, references.LLAMA3, 700).to_str())
    letters = {letter: byte for byte, letter in references.byte_letters().items()}
    ranks = [bytes([byte]) for byte in range(256)] + [bytes(letters[c] for c in a + b) for a, b in full["model"]["merges"]]
    write("tiktoken", "tokenizer.model", "".join(f"{base64.b64encode(t).decode()} {i}\n" for i, t in enumerate(ranks)))
    model = full["model"]
    model["ignore_merges"] = True
    model["merges"] = model["merges"][:-40]  # so that some tokens come from whole words only
    n = len(model["vocab"])
    full["added_tokens"] = [token(n, "<|begin|>", True), token(n + 1, "<|end|>", True), token(n + 2, "<tool_call>\n")]
    full["post_processor"] = {"type": "Sequence", "processors": [
        {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": False, "use_regex": True},
        json.loads(processors.TemplateProcessing(single="<|begin|> $A", special_tokens=[("<|begin|>", n)]).__getstate__())]}
    save_json("json-bytes", full)


def train_sentencepiece(texts):
    for name, trim in (("sentencepiece", False), ("sentencepiece-trim", True)):
        folder = os.path.join(SMALL, name)
        os.makedirs(folder, exist_ok=True)
        prefix = os.path.join(folder, "tokenizer")
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(t.replace("\0", "") for t in texts if len(t) < 1000), model_prefix=prefix, model_type="bpe",
            vocab_size=900, character_coverage=0.98, byte_fallback=True, normalization_rule_name="identity", split_digits=True,
            remove_extra_whitespaces=trim, allow_whitespace_only_pieces=True, num_threads=1, minloglevel=2)
        os.remove(prefix + ".vocab")
    processor = sentencepiece.SentencePieceProcessor(model_file=os.path.join(SMALL, "sentencepiece", "tokenizer.model"))
    pieces = {processor.id_to_piece(i): i for i in range(len(processor))}
    order = lambda pair: (-processor.get_score(pieces["".join(pair)]), len(pair[0]))
    merges = sorted(((p[:i], p[i:]) for p in pieces for i in range(1, len(p))
                     if pieces[p] > 258 and p[:i] in pieces and p[i:] in pieces), key=order)
    space = {"type": "Replace", "pattern": {"String": " "}, "content": MARK}
    decoder = {"type": "Sequence", "decoders": [
        {"type": "Replace", "pattern": {"String": MARK}, "content": " "}, {"type": "ByteFallback"}, {"type": "Fuse"},
        {"type": "Strip", "content": " ", "start": 1, "stop": 0}]}
    value = {"version": "1.0", "truncation": None, "padding": None, "added_tokens": [
        token(0, "<unk>", True), token(1, "<s>", True), token(2, "</s>", True), token(len(pieces), "<tool_call>\n"),
        token(len(pieces) + 1, "<tool_call>"), token(len(pieces) + 2, "SELECT * FROM")],
        "normalizer": {"type": "Sequence", "normalizers": [{"type": "Prepend", "prepend": MARK}, space]},
        "pre_tokenizer": None,
        "post_processor": json.loads(processors.TemplateProcessing(
            single="<s> $A </s>", special_tokens=[("<s>", 1), ("</s>", 2)]).__getstate__()), "decoder": decoder,
        "model": {"type": "BPE", "dropout": None, "unk_token": "<unk>", "continuing_subword_prefix": None,
                  "end_of_word_suffix": None, "fuse_unk": True, "byte_fallback": True, "ignore_merges": False,
                  "vocab": pieces, "merges": [" ".join(pair) for pair in merges]}}
    save_json("json-pieces", value)
    save_json("json-metaspace", {**value, "normalizer": None, "pre_tokenizer": {
        "type": "Metaspace", "replacement": MARK, "prepend_scheme": "first", "split": False}})


def train_words(texts):
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer, tokenizer.pre_tokenizer = normalizers.BertNormalizer(), pre_tokenizers.BertPreTokenizer()
    names = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    tokenizer.train_from_iterator(texts, trainers.WordPieceTrainer(
        vocab_size=1200, limit_alphabet=400, special_tokens=names, show_progress=False))
    vocab = tokenizer.get_vocab()
    write("wordpiece", "vocab.txt", "".join(word + "\n" for word in sorted(vocab, key=vocab.get)))
    full = json.loads(tokenizer.to_str())
    full["normalizer"]["lowercase"] = False
    full["model"]["max_input_chars_per_word"] = 20
    n = len(vocab)
    full["decoder"] = {"type": "WordPiece", "prefix": "##", "cleanup": True}
    full["added_tokens"] += [token(n, "THEY'RE", normalized=True), token(n + 1, "negative samples")]
    full["post_processor"] = {"type": "BertProcessing", "sep": ["[SEP]", 3], "cls": ["[CLS]", 2]}
    save_json("json-words", full)


# ---- golden ids ----

def golden(encode, decode, seeds, n_chunks, group):
    chunks, decoded, points = [], [], []
    for start in range(0, n_chunks, 10):
        value = 0xCBF29CE484222325
        for number in range(start, min(start + 10, n_chunks)):
            ids = encode(corpus.chunk(number, seeds))
            chunks.append(f"{fnv(bytes_of(ids)):016x}")
            value = fnv(decode(ids).encode(), value)
        decoded.append(f"{value:016x}")
    all_points = list(corpus.points())
    for start in range(0, len(all_points), group):
        value = 0xCBF29CE484222325
        for point in all_points[start:start + group]:
            for text in corpus.surroundings(point):
                value = fnv(bytes_of(encode(text)), value)
        points.append(f"{value:016x}")
    return {"group": group, "chunks": chunks, "decoded": decoded, "points": points}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("data")
    parser.add_argument("--train", action="store_true")
    args = parser.parse_args()
    seeds = corpus.read_seeds()
    if args.train:
        texts = training_text(seeds)
        train_lists(texts)
        train_tiktoken(texts)
        train_sentencepiece(texts)
        train_words(texts)
    result = {}
    for name, kind in REAL.items():
        result[name] = golden(*references.reference(kind, os.path.join(args.data, name)), seeds, corpus.N_CHUNKS, 1000)
        print(name)
    for name, kind in TRAINED.items():
        result[name] = golden(*references.reference(kind, os.path.join(SMALL, name)), seeds, 60, 4000)
        print(name)
    with open(GOLDEN, "w", encoding="ascii") as file:
        file.write("{\n" + ",\n".join(f"{json.dumps(name)}: {json.dumps(value)}" for name, value in result.items()) + "\n}\n")


if __name__ == "__main__":
    main()
