"""The reference libraries, told what the project's policy is: no special tokens around, none found in the text."""
import base64
import json
import os

import sentencepiece
import tiktoken
import tokenizers
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers

LLAMA3 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|"
          r"\s+(?!\S)|\s+")
QWEN = LLAMA3.replace(r"\p{N}{1,3}", r"\p{N}")


def from_tokenizers(tokenizer):
    tokenizer.encode_special_tokens = True
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return lambda text: tokenizer.encode(text, add_special_tokens=False).ids, tokenizer.decode


def byte_level(folder, vocab, merges, pattern, nfc):
    tokenizer = Tokenizer(models.BPE.from_file(os.path.join(folder, vocab), os.path.join(folder, merges)))
    if nfc:
        tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False) if pattern is None else \
        pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(pattern), "isolated"),
                                 pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    tokenizer.decoder = decoders.ByteLevel()
    config = os.path.join(folder, "tokenizer_config.json")
    if os.path.exists(config):
        with open(config, encoding="utf-8") as file:
            for token in json.load(file).get("added_tokens_decoder", {}).values():
                special = token.pop("special")
                token = AddedToken(token.pop("content"), special=special, **token)
                (tokenizer.add_special_tokens if special else tokenizer.add_tokens)([token])
    return tokenizer


def tiktoken_ranks(path):
    with open(path, "rb") as file:
        return {base64.b64decode(word): int(rank) for word, rank in (line.split() for line in file if line.strip())}


def wordpiece(folder, lower=True):
    return tokenizers.BertWordPieceTokenizer(os.path.join(folder, "vocab.txt"), lowercase=lower)._tokenizer


def reference(kind, folder):
    """text -> ids, ids -> text"""
    if kind == "sentencepiece":
        processor = sentencepiece.SentencePieceProcessor(model_file=os.path.join(folder, "tokenizer.model"))
        return processor.encode, processor.decode
    if kind == "tiktoken":
        encoding = tiktoken.Encoding("llama3", pat_str=LLAMA3, special_tokens={}, mergeable_ranks=tiktoken_ranks(
            os.path.join(folder, "tokenizer.model")))
        return encoding.encode_ordinary, encoding.decode
    if kind == "qwen":
        return from_tokenizers(byte_level(folder, "vocab.json", "merges.txt", QWEN, True))
    if kind == "gpt2":
        return from_tokenizers(byte_level(folder, "encoder.json", "vocab.bpe", None, False))
    if kind == "wordpiece":
        return from_tokenizers(wordpiece(folder))
    return from_tokenizers(Tokenizer.from_file(os.path.join(folder, "tokenizer.json")))  # "json"


# ---- the same vocabularies in Hugging Face tokenizers, for the speed of it ----

def splits(tokens, rank):
    """Merges that give every token: all its cuts into two tokens, in the order of rank."""
    found = [(token[:i], token[i:]) for token in tokens for i in range(1, len(token))
             if token[:i] in tokens and token[i:] in tokens]
    return sorted(found, key=lambda pair: (rank(pair[0] + pair[1]), len(pair[0])))


def byte_letters():
    """GPT-2's letters for bytes."""
    plain = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in plain]
    return {**{b: chr(b) for b in plain}, **{b: chr(256 + i) for i, b in enumerate(others)}}


def fast_llama3(folder):
    letters = byte_letters()
    vocab = {"".join(letters[b] for b in token): rank
             for token, rank in tiktoken_ranks(os.path.join(folder, "tokenizer.model")).items()}
    tokenizer = Tokenizer(models.BPE(vocab, splits(vocab, vocab.get), ignore_merges=True))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(LLAMA3), "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    return tokenizer


def fast_llama2(folder):
    processor = sentencepiece.SentencePieceProcessor(model_file=os.path.join(folder, "tokenizer.model"))
    vocab = {processor.id_to_piece(i): i for i in range(len(processor))}
    normal = {piece: i for piece, i in vocab.items() if not (processor.is_byte(i) or processor.is_control(i) or
                                                             processor.is_unknown(i))}
    merges = splits(normal, lambda piece: -processor.get_score(normal[piece]))
    tokenizer = Tokenizer(models.BPE(vocab, merges, unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("\u2581"), normalizers.Replace(" ", "\u2581")])
    return tokenizer


def fast(name, folder):
    return {"llama2": fast_llama2, "llama3": fast_llama3, "bert-uncased": wordpiece,
            "qwen": lambda f: byte_level(f, "vocab.json", "merges.txt", QWEN, True),
            "gpt2": lambda f: byte_level(f, "encoder.json", "vocab.bpe", None, False)}[name](folder)
