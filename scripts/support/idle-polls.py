"""Opens many connections that each wait in one long poll and prints the server's CPU meanwhile, as one JSON line.

usage: idle-polls.py PORT TOPIC CONNECTIONS SERVER_PID
"""

import json
import os
import socket
import struct
import sys
import time

port, topic, count, pid = int(sys.argv[1]), sys.argv[2].encode(), int(sys.argv[3]), sys.argv[4]
SECONDS = 15


def fetch():
    """Fetch version 4: from the start of an empty partition, 30 s, one byte."""
    body = struct.pack(">iiiib", -1, 30_000, 1, 1 << 20, 0)
    body += struct.pack(">i", 1) + struct.pack(">h", len(topic)) + topic
    body += struct.pack(">i", 1) + struct.pack(">iqi", 0, 0, 1 << 20)
    head = struct.pack(">hhih", 1, 4, 1, -1)
    return struct.pack(">i", len(head + body)) + head + body


def cpu():
    with open(f"/proc/{pid}/stat") as stat:
        fields = stat.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


frame = fetch()
sockets = []
for _ in range(count):
    connection = socket.create_connection(("127.0.0.1", port))
    connection.sendall(frame)
    sockets.append(connection)
time.sleep(2)
before = cpu()
time.sleep(SECONDS)
used = cpu() - before
print(json.dumps({"connections": len(sockets), "seconds": SECONDS, "cpu_seconds": round(used, 2),
                  "cpu_percent": round(100 * used / SECONDS, 2)}))
