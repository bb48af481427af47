"""The peer: a Dramatiq worker that signs and posts events as webhooks does. REDIS_PORT and WEBHOOK_SECRET come from the environment."""
import base64, hmac, json, os, secrets, threading, time

import dramatiq, requests
from dramatiq.brokers.redis import RedisBroker
from requests.adapters import HTTPAdapter

# Without middleware for what is not used here: it costs time for each message.
broker = RedisBroker(port=int(os.environ["REDIS_PORT"]), middleware=[dramatiq.middleware.Retries(max_retries=9)])
dramatiq.set_broker(broker)
secret = base64.b64decode(os.environ["WEBHOOK_SECRET"])
local = threading.local()


def body_of(event):
    return json.dumps(event, separators=(",", ":")).encode()


def headers_of(event_id, body):
    now = str(int(time.time()))
    mac = hmac.digest(secret, f"{event_id}.{now}.".encode() + body, "sha256")
    return {
        "Content-Type": "application/json", "User-Agent": "Switchboard-Webhooks/1", "webhook-id": event_id, "webhook-timestamp": now,
        "webhook-signature": "v1," + base64.b64encode(mac).decode(), "traceparent": f"00-{event_id[4:]}-{secrets.token_hex(8)}-01",
    }


@dramatiq.actor
def deliver(url, event):
    if not hasattr(local, "session"):
        local.session = requests.Session()
        local.session.trust_env = False
        local.session.mount("http://", HTTPAdapter(pool_connections=1, pool_maxsize=1))
    body = body_of(event)
    local.session.post(url, data=body, headers=headers_of(event["id"], body), timeout=30).raise_for_status()
