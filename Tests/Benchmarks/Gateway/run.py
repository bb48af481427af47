"""Measures the gateway beside nginx with Lua (memory, and Redis) and FastAPI with httpx: the same upstream, keys and answer of 1 KiB, the same cores.

Prints requests/s, latency, CPU per request and memory of each; then latency at half load, and memory through many requests with sign-ins among them.
"""
import argparse, atexit, base64, json, os, pathlib, secrets, shutil, signal, socket, statistics, string, subprocess, sys, tempfile, threading, time, urllib.request

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[2]
KEYS = 64
PATH = "/api/v1/integrations"
PASSWORD = "correct horse battery staple"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def run(*command, **options):
    return subprocess.run(command, check=True, capture_output=True, text=True, **options).stdout


class Peer:
    """A server under test: its processes, and where it answers."""

    def __init__(self, name, port, processes, headers="key"):
        self.name, self.port, self.processes, self.headers = name, port, processes, headers

    def pids(self):
        found = set()
        todo = [process.pid for process in self.processes]
        while todo:
            pid = todo.pop()
            found.add(pid)
            try:
                todo += [int(child) for child in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
            except FileNotFoundError:
                pass
        return found

    def cpu_seconds(self):
        ticks = 0
        for pid in self.pids():
            try:
                fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
                ticks += int(fields[11]) + int(fields[12])
            except FileNotFoundError:
                pass
        return ticks / os.sysconf("SC_CLK_TCK")

    def rss_mb(self):
        kilobytes = 0
        for pid in self.pids():
            try:
                for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
                    if line.startswith("VmRSS"):
                        kilobytes += int(line.split()[1])
            except FileNotFoundError:
                pass
        return kilobytes / 1024


class Bench:
    def __init__(self, options):
        self.options = options
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="switchboard-gateway-bench-", dir="/var/tmp"))
        self.dir.chmod(0o755)
        self.children = []
        atexit.register(self.close)

    def close(self):
        for child in self.children:
            child.send_signal(signal.SIGTERM)
        for child in self.children:
            try:
                child.wait(10)
            except subprocess.TimeoutExpired:
                child.kill()
        subprocess.run([ROOT / "compose/local/postgres.sh", "stop", self.dir / "postgres", "immediate"], capture_output=True)
        os.environ.get("BENCH_KEEP") or shutil.rmtree(self.dir, ignore_errors=True)

    def spawn(self, *command, env=None, cwd=None, executable=None):
        log = open(self.dir / f"{pathlib.Path(command[0]).name}-{len(self.children)}.log", "w")
        child = subprocess.Popen([str(part) for part in command], env=env, cwd=cwd, stdout=log, stderr=log, executable=executable)
        self.children.append(child)
        return child

    def wait(self, port, path="/"):
        for _ in range(200):
            try:
                with socket.create_connection(("127.0.0.1", port), 0.2):
                    return
            except OSError:
                time.sleep(0.05)
        raise SystemExit(f"nothing listens on port {port}; see {self.dir}")

    # The servers

    def upstream(self):
        self.upstream_port = free_port()
        body = json.dumps({"data": "x" * 1004, "next_cursor": None}, separators=(",", ":"))[:1024]
        conf = f"""
            worker_processes 2; daemon off; pid {self.dir}/upstream.pid; error_log {self.dir}/upstream.err;
            events {{ worker_connections 4096; }}
            http {{ access_log off; keepalive_requests 1000000000; keepalive_timeout 600s;
                server {{ listen 127.0.0.1:{self.upstream_port} backlog=4096;
                    location / {{ default_type application/json; return 200 '{body}'; }} }} }}"""
        return Peer("direct", self.upstream_port, [self.nginx("upstream", conf)])

    def nginx(self, name, conf):
        file = self.dir / f"{name}.conf"
        file.write_text(conf)
        return self.spawn("/usr/sbin/nginx", "-e", self.dir / f"{name}.err", "-c", file)

    def lua(self, title, redis_port=None):
        port = free_port()
        name = "lua-redis" if redis_port else "lua"
        shutil.copy(HERE / "limits.lua", self.dir / "limits.lua")
        modules = "load_module /usr/lib/nginx/modules/ndk_http_module.so; load_module /usr/lib/nginx/modules/ngx_http_lua_module.so;"
        check = "limits.check_redis(%d)" % redis_port if redis_port else "limits.check()"
        conf = f"""
            {modules}
            worker_processes 2; daemon off; pid {self.dir}/{name}.pid; error_log {self.dir}/{name}.err;
            events {{ worker_connections 4096; }}
            http {{ access_log off; keepalive_requests 1000000000; keepalive_timeout 600s;
                lua_shared_dict keys 10m; lua_shared_dict limits 10m;
                lua_package_path '{self.dir}/?.lua;/usr/share/lua/5.1/?.lua;;';
                init_by_lua_block {{ limits = require('limits'); limits.load('{self.dir}/keys.txt') }}
                upstream up {{ server 127.0.0.1:{self.upstream_port}; keepalive 64; keepalive_requests 1000000000; keepalive_timeout 600s; }}
                server {{ listen 127.0.0.1:{port} backlog=4096;
                    location / {{ access_by_lua_block {{ {check} }}
                        proxy_http_version 1.1; proxy_set_header Connection ''; proxy_pass http://up; }} }} }}"""
        return Peer(title, port, [self.nginx(name, conf)])

    def redis(self):
        port = free_port()
        # Debian's redis-tools carries the server under the name of the file checker, and starts no daemon as redis-server would.
        server = self.spawn(
            "redis-server", "--port", str(port), "--save", "", "--appendonly", "no", "--bind", "127.0.0.1", cwd=self.dir,
            executable="/usr/bin/redis-check-rdb",
        )
        self.wait(port)
        peer = self.lua("nginx + Lua + Redis", port)
        peer.processes.append(server)
        return peer

    def fastapi(self):
        port = free_port()
        env = dict(os.environ, KEYS=str(self.dir / "keys.txt"), UPSTREAM=f"http://127.0.0.1:{self.upstream_port}")
        server = self.spawn(
            self.options.python, "-m", "uvicorn", "fastapi_gateway:app", "--port", str(port), "--workers", "2", "--no-access-log",
            "--log-level", "warning", env=env, cwd=HERE,
        )
        return Peer("FastAPI + httpx", port, [server])

    def gateway(self):
        database = free_port()
        run(ROOT / "compose/local/postgres.sh", "start", self.dir / "postgres", str(database))
        psql = ["psql", "-qX", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1", "-p", str(database), "-U", "postgres"]
        roles = [f"{name}{kind}" for name in ("gateway", "integrations", "campaigns", "webhooks") for kind in ("", "_owner")]
        run(*psql, "-d", "postgres", *[part for role in roles for part in ("-v", f"{role}_password=bench")], "-f", ROOT / "compose/postgres/roles.sql")
        run(*psql, "-d", "postgres", "-c", "CREATE DATABASE switchboard")
        run(*psql, "-d", "switchboard", "-f", ROOT / "compose/postgres/schemas.sql")
        port = free_port()
        url = f"@127.0.0.1:{database}/switchboard"
        env = dict(
            PATH=os.environ["PATH"], LD_LIBRARY_PATH=os.environ.get("LD_LIBRARY_PATH", ""), HOST="127.0.0.1", GATEWAY_PORT=str(port),
            SWITCHBOARD_ENV="production", PUBLIC_URL=f"http://127.0.0.1:{port}", LOG_LEVEL="warning", SWIFT_BACKTRACE="enable=no",
            ENCRYPTION_KEY=base64.b64encode(secrets.token_bytes(32)).decode(), DATABASE_URL=f"postgres://gateway:bench{url}",
            MIGRATION_DATABASE_URL=f"postgres://gateway_owner:bench{url}",
            # As the peers: no line a request in the process's log. Rows of the request log are written all the same.
            # Nothing is refused: every peer only counts.
            **{name: "1000000000" for name in (
                "API_RATE_LIMIT_DEFAULT", "API_BURST_LIMIT_DEFAULT", "ORGANIZATION_RATE_LIMIT_DEFAULT", "MEMBER_RATE_LIMIT", "ADDRESS_RATE_LIMIT")},
        )
        for peer in ("INTEGRATIONS", "CAMPAIGNS", "WEBHOOKS"):
            env[f"{peer}_URLS"] = f"http://127.0.0.1:{self.upstream_port}"
            env[f"INTERNAL_KEY_{peer}"] = secrets.token_hex(32)
        binary = ROOT / ".build/release/gateway"
        run(binary, "migrate", env=env)
        started = time.time()
        process = self.spawn(binary, env=env)
        while True:
            try:
                if self.call(port, "GET", "/readyz")[0] == 200:
                    break
            except OSError:
                pass
            if time.time() - started > 10:
                raise SystemExit(f"the gateway is not ready; see {self.dir}")
            time.sleep(0.002)
        print(f"cold start to ready with a migrated database: {(time.time() - started) * 1000:.0f} ms\n")
        keys = []
        for number in range(KEYS):
            account = self.call(port, "POST", "/api/v1/auth/register", {
                "email": f"bench{number}@demo.example", "password": PASSWORD, "name": "Bench", "organization_name": "Bench"})[1]
            body = {"name": "bench", "scopes": ["integrations:read"]}
            keys.append(self.call(port, "POST", "/api/v1/api/keys", body, account["access_token"])[1]["key"])
        (self.dir / "keys.txt").write_text("\n".join(keys) + "\n")
        return Peer("Switchboard", port, [process])

    def call(self, port, method, path, body=None, token=None):
        request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", method=method, data=json.dumps(body).encode() if body else None)
        request.add_header("Content-Type", "application/json")
        if token:
            request.add_header("Authorization", f"Bearer {token}")
        with urllib.request.urlopen(request, timeout=10) as answer:
            data = answer.read()
            return answer.status, json.loads(data) if data.startswith(b"{") else None

    # The loads

    def wrk(self, peer, seconds, rate=None):
        """- rate: requests a second, spread at random over 64 connections; as many as can be without it."""
        pause = [str(64 / rate * 1000)] if rate else []
        before = peer.cpu_seconds()
        text = run(
            "wrk", "-t2", "-c64", f"-d{seconds}s", "--latency", "-s", HERE / "load.lua", f"http://127.0.0.1:{peer.port}{PATH}",
            self.dir / "keys.txt", *pause,
        )
        cpu = peer.cpu_seconds() - before
        result = json.loads(text[text.index("{"):text.rindex("}") + 1])
        # A peer that drops one connection in a thousand is still measured.
        if result["errors"] > result["requests"] / 1000:
            raise SystemExit(f"{peer.name}: {result['errors']} answers were not 200")
        return {"rate": result["requests"] / result["seconds"], "p50": result["p50"], "p99": result["p99"], "cpu": cpu / result["requests"] * 1e6}

    def soak(self, peer, requests):
        """Memory through many requests with sign-ins among them."""
        stop = threading.Event()
        signed_in = [0]

        def sign_in():
            while not stop.is_set():
                try:
                    self.call(peer.port, "POST", "/api/v1/auth/login", {"email": "bench0@demo.example", "password": PASSWORD})
                    signed_in[0] += 1
                except OSError:
                    pass
                stop.wait(0.2)

        threads = [threading.Thread(target=sign_in) for _ in range(2)]
        for thread in threads:
            thread.start()
        done, highest, samples = 0, 0, []
        while done < requests:
            result = self.wrk(peer, 5)
            done += int(result["rate"] * 5)
            samples.append(peer.rss_mb())
        stop.set()
        for thread in threads:
            thread.join()
        return done, signed_in[0], samples


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--python", default=sys.executable, help="one that has fastapi, uvicorn, uvloop, httptools and httpx")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=6)
    parser.add_argument("--soak", type=int, default=1_000_000, help="requests of the memory run; 0 for none")
    parser.add_argument("--only", default="", help="the peers whose names hold this")
    options = parser.parse_args()
    bench = Bench(options)
    direct = bench.upstream()
    bench.wait(direct.port)
    own = bench.gateway()
    peers = [direct, own]
    if not options.only:
        peers += [bench.lua("nginx + Lua"), bench.redis(), bench.fastapi()]
    else:
        peers += [bench.lua("nginx + Lua")] if "lua" in options.only else []
    for peer in peers:
        bench.wait(peer.port)
    for peer in peers:
        bench.wrk(peer, 2)
    results = {peer.name: [] for peer in peers}
    for _ in range(options.rounds):
        for peer in peers:
            results[peer.name].append(bench.wrk(peer, options.seconds))
    middle = {name: {field: statistics.median(r[field] for r in rounds) for field in rounds[0]} for name, rounds in results.items()}
    print(f"{'':22}{'req/s':>9}{'p50 ms':>9}{'p99 ms':>9}{'CPU µs':>9}{'RSS MB':>9}")
    for peer in peers:
        m = middle[peer.name]
        print(f"{peer.name:22}{m['rate']:9.0f}{m['p50']:9.2f}{m['p99']:9.2f}{m['cpu']:9.1f}{peer.rss_mb():9.1f}")
    print()
    met = True

    def ratio(name, aim):
        nonlocal met
        if name in middle:
            ratios = [ours["rate"] / theirs["rate"] for ours, theirs in zip(results["Switchboard"], results[name])]
            value = statistics.median(ratios)
            met &= value >= aim
            print(f"of {name}: {value:.2f} (aim {aim}) {'met' if value >= aim else 'MISSED'}; rounds {', '.join(f'{r:.2f}' for r in ratios)}")

    ratio("nginx + Lua", 0.6)
    ratio("nginx + Lua + Redis", 0.9)
    ratio("FastAPI + httpx", 13)
    half = middle["Switchboard"]["rate"] / 2
    paced = {peer.name: [] for peer in peers if peer.name != "FastAPI + httpx"}
    for _ in range(options.rounds):
        for peer in peers:
            if peer.name in paced:
                paced[peer.name].append(bench.wrk(peer, 5, half))
    added = {
        name: statistics.median(through["p99"] - straight["p99"] for through, straight in zip(rounds, paced["direct"]))
        for name, rounds in paced.items() if name != "direct"
    }
    met &= added["Switchboard"] < 2
    shown = ", ".join(f"{name} {value:.2f}" for name, value in added.items())
    print(f"added p99 at {half:.0f} req/s, half of Switchboard's, in ms: {shown} (aim under 2) {'met' if added['Switchboard'] < 2 else 'MISSED'}")
    if options.soak:
        done, signed_in, samples = bench.soak(own, options.soak)
        met &= max(samples) < 80
        shown = [f"{sample:.0f}" for sample in samples[:: max(1, len(samples) // 10)]]
        print(f"RSS through {done} requests and {signed_in} sign-ins: {', '.join(shown)} MB; highest {max(samples):.1f} (aim under 80)")
    print("\nEvery aim is met." if met else "\nNot every aim is met.")
    sys.exit(0 if met else 1)


if __name__ == "__main__":
    main()
