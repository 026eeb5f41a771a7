"""Makes tests/data/tokenizer with the Python package `tokenizers` (pip install tokenizers), which Tandem never uses.

    python3 tests/reference/make_tokenizer_vectors.py

llama3.json   byte-level BPE of about 1,000 tokens with Llama-3's pre-tokenizer, ignore_merges, merges as pairs, BOS template
smollm.json   the same merges with SmolLM2's pre-tokenizer (Digits, ByteLevel with its own expression), merges as strings
strings.json  2,000 strings: all planes of Unicode, whitespace runs, digits, code, special tokens
llama3_ids.json, smollm_ids.json  their ids, with each of the two
words.json    strings and ids of the word-level tokenizer of resources/models/seed-teacher
"""
import json
import pathlib
import random
import unicodedata

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, processors, trainers

ROOT = pathlib.Path(__file__).resolve().parents[2]
OUT = ROOT / "tests/data/tokenizer"
LLAMA3 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
          r"|\s*[\r\n]+|\s+(?!\S)|\s+")
SPECIAL = ["<|begin_of_text|>", "<|end_of_text|>", "<|eot|>", "<|eot_id|>"]
SPACES = [" ", "  ", "\t", "\n", "\r\n", "\r", "\u00a0", "\u0085", "\u1680", "\u180e", "\u2003", "\u2028", "\u200b",
          "\u202f", "\u3000", "\x0b", "\x0c", "\x1c", "\x1f"]
CODE = ["for (int i = 0; i < n; ++i) {\n    sum += x[i];\n}\n", "def f(x):\n\treturn x**2  # it's\n", "a->b::c<d>(&e)",
        "if __name__ == '__main__':\r\n    main()\r\n", "SELECT * FROM t WHERE id=42;", "\\frac{1}{2}\\boxed{42}",
        "{\"key\": [1, 2.5e-3, null]}", "https://example.org/a_b?c=d&e=%20", "/* ... */ #include <vector>"]
WORDS = ("the She's we've I'LL they'd don'T apples 12 3 How many 1,234.50 naïve Straße ΣΊΣΥΦΟΣ Привет мир こんにちは世界 "
         "한국어 สวัสดี नमस्ते שלום مرحبا 👩‍👩‍👧 é e\u0301 'ſ 'K ½ ⅷ ² ٣٤ ४५ 𝟘𝟙 𝔘𝔫𝔦 ﬁ İı _x_ __ --- ... ?! «quoted» $5 50% €").split(" ")


def assigned(plane, rng):
    """A character of a plane that has had its category since Unicode 12 at least, as far as this Python knows."""
    while True:
        char = chr(plane * 0x10000 + rng.randrange(0x10000))
        if unicodedata.category(char) not in ("Cn", "Cs"):
            return char


def make_strings():
    rng = random.Random(20260101)
    strings = ["", " ", "  ", "\n", "Hello world!", "Hello<|eot_id|>world<|begin_of_text|>", "<|eot_id", "<|eot|><|eot_id|>|>",
               "tool_call[1]tool_call", " tool_call"]
    strings += CODE + WORDS + SPACES
    strings += [" " * n + "x" for n in range(1, 20)] + ["\n" * n for n in range(2, 9)] + ["7" * n for n in range(1, 14)]
    for plane in (0, 0, 0, 1, 1, 2, 3, 14, 15, 16):
        for _ in range(40):
            strings.append("".join(assigned(plane, rng) for _ in range(rng.randrange(1, 7))))
    for _ in range(400):
        parts = [rng.choice(rng.choice([WORDS, WORDS, SPACES, SPACES, SPECIAL])) for _ in range(rng.randrange(2, 9))]
        strings.append("".join(parts))
    for _ in range(60):
        strings.append("".join(rng.choice(rng.choice([WORDS, SPACES, CODE])) for _ in range(rng.randrange(2, 5))))
    for _ in range(300):
        strings.append(" ".join(rng.choice(WORDS) for _ in range(rng.randrange(2, 6))))
    while len(strings) < 2000:
        strings.append("".join(rng.choice("ab'1 .\n\t\rÀ\u3000") for _ in range(rng.randrange(3, 14))))
    return strings


def corpus():
    lines = [json.loads(line) for line in (ROOT / "resources/problems/seed.jsonl").open()]
    return [f"{line['question']}\n{line['answer']}\n" for line in lines] + (CODE + WORDS) * 4


def llama3():
    tokenizer = Tokenizer(models.BPE(ignore_merges=True))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(LLAMA3), behavior="isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator(corpus(), trainers.BpeTrainer(
        vocab_size=1000, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False))
    tokenizer.add_special_tokens(SPECIAL)
    tokenizer.add_tokens(["tool_call"])
    bos = SPECIAL[0]
    tokenizer.post_processor = processors.Sequence([
        processors.ByteLevel(trim_offsets=False),
        processors.TemplateProcessing(single=f"{bos} $A", special_tokens=[(bos, tokenizer.token_to_id(bos))])])
    return json.loads(tokenizer.to_str())


def smollm(source):
    made = json.loads(json.dumps(source))
    made["model"]["ignore_merges"] = False
    made["model"]["merges"] = [" ".join(merge) for merge in made["model"]["merges"]]
    made["pre_tokenizer"] = {"type": "Sequence", "pretokenizers": [
        {"type": "Digits", "individual_digits": True},
        {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}]}
    made["post_processor"] = None
    return made


def write(name, value):
    text = json.dumps(value, ensure_ascii=True, separators=(",", ":"))
    (OUT / name).write_text(text + "\n")


def main():
    OUT.mkdir(parents=True, exist_ok=True)
    strings = make_strings()
    write("strings.json", strings)
    files = {"llama3": llama3()}
    files["smollm"] = smollm(files["llama3"])
    for name, value in files.items():
        write(f"{name}.json", value)
        tokenizer = Tokenizer.from_str(json.dumps(value))
        vectors = [tokenizer.encode(text, add_special_tokens=False).ids for text in strings]
        for text, ids in zip(strings, vectors):
            assert tokenizer.decode(ids, skip_special_tokens=False) == text, text
        write(f"{name}_ids.json", vectors)
    words = Tokenizer.from_file(str(ROOT / "resources/models/seed-teacher/tokenizer.json"))
    texts = corpus()[:20] + strings[:200]
    write("words.json", {"strings": texts, "ids": [words.encode(text, add_special_tokens=False).ids for text in texts]})


if __name__ == "__main__":
    main()
