"""Reads raw segment files with kafka-python's MemoryRecords: an independent reader and checksum checker.

usage: read_segments.py DATA_DIRECTORY     (pip install kafka-python==3.0.12; stop the server first)
"""

import pathlib
import sys

from kafka.record.memory_records import MemoryRecords

records = batches = 0
for directory in sorted(pathlib.Path(sys.argv[1]).iterdir()):
    if not directory.is_dir():
        continue
    expected = None
    for segment in sorted(directory.glob("*.log")):
        data = segment.read_bytes()
        expected = int(segment.stem) if expected is None else expected
        assert int(segment.stem) == expected, (segment, expected)
        reader = MemoryRecords(data)
        while reader.has_next():
            batch = reader.next_batch()
            assert batch.validate_crc(), (segment, batch.base_offset)
            assert batch.base_offset == expected, (segment, batch.base_offset, expected)
            for record in batch:
                assert record.offset == expected
                expected += 1
                records += 1
            batches += 1
print(f"{batches} batches, {records} records: offsets and checksums are right")
