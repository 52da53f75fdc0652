#!/usr/bin/env python3
"""Fills a notification service's database with deliveries that are long done, for measurements. The service must not be running.

usage: webhook-history.py DATABASE COUNT

Events have the ids history-0, history-1 …; each went to every endpoint, is delivered but for every hundredth, and has one attempt.
"""

import sqlite3
import sys

database, count = sys.argv[1], int(sys.argv[2])
db = sqlite3.connect(database, isolation_level=None)
db.executescript("PRAGMA synchronous = OFF; PRAGMA cache_size = -200000;")
endpoints = [row[0] for row in db.execute("SELECT id FROM webhook_endpoints WHERE state <> 'deleted' ORDER BY id")]
events = (count + len(endpoints) - 1) // len(endpoints)
first = db.execute("SELECT coalesce(max(seq), 0) + 1 FROM webhook_deliveries").fetchone()[0]
begin = db.execute("SELECT coalesce(min(created_at), strftime('%s') * 1000) FROM webhook_messages").fetchone()[0] - 86_400_000
body = b'{"data":{"number":1},"datacontenttype":"application/json","id":"history","specversion":"1.0"}'


def deliveries():
    for event in range(events):
        for place, endpoint in enumerate(endpoints):
            given_up = (event * len(endpoints) + place) % 100 == 0
            yield (first + event * len(endpoints) + place, f"history-{event}-{place}", f"history-{event}", endpoint,
                   "waybill.order.completed.v1", "exhausted" if given_up else "delivered", 500 if given_up else 204,
                   "attempts_used" if given_up else None, begin + event, begin + event + 5)


def attempts():
    for row in deliveries():
        yield (f"attempt-{row[0]}", row[0], "failed" if row[5] == "exhausted" else "succeeded", row[8], row[9], row[6])


db.execute("BEGIN")
db.executemany(
    "INSERT INTO webhook_messages (id, type, subject, body, occurred_at, created_at) VALUES (?, ?, ?, ?, ?, ?)",
    ((f"history-{n}", "waybill.order.completed.v1", f"order-{n}", body, begin + n, begin + n) for n in range(events)),
)
db.executemany(
    """INSERT INTO webhook_deliveries (seq, id, message_id, endpoint_id, type, state, last_status, reason, created_at,
        completed_at, attempt_trigger, lane, attempts) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'scheduled', 0, 1)""",
    deliveries(),
)
db.executemany(
    """INSERT INTO webhook_attempts (id, delivery_seq, state, started_at, ended_at, status, number, attempt_trigger, url,
        request_headers, total_us) VALUES (?, ?, ?, ?, ?, ?, 1, 'scheduled', 'http://127.0.0.1:9/hook', '[]', 900)""",
    attempts(),
)
db.execute("COMMIT")
db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
