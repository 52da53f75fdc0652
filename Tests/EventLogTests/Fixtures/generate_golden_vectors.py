"""Writes golden-vectors.jsonl: every message of every listed version, encoded by the kafka-python package.

kafka-python (PyPI, 3.0.12) carries Apache Kafka's own message definitions, so its bytes are an independent oracle.
Run:  python3 -m venv v && v/bin/pip install kafka-python==3.0.12 && v/bin/python generate_golden_vectors.py
"""

import importlib
import json
import pkgutil
import uuid

import kafka.protocol

APIS = {
    "Produce": (0, 9), "Fetch": (4, 12), "ListOffsets": (0, 7), "Metadata": (0, 11), "OffsetCommit": (0, 8),
    "OffsetFetch": (0, 8), "FindCoordinator": (0, 4), "JoinGroup": (0, 7), "Heartbeat": (0, 4), "LeaveGroup": (0, 4),
    "SyncGroup": (0, 5), "DescribeGroups": (0, 5), "ListGroups": (0, 4), "ApiVersions": (0, 3),
    "CreateTopics": (0, 7), "DeleteTopics": (0, 6), "DeleteRecords": (0, 2), "InitProducerId": (0, 4),
    "OffsetForLeaderEpoch": (0, 4), "DescribeConfigs": (0, 4), "CreatePartitions": (0, 3), "DeleteGroups": (0, 2),
    "DescribeCluster": (0, 1),
}
# Tagged fields that the server writes; all others are skipped.
TAGGED = {"diverging_epoch"}


def classes():
    found = {}
    for module in pkgutil.walk_packages(kafka.protocol.__path__, "kafka.protocol."):
        if ".old" in module.name or module.name.endswith("generate_stubs"):
            continue
        loaded = importlib.import_module(module.name)
        for name in dir(loaded):
            value = getattr(loaded, name)
            if isinstance(value, type) and name.endswith(("Request", "Response")):
                found[name] = value
    return found


class Filler:
    """Gives every field a value that no other field has, and notes which field got it."""

    def __init__(self, version, variant):
        self.version, self.variant, self.counter, self.leaves = version, variant, 10, []

    def nullable(self, field):
        span = field._nullable_versions
        return span is not None and span[0] <= self.version <= span[1]

    def leaf(self, name, kind):
        self.counter += 1
        number = self.counter
        if kind == "bool":
            return True
        if kind == "bitfield":
            bit = number % 30
            self.leaves.append([name, str(1 << bit)])
            return {bit}
        if kind == "int8":
            value = number % 100 + 1
        elif kind in ("int16", "uint16"):
            value = 1000 + number
        elif kind in ("int32", "uint32"):
            value = 100_000 + number
        elif kind == "int64":
            value = 10_000_000_000 + number
        elif kind == "string":
            value = f"text-{number}-é"
        elif kind == "uuid":
            value = uuid.UUID(int=(number << 100) | (number * 7 + 1))
        elif kind in ("bytes", "records"):
            value = f"bytes-{number}".encode() * 3
        else:
            raise ValueError(kind)
        shown = value.hex() if isinstance(value, bytes) else str(value)
        self.leaves.append([name, shown])
        return value

    def fill(self, struct):
        values = {}
        for field in struct.untagged_fields(self.version):
            if self.variant == "empty" and self.nullable(field):
                values[field.name] = None
            elif field.is_struct_array():
                count = 0 if self.variant == "empty" else 2
                values[field.name] = [
                    field.data_class(version=self.version, **self.fill(field.array_of)) for _ in range(count)
                ]
            elif field.is_struct():
                values[field.name] = field.data_class(version=self.version, **self.fill(field))
            elif field.is_array():
                kind = field.array_of._type_str
                count = 0 if self.variant == "empty" else 3
                values[field.name] = [self.leaf(field.name, kind) for _ in range(count)]
            else:
                values[field.name] = self.leaf(field.name, field._type_str)
        for field in struct._fields:
            if self.variant == "full" and field.name in TAGGED and field.tagged_field_q(self.version):
                values[field.name] = field.data_class(version=self.version, **self.fill(field))
        return values


def main():
    found = classes()
    with open("golden-vectors.jsonl", "w") as output:
        for api, (low, high) in APIS.items():
            for kind in ("Request", "Response"):
                message = found[api + kind]
                for version in range(low, high + 1):
                    for variant in ("full", "empty"):
                        filler = Filler(version, variant)
                        value = message(version=version, **filler.fill(message._struct))
                        encoded = value.encode(version=version)
                        line = {
                            "message": api + kind, "version": version, "variant": variant,
                            "flexible": message.flexible_version_q(version), "hex": bytes(encoded).hex(),
                            "leaves": filler.leaves,
                        }
                        output.write(json.dumps(line, ensure_ascii=False, separators=(",", ":")) + "\n")


main()
