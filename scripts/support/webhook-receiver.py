#!/usr/bin/env python3
"""A receiver of webhooks that shares nothing with the sender: it verifies each request with docs/webhooks/verify.py.

usage: webhook-receiver.py --log FILE [--port N] [--fail-first] [--fail-percent P] [--quiet]

Reads control lines from standard input: "secret PATH whsec_..." sets the secret of an address; the end of input ends it.
Prints the port. Writes one JSON line per request to FILE unless --quiet, and at the end one summary line to standard output:
requests, verified, refused, distinct ids, and the largest pause in milliseconds between an event's time and its arrival at p50
and p99. With --fail-first the first attempt for each id is answered with 503, after its signature was verified, with --fail-percent so many
of all, at random. Addresses that begin with /held are answered with 429 and Retry-After: 3600, those that begin with /dead with 503.
"""

import argparse
import asyncio
import datetime
import hashlib
import importlib.util
import json
import pathlib
import random
import sys
import time

spec = importlib.util.spec_from_file_location(
    "verify", pathlib.Path(__file__).resolve().parents[2] / "docs/webhooks/verify.py"
)
verify = importlib.util.module_from_spec(spec)
spec.loader.exec_module(verify)


class Receiver:
    def __init__(self, options):
        self.options = options
        self.log = open(options.log, "w", buffering=1, encoding="utf-8") if options.log else None
        self.secrets = {}
        self.seen = {}
        self.requests = self.verified = self.refused = 0
        self.delays = []

    def answer(self, path, headers, body):
        """Returns the status for one request."""
        self.requests += 1
        attempt = self.seen.get((path, headers.get("webhook-id")), 0) + 1
        reason, event = None, {}
        try:
            webhook_id = verify.verify(self.secrets.get(path, ""), headers, body)
            event = json.loads(body)
            if event["id"] != webhook_id:
                raise ValueError("the id of the body is another")
            self.verified += 1
        except ValueError as fault:
            reason, webhook_id = str(fault), headers.get("webhook-id")
            self.refused += 1
        self.seen[(path, webhook_id)] = attempt
        if path.startswith(("/held", "/dead")):
            return 429 if path.startswith("/held") else 503
        fails = self.options.fail_first and attempt == 1 or random.random() * 100 < self.options.fail_percent
        status = 401 if reason else 503 if fails else 204
        if status == 204:
            sent = event["data"].get("sentAtUs") if isinstance(event.get("data"), dict) else None
            if sent:
                self.delays.append(time.time() * 1000 - sent / 1000)
        if self.log and not self.options.quiet:
            line = {"path": path, "id": webhook_id, "type": event.get("type"), "subject": event.get("subject"),
                    "sequence": event.get("sequence"), "status": status, "attempt": attempt, "refused": reason, "event": event,
                    "digest": hashlib.sha256(body).hexdigest(),
                    "at": datetime.datetime.now(datetime.timezone.utc).isoformat()}
            self.log.write(json.dumps(line) + "\n")
        return status

    def summary(self):
        delays = sorted(self.delays)
        at = lambda share: round(delays[min(len(delays) - 1, int(len(delays) * share))], 2) if delays else None
        return {"requests": self.requests, "verified": self.verified, "refused": self.refused,
                "ids": len(self.seen), "p50_ms": at(0.5), "p99_ms": at(0.99)}


class Exchange(asyncio.Protocol):
    """HTTP/1.1 as much as a receiver needs: requests with content-length, one after the other."""

    def __init__(self, receiver):
        self.receiver = receiver
        self.buffer = b""

    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        self.buffer += data
        while True:
            end = self.buffer.find(b"\r\n\r\n")
            if end < 0:
                return
            first, *lines = self.buffer[:end].decode("latin-1").split("\r\n")
            headers = {}
            for line in lines:
                name, _, value = line.partition(":")
                headers[name.strip().lower()] = value.strip()
            length = int(headers.get("content-length", "0"))
            if len(self.buffer) < end + 4 + length:
                return
            body = self.buffer[end + 4:end + 4 + length]
            self.buffer = self.buffer[end + 4 + length:]
            status = self.receiver.answer(first.split(" ")[1], headers, body)
            more = b"retry-after: 3600\r\n" if status == 429 else b""
            self.transport.write(b"HTTP/1.1 %d Status\r\n%scontent-length: 0\r\n\r\n" % (status, more))


async def main(options):
    receiver = Receiver(options)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Exchange(receiver), "127.0.0.1", options.port, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := (await reader.readline()).decode():
        match line.split():
            case ["secret", path, secret]:
                receiver.secrets[path] = secret
            case ["mark"]:
                # What was received so far, and a new beginning for the delays.
                print(json.dumps(receiver.summary()), flush=True)
                receiver.delays = []
    print(json.dumps(receiver.summary()), flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--log")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--fail-first", action="store_true")
    parser.add_argument("--fail-percent", type=float, default=0)
    parser.add_argument("--quiet", action="store_true")
    asyncio.run(main(parser.parse_args()))
