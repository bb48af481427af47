"""Verifies deliveries as receivers do: with the packages `standardwebhooks` and `svix` as they are.

usage: verify.py CASES    JSON: a list of name, secret, headers, body (base64)

Each case must be taken by both packages, and refused by both with another body, another secret or another id.
"""

import base64
import json
import sys

import standardwebhooks
import svix

PACKAGES = {
    "standardwebhooks": (standardwebhooks.Webhook, standardwebhooks.WebhookVerificationError),
    "svix": (svix.Webhook, svix.WebhookVerificationError),
}
OTHER_SECRET = "whsec_" + base64.b64encode(bytes(32)).decode()


def faults(case):
    body = base64.b64decode(case["body"])
    headers = case["headers"]
    forgeries = {
        "another body": (case["secret"], body.replace(b"{", b"{ ", 1), headers),
        "another secret": (OTHER_SECRET, body, headers),
        "another id": (case["secret"], body, {**headers, "webhook-id": "evt_other"}),
    }
    for package, (webhook, refusal) in PACKAGES.items():
        try:
            webhook(case["secret"]).verify(body, headers)
        except refusal as error:
            yield f"{package} refuses {case['name']}: {error}"
        for forgery, (secret, body_then, headers_then) in forgeries.items():
            try:
                webhook(secret).verify(body_then, headers_then)
            except refusal:
                continue
            yield f"{package} takes {case['name']} with {forgery}"


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        cases = json.load(file)
    found = [fault for case in cases for fault in faults(case)]
    print(*found, f"verified {len(cases)} deliveries", sep="\n", file=sys.stderr)
    sys.exit(bool(found))


main()
