"""Dramatiq with Redis beside the service, and wrk as the ceiling: the same bodies and headers to the same sink.

The peer does the same job: it accepts an event into Redis, looks up in Postgres who wants it, delivers it, and records in Postgres what came of
it. Beside it the bare sending."""
import base64, concurrent.futures, contextlib, importlib, json, os, random, secrets, signal, time

import publisher, stack

PROCESSES, THREADS = 2, 8
PUBLISHING_THREADS = 8


class Peer:
    """Redis keeps what is queued, in an append-only file. As is usual it syncs that each second, and a crash loses what was accepted in it;
    `durable`, it syncs before it answers, as Postgres does."""

    def __init__(self, bench):
        self.bench = bench
        port, self.redis = bench.start_redis()
        os.environ["REDIS_PORT"], os.environ["WEBHOOK_SECRET"] = str(port), base64.b64encode(secrets.token_bytes(32)).decode()
        os.environ["PEER_DATABASE"] = f"host=127.0.0.1 port={bench.database_port} user=postgres dbname=switchboard"
        self.make_tables()
        self.code = importlib.import_module("peer_worker")
        self.client = self.code.broker.client
        process = bench.spawn(
            bench.python, "-m", "dramatiq", "peer_worker", "--processes", PROCESSES, "--threads", THREADS, env=dict(os.environ), cwd=stack.HERE)
        self.workers = stack.Family(process.pid)
        self.drain(self.publish, 100)
        self.drain(self.post, 100)
        self.workers.signal(signal.SIGSTOP)

    def make_tables(self):
        self.bench.database.execute("""
            DROP TABLE IF EXISTS public.peer_subscriptions, public.peer_deliveries;
            CREATE TABLE public.peer_subscriptions (id bigint PRIMARY KEY, event_type text, campaign_id bigint, url text);
            CREATE INDEX ON public.peer_subscriptions (event_type, campaign_id);
            CREATE TABLE public.peer_deliveries (
                id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, event_id text, subscription_id bigint, status integer, duration_ms integer,
                at timestamptz DEFAULT now());
            CREATE INDEX ON public.peer_deliveries (event_id)""")
        for number in range(1, 51):
            self.bench.database.execute(
                "INSERT INTO public.peer_subscriptions VALUES (%s, 'campaign_sent', %s, %s)",
                (number, number, f"http://127.0.0.1:{self.bench.sink_port}/hooks/peer/{number}"))

    def waiting(self):
        return self.client.hlen("dramatiq:default.msgs")

    def event(self, moment, number):
        return {
            "id": publisher.event_id(moment), "type": "campaign_sent", "timestamp": time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(moment)),
            "data": json.loads(publisher.data(number))}

    def publish(self, moment, number):
        self.code.take.send(self.event(moment, number))

    def post(self, moment, number, port=None):
        event = self.event(moment, number)
        self.code.post.send(f"http://127.0.0.1:{port or self.bench.sink_port}/hooks/peer/{number}", event)
        return event["id"]

    def drain(self, put, count):
        for place in range(count):
            put(time.time(), place % 50 + 1)
        began = time.time()
        self.workers.signal(signal.SIGCONT)
        self.wait_until_empty()
        return time.time() - began

    def wait_until_empty(self):
        while self.waiting():
            time.sleep(0.02)

    def at_the_limit(self, seconds, durable):
        """Publishes as fast as Redis takes events, while the workers deliver.

        - Returns: deliveries a second from the first event published to the last recorded, and the CPU microseconds of a delivery by part."""
        self.client.config_set("appendfsync", "always" if durable else "everysec")
        count = int(300 * seconds)
        own = time.process_time()
        with self.counted(count) as costs, concurrent.futures.ThreadPoolExecutor(PUBLISHING_THREADS) as pool:
            self.workers.signal(signal.SIGCONT)
            began = time.time()
            list(pool.map(lambda place: self.publish(time.time(), place % 50 + 1), range(count)))
            published = time.process_time() - own
            self.wait_until_empty()
            spent = time.time() - began
        costs["publisher"] = published / count * 1e6
        self.client.config_set("appendfsync", "everysec")
        return count / spent, costs

    def bare_at_the_limit(self, seconds):
        """Works off a queue that was filled beforehand, and only posts: neither what it costs to accept an event nor to record a delivery counts."""
        count = int(600 * seconds)
        with self.counted(count) as costs:
            spent = self.drain(self.post, count)
        return count / spent, costs

    @contextlib.contextmanager
    def counted(self, count):
        """Gives a dictionary that holds, at the end, the CPU microseconds of each of `count` deliveries by part. The workers pause then."""
        parts = {"workers": self.workers, "redis": self.redis, "postgres": self.bench.postgres, "sink": self.bench.sink}
        before = {name: family.cpu_seconds() for name, family in parts.items()}
        costs = {}
        yield costs
        self.workers.signal(signal.SIGSTOP)
        costs.update({name: (family.cpu_seconds() - before[name]) / count * 1e6 for name, family in parts.items()})

    def at_a_rate(self, rate, seconds):
        """The bare sending.

        - Returns: milliseconds from each event's moment to its arrival, sorted."""
        self.workers.signal(signal.SIGCONT)
        time.sleep(1)
        self.bench.arrivals()
        told = []
        for moment in publisher.moments(rate, seconds, time.time()):
            time.sleep(max(0, moment - time.time()))
            told.append(self.post(moment, random.randrange(50) + 1, self.bench.log_port))
        self.wait_until_empty()
        self.workers.signal(signal.SIGSTOP)
        found = self.bench.arrivals()
        return sorted((found[event] - publisher.published_at(event)) * 1000 for event in told)

    def wrk(self, seconds):
        """- Returns: requests a second that the sink takes of the same body."""
        event = {"id": publisher.event_id(time.time()), "type": "campaign_sent", "timestamp": "2026-01-01T00:00:00.000Z",
                 "data": json.loads(publisher.data(1))}
        body = self.code.body_of(event)
        script = self.bench.dir / "post.lua"
        given = self.code.headers_of(event["id"], body)
        headers = "".join(f"wrk.headers[{json.dumps(name)}] = {json.dumps(value)}\n" for name, value in given.items())
        script.write_text(f"wrk.method = 'POST'\nwrk.body = {json.dumps(body.decode())}\n{headers}")
        text = stack.run("wrk", "-t2", "-c64", f"-d{max(1, int(seconds))}s", "-s", script, f"http://127.0.0.1:{self.bench.sink_port}/hooks/1/1")
        return float(next(line for line in text.splitlines() if line.startswith("Requests/sec")).split()[1])
