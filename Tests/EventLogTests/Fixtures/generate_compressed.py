"""Writes compressed.jsonl: texts packed by zlib, the lz4 and zstd tools and cramjam (snappy), for the decoders' tests.

Run:  v/bin/pip install cramjam && v/bin/python generate_compressed.py   (the commands lz4 and zstd must be installed)
"""

import gzip
import json
import random
import struct
import subprocess

import cramjam

random.seed(7)
words = ["order", "payment", "stock", "1234567", "EUR", "placed", "\u00e9", "-"]
samples = {
    "empty": b"",
    "short": b"abc",
    "runs": b"a" * 3000 + b"b" * 10,
    "text": " ".join(random.choice(words) for _ in range(800)).encode(),
    "noise": bytes(random.randrange(256) for _ in range(1500)),
}


def xerial(data):
    blocks = [data[i:i + 1000] for i in range(0, len(data), 1000)]
    packed = b"".join(struct.pack(">i", len(b)) + b for b in (bytes(cramjam.snappy.compress_raw(x)) for x in blocks))
    return b"\x82SNAPPY\x00" + struct.pack(">ii", 1, 1) + packed


with open("compressed.jsonl", "w") as output:
    for name, plain in samples.items():
        def tool(*command):
            return subprocess.run(command, input=plain, capture_output=True, check=True).stdout

        packed = [
            ("gzip", gzip.compress(plain, 9)), ("gzip", gzip.compress(plain, 1)), ("snappy", xerial(plain)),
            ("snappy", bytes(cramjam.snappy.compress_raw(plain))),
            ("lz4", tool("lz4", "-c", "-9")), ("lz4", tool("lz4", "-c", "-BD", "-B4", "--content-size")),
            ("zstd", tool("zstd", "-c", "-3")), ("zstd", tool("zstd", "-c", "-19", "--no-check")),
        ]
        for codec, bytes_ in packed:
            line = {"name": name, "codec": codec, "plain": plain.hex(), "packed": bytes_.hex()}
            output.write(json.dumps(line, separators=(",", ":")) + "\n")
