"""Writes srp.json: sign-ins as the Python package pycognito computes them, an implementation independent of ours.

    pip install pycognito && python srp.py > srp.json
"""

import base64
import hashlib
import hmac
import json
import random

from pycognito.aws_srp import AWSSRP, long_to_hex

# Reproducible, and not secret: nobody signs in with these.
RANDOM = random.Random(18)


def vector(user, password, salt, timestamp):
    client = AWSSRP("emma@example.com", password, "eu-central-1_Abc123XYZ", "client", client=object())
    client.small_a_value = RANDOM.getrandbits(1024)
    client.large_a_value = client.calculate_a()
    server = pow(client.val_g, RANDOM.getrandbits(3000), client.big_n)
    secret = RANDOM.randbytes(200)
    key = client.get_password_authentication_key(user, password, server, salt)
    signed = b"Abc123XYZ" + user.encode() + secret + timestamp.encode()
    return {
        "private": long_to_hex(client.small_a_value),
        "public": long_to_hex(client.large_a_value),
        "user": user,
        "password": password,
        "salt": salt,
        "server": long_to_hex(server),
        "secret_block": base64.b64encode(secret).decode(),
        "timestamp": timestamp,
        "signature": base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode(),
    }


SALTS = [long_to_hex(RANDOM.getrandbits(128) >> shift) for shift in range(9)] + ["8" + "0" * 31, "f", "80"]
print(
    json.dumps(
        [
            vector("3f2e1d0c-0000-4000-8000-000000000001", "Grüße-und-12-Zeichen!", salt, "Sun Mar 1 09:05:07 UTC 2026")
            for salt in SALTS
        ],
        indent=1,
        ensure_ascii=False,
    )
)
