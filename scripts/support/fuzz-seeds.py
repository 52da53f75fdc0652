"""Writes seeds for the fuzz target of the event log.

usage: fuzz-seeds.py FIXTURES DIRECTORY

The first two bytes are as Tests/EventLogFuzz/FuzzTarget.swift reads them: the message's place among all names and the version's
place among the listed ones; then the message. After the last message come a whole request frame and a batch.
"""

import json
import pathlib
import struct
import sys

fixtures, target = map(pathlib.Path, sys.argv[1:])
vectors = [json.loads(line) for line in (fixtures / "golden-vectors.jsonl").read_text().splitlines()]
names = sorted({vector["message"] for vector in vectors})
first = {name: min(v["version"] for v in vectors if v["message"] == name) for name in names}


def write(name, *parts):
    (target / name).write_bytes(b"".join(parts))


for v in vectors:
    place = bytes([names.index(v["message"]), v["version"] - first[v["message"]]])
    write(f"{v['message']}-{v['version']}-{v['variant']}", place, bytes.fromhex(v["hex"]))

# Whole frames: ApiVersions 0 and 3, Metadata 0 and 9; key, version, correlation id, client id, tags, body.
for key, version, body in [(18, 0, b""), (18, 3, b"\0\2a\2b\0"), (3, 0, b"\0\0\0\0"), (3, 9, b"\0\1\1\0\0\0")]:
    header = struct.pack(">hhih", key, version, 1, 1) + b"c"
    write(f"frame-{key}-{version}", bytes([len(names), 0]), header, body)


def zigzag(value):
    value = value << 1 ^ value >> 63
    out = b""
    while value >= 0x80:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])


def record(number):
    body = b"\0" + zigzag(number * 7) + zigzag(number) + zigzag(-1) + zigzag(5) + b"value" + zigzag(0)
    return zigzag(len(body)) + body


def batch(records, count, codec=0, producer=(-1, -1, -1)):
    rest = struct.pack(">hiqqqhii", codec, count - 1, 1000, 1000 + 7 * count, *producer, count) + records
    return struct.pack(">qiib", 0, 9 + len(rest), -1, 2) + b"\0\0\0\0" + rest


plain = b"".join(record(number) for number in range(3))
batches = {"plain": batch(plain, 3), "idempotent": batch(plain, 3, producer=(5, 1, 17))}
codecs = {"gzip": 1, "snappy": 2, "lz4": 3, "zstd": 4}
for place, line in enumerate((fixtures / "compressed.jsonl").read_text().splitlines()):
    sample = json.loads(line)
    if len(sample["packed"]) < 4000:
        payload = bytes.fromhex(sample["packed"])
        batches[f"{sample['codec']}-{place}"] = batch(payload, 3, codec=codecs[sample["codec"]])
for name, value in batches.items():
    # With a right checksum, and as it is.
    write(f"batch-{name}", bytes([len(names) + 1, 1]), value)
    write(f"batch-{name}-unsealed", bytes([len(names) + 1, 0]), value)
print(f"{len(vectors)} messages, {len(batches)} batches")
