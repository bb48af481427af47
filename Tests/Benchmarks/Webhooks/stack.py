"""The processes of the benchmark: a private Postgres, the webhooks service alone, sinks, Redis; what each costs, and their end."""
import atexit, base64, contextlib, http.client, json, os, pathlib, secrets, shutil, signal, socket, subprocess, sys, tempfile, time

import psycopg

import identity

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[2]
# Of 16 MB: as much as a run writes.
LOG_SEGMENTS = 128
TABLES = "events, deliveries, settled_deliveries, event_heads"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def run(*command, **options):
    return subprocess.run([str(part) for part in command], check=True, capture_output=True, text=True, **options).stdout


class Family:
    """A process with its children."""

    def __init__(self, pid):
        self.pid = pid

    def pids(self):
        found, todo = [], [self.pid]
        while todo:
            pid = todo.pop()
            found.append(pid)
            with contextlib.suppress(FileNotFoundError):
                todo += [int(child) for child in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
        return found

    def cpu_seconds(self):
        """Children that have ended are counted with the process that waited for them."""
        ticks = 0
        for pid in self.pids():
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
                ticks += sum(int(field) for field in fields[11:15])
        return ticks / os.sysconf("SC_CLK_TCK")

    def rss_mb(self):
        kilobytes = 0
        for pid in self.pids():
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
                    if line.startswith("VmRSS"):
                        kilobytes += int(line.split()[1])
        return kilobytes / 1024

    def signal(self, number):
        for pid in self.pids():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)


