"""The peer: Dramatiq actors that do what webhooks does with an event. REDIS_PORT, WEBHOOK_SECRET and PEER_DATABASE come from the environment.

`take` looks up who wants an event, in Postgres, and makes a message for each; `deliver` signs, posts, and records what came of it, in Postgres.
`post` is the bare sending, without either."""
import base64, hmac, json, os, secrets, threading, time

import dramatiq, psycopg, requests
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


def session():
    if not hasattr(local, "session"):
        local.session = requests.Session()
        local.session.trust_env = False
        local.session.mount("http://", HTTPAdapter(pool_connections=1, pool_maxsize=1))
    return local.session


def database():
    """A connection for each thread, whose statements are prepared and committed one by one."""
    if not hasattr(local, "database"):
        local.database = psycopg.connect(os.environ["PEER_DATABASE"], autocommit=True, prepare_threshold=1)
    return local.database


def send(url, event):
    body = body_of(event)
    answer = session().post(url, data=body, headers=headers_of(event["id"], body), timeout=30)
    answer.raise_for_status()
    return answer.status_code


@dramatiq.actor
def post(url, event):
    send(url, event)


@dramatiq.actor
def take(event):
    wanted = database().execute(
        "SELECT id, url FROM peer_subscriptions WHERE event_type = %s AND campaign_id = %s", (event["type"], event["data"]["campaign_id"]))
    for subscription, url in wanted.fetchall():
        deliver.send(subscription, url, event)


@dramatiq.actor
def deliver(subscription, url, event):
    began = time.time()
    status = send(url, event)
    database().execute(
        "INSERT INTO peer_deliveries (event_id, subscription_id, status, duration_ms) VALUES (%s, %s, %s, %s)",
        (event["id"], subscription, status, int((time.time() - began) * 1000)))
