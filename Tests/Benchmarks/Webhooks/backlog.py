"""A long queue: what a claim costs, and the memory of the process, with ten thousand and with millions of deliveries that wait in 100 lanes."""
import json, re, statistics, time

import psycopg

import publisher, report

ORGANIZATION, LANES, CLAIM = 3, 100, 200
FEW = 10_000


def fill(bench, organization, ids, count):
    """Events, and deliveries of each to all of these subscriptions, as if they had been published at this moment."""
    bench.database.execute(
        """INSERT INTO events (organization_id, id, type, occurred_at, data, position)
        SELECT %s, 'evt_' || lpad(to_hex((extract(epoch FROM now()) * 1000)::bigint), 12, '0') || '70008' || lpad(to_hex(number), 15, '0'),
            'campaign_sent', now(), %s::json, number
        FROM generate_series(1, %s) AS number""", (organization, publisher.data(1), count // len(ids)))
    bench.database.execute(
        """INSERT INTO deliveries (organization_id, event_id, event_type, subscription_id)
        SELECT organization_id, events.id, type, subscription FROM events CROSS JOIN unnest(%s::bigint[]) AS subscription
        WHERE organization_id = %s""", (ids, organization))
    bench.database.execute("VACUUM ANALYZE deliveries")


def pause(bench, organization):
    bench.database.execute("UPDATE zapier_webhooks SET paused_at = now(), revision = revision + 1 WHERE organization_id = %s", (organization,))


def resume(bench, organization):
    bench.database.execute("UPDATE zapier_webhooks SET paused_at = NULL, revision = revision + 1 WHERE organization_id = %s", (organization,))
    bench.database.execute("NOTIFY switchboard_webhooks_deliveries")


class Claims:
    """The service's own statements, taken from the server's log, with their parameters."""

    MARKS = {"begin": "pg_advisory_xact_lock(hashtext('webhooks_claim'))", "organizations": "WITH RECURSIVE organizations",
             "pick": "AS turns (organization_id, served)", "take": "WITH taken AS"}

    def __init__(self, bench):
        self.statements, self.parameters = {}, {}
        for path in sorted(bench.data.glob("log/*.json")):
            for line in path.read_text().splitlines():
                self.read(json.loads(line))

    def read(self, entry):
        found = re.match(r"duration: [\d.]+ ms  execute [^:]+: (.*)", entry.get("message", ""), re.S)
        name = found and next((name for name, mark in self.MARKS.items() if mark in found[1]), None)
        if name and name not in self.statements:
            self.statements[name] = found[1]
            values = re.findall(r"\$(\d+) = (NULL|'(?:[^']|'')*')", entry.get("detail", ""))
            self.parameters[name] = {int(number): value for number, value in values}

    def execute(self, name, **arrays):
        values = self.parameters[name] | {int(number[1:]): f"'{{{','.join(map(str, array))}}}'" for number, array in arrays.items()}
        listed = ", ".join(values[number] for number in sorted(values))
        return f"EXECUTE claim_{name}" + (f"({listed})" if listed else "")

    def measure(self, bench, times=20):
        """- Returns: milliseconds of one claim and how many it took, and the plan of its choice."""
        database = psycopg.connect(bench.database.info.dsn, autocommit=True, cursor_factory=psycopg.RawCursor, prepare_threshold=None)
        for name, text in self.statements.items():
            database.execute(f"PREPARE claim_{name} AS {text}")
        spent, taken = [], 0
        for _ in range(times):
            database.execute("BEGIN")
            began = time.perf_counter()
            database.execute(self.execute("begin"))
            database.execute(self.execute("organizations"))
            picks = database.execute(self.execute("pick")).fetchall()
            place = re.search(r"unnest\(\$(\d+)::bigint\[\], \$(\d+)::bigint\[\]\) AS pick", self.statements["take"])
            arrays = {f"p{place[1]}": [pick[0] for pick in picks], f"p{place[2]}": [pick[2] for pick in picks]}
            taken = len(database.execute(self.execute("take", **arrays)).fetchall())
            spent.append((time.perf_counter() - began) * 1000)
            database.execute("ROLLBACK")
        database.execute("BEGIN")
        database.execute(self.execute("begin"))
        plan = [row[0] for row in database.execute("EXPLAIN (ANALYZE, BUFFERS, COSTS OFF, TIMING OFF) " + self.execute("pick")).fetchall()]
        database.close()
        return statistics.median(spent), taken, plan


def drain(bench, seconds):
    """Lets the queue go for a while.

    - Returns: the highest memory, and deliveries a second."""
    before = bench.one("SELECT count(*) FROM settled_deliveries")
    resume(bench, ORGANIZATION)
    began, highest = time.time(), 0
    while time.time() - began < seconds and bench.one("SELECT EXISTS (SELECT FROM deliveries)"):
        highest = max(highest, bench.webhooks.rss_mb())
        time.sleep(0.1)
    spent = time.time() - began
    pause(bench, ORGANIZATION)
    time.sleep(1)
    return highest, (bench.one("SELECT count(*) FROM settled_deliveries") - before) / spent


def logged(bench, is_on):
    bench.database.execute(f"ALTER SYSTEM SET log_min_duration_statement = {0 if is_on else -1}")
    bench.database.execute("SELECT pg_reload_conf()")
    time.sleep(0.5)


def measure(bench, signer, options):
    bench.start_webhooks(WEBHOOK_CONCURRENCY=str(CLAIM))
    bench.clear()
    ids = bench.subscribe(ORGANIZATION, LANES, bench.sink_port)
    pause(bench, ORGANIZATION)
    claims, figures = None, []
    for count in (FEW, options.queued):
        bench.stop_webhooks()
        bench.clear()
        fill(bench, ORGANIZATION, ids, count)
        if claims is None:
            bench.start_webhooks(WEBHOOK_CONCURRENCY=str(CLAIM))
            logged(bench, True)
            drain(bench, 2)
            logged(bench, False)
            bench.stop_webhooks()
            claims = Claims(bench)
            bench.clear()
            fill(bench, ORGANIZATION, ids, count)
        resume(bench, ORGANIZATION)
        cost, taken, plan = claims.measure(bench)
        pause(bench, ORGANIZATION)
        bench.start_webhooks(WEBHOOK_CONCURRENCY=str(CLAIM))
        time.sleep(3)
        resting = bench.webhooks.rss_mb()
        highest, rate = drain(bench, 2 if count == FEW else options.seconds * 2)
        figures.append((cost, highest))
        print(f"{count} wait: a claim of {taken} takes {cost:.2f} ms; RSS {resting:.1f} MB while they are paused, at most {highest:.1f} MB "
              f"while they go at {rate:.0f}/s", flush=True)
    bench.clear()
    print("\n".join("    " + line for line in plan))
    report.aim("a claim among many, of one among few", figures[1][0] / figures[0][0], 2)
    report.aim("memory with many waiting, of that with few", figures[1][1] / figures[0][1], 1.2)