class Stack:
    def __init__(self, python):
        self.python = python
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="switchboard-webhooks-bench-", dir="/var/tmp"))
        self.dir.chmod(0o755)
        self.children = []
        atexit.register(self.close)
        # A signal ends the run as any other end does.
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda number, _: sys.exit(128 + number))
        self.keys = {name: secrets.token_hex(32) for name in ("gateway", "integrations", "campaigns")}
        self.encryption_key = base64.b64encode(secrets.token_bytes(32)).decode()
        self.sink_port, self.log_port, self.hang_port = free_port(), free_port(), free_port()
        self.log = self.dir / "deliveries.log"
        self.start_postgres()
        self.start_sink()
        self.webhooks = None

    def close(self):
        for child in self.children:
            Family(child.pid).signal(signal.SIGCONT)
            child.send_signal(signal.SIGTERM)
        for child in self.children:
            try:
                child.wait(15)
            except subprocess.TimeoutExpired:
                child.kill()
        subprocess.run([ROOT / "compose/local/postgres.sh", "stop", self.dir / "postgres", "immediate"], capture_output=True)
        location = self.dir / "postgres/location"
        if location.exists():
            shutil.rmtree(location.read_text().strip(), ignore_errors=True)
        os.environ.get("BENCH_KEEP") or shutil.rmtree(self.dir, ignore_errors=True)

    def spawn(self, *command, env=None, cwd=None, executable=None):
        log = open(self.dir / f"{pathlib.Path(command[0]).name}-{len(self.children)}.log", "w")
        child = subprocess.Popen([str(part) for part in command], env=env, cwd=cwd, stdout=log, stderr=log, executable=executable)
        self.children.append(child)
        return child

    def end(self, child):
        child.send_signal(signal.SIGTERM)
        child.wait(30)
        self.children.remove(child)

    def wait(self, port):
        for _ in range(200):
            try:
                with socket.create_connection(("127.0.0.1", port), 0.2):
                    return
            except OSError:
                time.sleep(0.05)
        raise SystemExit(f"nothing listens on port {port}; see {self.dir}")

    # Postgres

    def start_postgres(self):
        self.database_port = free_port()
        script, place = ROOT / "compose/local/postgres.sh", self.dir / "postgres"
        run(script, "start", place, self.database_port)
        psql = ["psql", "-qX", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1", "-p", self.database_port, "-U", "postgres"]
        # What statements cost is counted, and single ones can be written down with their parameters.
        for setting in ("shared_preload_libraries = 'pg_stat_statements'", "logging_collector = on", "log_destination = jsonlog"):
            run(*psql, "-d", "postgres", "-c", f"ALTER SYSTEM SET {setting}")
        run(script, "stop", place)
        run(script, "start", place, self.database_port)
        roles = [f"{name}{kind}" for name in ("gateway", "integrations", "campaigns", "webhooks") for kind in ("", "_owner")]
        passwords = [part for role in roles for part in ("-v", f"{role}_password=bench")]
        run(*psql, "-d", "postgres", *passwords, "-f", ROOT / "compose/postgres/roles.sql")
        run(*psql, "-d", "postgres", "-c", "CREATE DATABASE switchboard")
        run(*psql, "-d", "switchboard", "-f", ROOT / "compose/postgres/schemas.sql")
        self.database = psycopg.connect(
            f"host=127.0.0.1 port={self.database_port} user=postgres dbname=switchboard options='-c search_path=webhooks,public'", autocommit=True)
        self.database.execute("CREATE EXTENSION pg_stat_statements SCHEMA public")
        self.fill_log()
        self.data = pathlib.Path((place / "location").read_text().strip()) / "data"
        self.postgres = Family(int((self.data / "postmaster.pid").read_text().split()[0]))

    def fill_log(self):
        """A server that has run for a while writes its log into segments that it had before; a new one would first fill each with zeroes."""
        self.database.execute(f"ALTER SYSTEM SET min_wal_size = '{LOG_SEGMENTS * 16}MB'")
        self.database.execute("SELECT pg_reload_conf()")
        for _ in range(LOG_SEGMENTS):
            self.database.execute("SELECT pg_logical_emit_message(false, 'fill', 'x')")
            self.database.execute("SELECT pg_switch_wal()")
        self.database.execute("CHECKPOINT")

    def one(self, query, *values):
        return self.database.execute(query, values or None).fetchone()[0]

    def clear(self):
        """An empty queue and log, and targets of which nothing is known."""
        for _ in range(20):
            # A claim takes its locks in another order, and lives only a moment.
            with contextlib.suppress(psycopg.errors.DeadlockDetected):
                self.database.execute(f"TRUNCATE {TABLES}")
                break
        time.sleep(0.2)
        self.database.execute(
            "UPDATE endpoint_states SET in_flight_limit = NULL, not_before = 'epoch', recent_failures = 0, breaker_is_open = false, trips = 0, "
            "slowdowns = 0, failing_since = NULL, told_at_percent = 0, rate_until = 'epoch'")

    def wait_until_empty(self, limit=120, organization=None):
        condition = "" if organization is None else f"WHERE organization_id = {organization}"
        deadline = time.time() + limit
        while self.one(f"SELECT EXISTS (SELECT FROM deliveries {condition})"):
            if time.time() > deadline:
                raise SystemExit(f"deliveries are still waiting after {limit} s; see {self.dir}")
            time.sleep(0.05)

    # Servers

    def start_sink(self):
        file = self.dir / "sink.conf"
        file.write_text(f"""
            worker_processes 1; daemon off; pid {self.dir}/sink.pid; error_log {self.dir}/sink.err;
            events {{ worker_connections 8192; }}
            http {{
                log_format delivery '$msec $http_webhook_id';
                keepalive_requests 1000000000; keepalive_timeout 600s;
                server {{ listen 127.0.0.1:{self.sink_port} backlog=4096; access_log off; location / {{ return 204; }} }}
                server {{ listen 127.0.0.1:{self.log_port} backlog=4096; access_log {self.log} delivery buffer=64k flush=100ms;
                    location / {{ return 204; }} }} }}""")
        self.sink = Family(self.spawn("/usr/sbin/nginx", "-e", self.dir / "sink.err", "-c", file).pid)
        self.spawn(self.python, HERE / "hang.py", self.hang_port)
        self.wait(self.sink_port)
        self.wait(self.hang_port)

    def arrivals(self):
        """When each event came to the sink's logged port, by id; the log starts anew."""
        time.sleep(0.4)
        found = {}
        for line in self.log.read_text().splitlines():
            moment, event = line.split()
            found.setdefault(event, float(moment))
        os.truncate(self.log, 0)
        return found

    def start_redis(self):
        port = free_port()
        # Debian's redis-tools carries the server under the name of the file checker, and starts no daemon as redis-server would.
        server = self.spawn(
            "redis-server", "--port", str(port), "--save", "", "--appendonly", "yes", "--appendfsync", "everysec", "--bind", "127.0.0.1",
            cwd=self.dir, executable="/usr/bin/redis-check-rdb")
        self.wait(port)
        return port, Family(server.pid)

    def start_webhooks(self, **settings):
        """The service alone, with these variables besides; one that runs ends first."""
        self.stop_webhooks()
        self.port = free_port()
        url = f"@127.0.0.1:{self.database_port}/switchboard"
        env = dict(
            PATH=os.environ["PATH"], LD_LIBRARY_PATH=os.environ.get("LD_LIBRARY_PATH", ""), HOST="127.0.0.1", WEBHOOKS_PORT=str(self.port),
            SWITCHBOARD_ENV="production", PUBLIC_URL="http://127.0.0.1", LOG_LEVEL="warning", SWIFT_BACKTRACE="enable=no",
            ENCRYPTION_KEY=self.encryption_key, OUTBOUND_ALLOW="127.0.0.0/8", GATEWAY_URLS=f"http://127.0.0.1:{self.sink_port}",
            DATABASE_URL=f"postgres://webhooks:bench{url}", MIGRATION_DATABASE_URL=f"postgres://webhooks_owner:bench{url}", **settings,
            **{f"INTERNAL_KEY_{name.upper()}": key for name, key in self.keys.items()})
        binary = ROOT / ".build/release/webhooks"
        run(binary, "migrate", env=env)
        self.process = self.spawn(binary, env=env)
        self.webhooks = Family(self.process.pid)
        self.wait(self.port)

    def stop_webhooks(self):
        if self.webhooks:
            self.end(self.process)
            self.webhooks = None

    def call(self, method, path, body=None, organization=1):
        """A call of a member's, as the gateway would pass it on."""
        data = json.dumps(body).encode() if body is not None else b""
        signer = identity.Signer("gateway", self.keys["gateway"])
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        connection.request(method, path, data, {
            "Content-Type": "application/json", "Switchboard-Identity": signer.sign(method, path, data, time.time() + 30, organization)})
        answer = connection.getresponse()
        data = answer.read()
        connection.close()
        if answer.status >= 300:
            raise SystemExit(f"{method} {path}: {answer.status} {data.decode()}")
        return json.loads(data) if data else None

    def subscribe(self, organization, count, port):
        """Subscriptions of which each wants the events of one campaign, its number. `port` may be a function of that number."""
        ids = []
        for number in range(count):
            target = port(number) if callable(port) else port
            made = self.call("POST", "/api/v1/zapier/webhooks", {
                "webhook_url": f"http://127.0.0.1:{target}/hooks/{organization}/{number}", "trigger_events": ["campaign_sent"],
                "filter": {"data.campaign_id": number + 1}}, organization)
            ids.append(made["id"])
        return ids
