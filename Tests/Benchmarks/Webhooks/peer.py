"""Dramatiq with Redis beside the service, and wrk as the ceiling: the same bodies and headers to the same sink."""
import base64, importlib, json, os, random, secrets, signal, time

import publisher, stack

PROCESSES, THREADS = 2, 8


class Peer:
    """Redis keeps what is queued (appendonly, fsync each second, as is usual: a crash loses up to a second of it)."""

    def __init__(self, bench):
        self.bench = bench
        port, self.redis = bench.start_redis()
        os.environ["REDIS_PORT"], os.environ["WEBHOOK_SECRET"] = str(port), base64.b64encode(secrets.token_bytes(32)).decode()
        self.code = importlib.import_module("peer_worker")
        self.client = self.code.broker.client
        process = bench.spawn(
            bench.python, "-m", "dramatiq", "peer_worker", "--processes", PROCESSES, "--threads", THREADS, env=dict(os.environ), cwd=stack.HERE)
        self.workers = stack.Family(process.pid)
        self.deliver(bench.sink_port, 100)
        self.workers.signal(signal.SIGSTOP)

    def waiting(self):
        return self.client.hlen("dramatiq:default.msgs")

    def enqueue(self, port, moment, number=1):
        event = {
            "id": publisher.event_id(moment), "type": "campaign_sent", "timestamp": time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(moment)),
            "data": json.loads(publisher.data(number))}
        self.code.deliver.send(f"http://127.0.0.1:{port}/hooks/peer/{number}", event)
        return event["id"]

    def deliver(self, port, count):
        for place in range(count):
            self.enqueue(port, time.time(), place % 50 + 1)
        while self.waiting():
            time.sleep(0.02)

    def at_the_limit(self, seconds):
        """Works off a queue that was filled beforehand: what it costs to publish is not counted here."""
        count = int(600 * seconds)
        for place in range(count):
            self.enqueue(self.bench.sink_port, time.time(), place % 50 + 1)
        costs = {"workers": self.workers, "redis": self.redis, "sink": self.bench.sink}
        before = {name: family.cpu_seconds() for name, family in costs.items()}
        began = time.time()
        self.workers.signal(signal.SIGCONT)
        while self.waiting():
            time.sleep(0.02)
        spent = time.time() - began
        self.workers.signal(signal.SIGSTOP)
        return count / spent, {name: (family.cpu_seconds() - before[name]) / count * 1e6 for name, family in costs.items()}

    def at_a_rate(self, rate, seconds):
        """- Returns: milliseconds from each event's moment to its arrival, sorted."""
        self.workers.signal(signal.SIGCONT)
        time.sleep(1)
        self.bench.arrivals()
        told = []
        for moment in publisher.moments(rate, seconds, time.time()):
            time.sleep(max(0, moment - time.time()))
            told.append(self.enqueue(self.bench.log_port, moment, random.randrange(50) + 1))
        while self.waiting():
            time.sleep(0.02)
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
