"""Verifies Waybill's webhooks (Standard Webhooks 1.0.0). Standard library only."""

import base64
import hashlib
import hmac
import time


def verify(secret, headers, body, now=None, tolerance=300):
    """Returns the webhook's id, or raises ValueError.

    secret: "whsec_...". headers: a mapping with lower-case names. body: the bytes exactly as they came.
    """
    if not secret.startswith("whsec_"):
        raise ValueError("a secret begins with whsec_")
    # The key is what the base64 stands for, not the text.
    key = base64.b64decode(secret[len("whsec_"):], validate=True)
    try:
        webhook_id = headers["webhook-id"]
        timestamp = headers["webhook-timestamp"]
        signatures = headers["webhook-signature"]
    except KeyError as missing:
        raise ValueError(f"the header {missing} is missing") from None
    if not timestamp.isascii() or not timestamp.isdigit():
        raise ValueError("webhook-timestamp is not a number")
    content = f"{webhook_id}.{timestamp}.".encode() + body
    expected = base64.b64encode(hmac.new(key, content, hashlib.sha256).digest()).decode()
    # One token per key that is valid; each is compared in constant time.
    good = False
    for token in signatures.split(" "):
        version, _, signature = token.partition(",")
        if version == "v1" and hmac.compare_digest(signature.encode(), expected.encode()):
            good = True
    if not good:
        raise ValueError("no signature fits")
    if abs((time.time() if now is None else now) - int(timestamp)) > tolerance:
        raise ValueError("the timestamp is too old or too new")
    return webhook_id


if __name__ == "__main__":
    # verify.py SECRET ID TIMESTAMP SIGNATURES [NOW] < body
    import sys

    _, secret, webhook_id, timestamp, signatures, *rest = sys.argv
    given = {"webhook-id": webhook_id, "webhook-timestamp": timestamp, "webhook-signature": signatures}
    try:
        print(verify(secret, given, sys.stdin.buffer.read(), now=int(rest[0]) if rest else None))
    except ValueError as fault:
        sys.exit(str(fault))
