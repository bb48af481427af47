"""Attacks every operation of the API document with schemathesis, at a local stack of its own, once with a key of each role and once as a
signed-in owner. It fails where an answer is a 5xx, is not in the document or does not fit it, and where fewer requests than asked for arrived.

usage: fuzz.py BINARIES [--short]     run it without a network: subscriptions and mail servers that it makes up must reach nobody (fuzz.sh)
"""

import collections
import concurrent.futures
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
RUN = ROOT / ".build" / "fuzz"
ROLES = ["viewer", "editor", "admin", "owner"]
LEAST_REQUESTS = 20_000
LONG = ["--max-examples", "60"]
# For CI: no systematic walk through every keyword of every schema, few random cases.
SHORT = ["--max-examples", "5", "--phases", "examples,fuzzing"]

# What would end the run's own credentials. Ids are small numbers: the key or session in use would be among those that are tried. The owner's
# session runs what keys must not, and keys try everything that ends sessions: they must be refused. What needs the right password, a mailed
# token or a second owner stays in: it must not succeed.
NOT_BY_KEY = [
    "revokeKey",  # ends the key in use
    "rotateKey",  # gives it another string
    "updateKey",  # takes its scopes, or the networks that it may be used from
]
NOT_BY_USER = [
    "logout",  # ends the session in use, as the next three do; the recorded tests cover them
    "logoutEverywhere",
    "endSession",
    "switchOrganization",
]


def free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


class Stack:
    """The whole platform with sandbox and demo data, on free ports."""

    def __init__(self, binaries):
        RUN.mkdir(parents=True, exist_ok=True)
        location = RUN / "postgres" / "location"
        if location.exists():
            shutil.rmtree(location.read_text().strip(), ignore_errors=True)
        for old in RUN.iterdir():
            # The mail sink is fetched by fuzz.sh, while there is a network.
            if old.name != "tools":
                shutil.rmtree(old) if old.is_dir() else old.unlink()
        names = ["GATEWAY_PORT", "INTEGRATIONS_PORT", "CAMPAIGNS_PORT", "WEBHOOKS_PORT", "POSTGRES_PORT", "SANDBOX_PORT", "SMTP_SINK_PORT"]
        ports = dict(zip(names, map(str, free_ports(len(names)))))
        # Limits are not what is tested here: they would answer for everything behind them.
        by_tier = ["API_RATE_LIMIT", "API_BURST_LIMIT", "ORGANIZATION_RATE_LIMIT"]
        limits = [f"{name}_{tier}" for name in by_tier for tier in ("DEFAULT", "PREMIUM")] + ["MEMBER_RATE_LIMIT", "ADDRESS_RATE_LIMIT"]
        own = {"ACCESS_TOKEN_SECONDS": "86400", **{name: "1000000000" for name in limits}}
        command = [f"{binaries}/launcher", "run", "--root", str(ROOT), "--binaries", binaries, "--contacts", "200"]
        for name, value in own.items():
            command += ["--set", f"{name}={value}"]
        self.output = open(RUN / "launcher.log", "w")
        self.process = subprocess.Popen(command, env={**os.environ, **ports, "RUN_DIR": str(RUN)}, stdout=self.output, stderr=self.output)
        try:
            self.wait()
        except BaseException:
            self.stop()
            raise

    def wait(self):
        deadline = time.monotonic() + 180
        while not (RUN / "demo.env").exists():
            if self.process.poll() is not None or time.monotonic() > deadline:
                sys.exit("the local stack does not come up:\n" + (RUN / "launcher.log").read_text()[-3000:])
            time.sleep(0.5)
        self.facts = dict(line.split("=", 1) for line in (RUN / "demo.env").read_text().splitlines())
        self.url = self.facts["GATEWAY_URL"]

    def stop(self):
        self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()

    def call(self, method, path, body=None, token=None):
        headers = {"Content-Type": "application/json"} if body is not None else {}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        data = json.dumps(body).encode() if body is not None else None
        with urllib.request.urlopen(urllib.request.Request(self.url + path, data, headers, method=method), timeout=30) as answer:
            return json.load(answer)

    def answers(self):
        """Statuses that the gateway has answered so far, by its own access log."""
        statuses = collections.Counter()
        with open(RUN / "logs" / "gateway.log", encoding="utf-8") as log:
            for line in log:
                if match := re.search(r'"status":"?(\d{3})', line):
                    statuses[int(match[1])] += 1
        return statuses


def scopes_up_to(document, role):
    """Every scope that a route for this role or a lower one asks for."""
    allowed = ROLES[: ROLES.index(role) + 1]
    operations = [operation for methods in document["paths"].values() for operation in methods.values()]
    return sorted({o["x-scope"] for o in operations if o.get("x-scope") and o["x-role"] in allowed})


# What CPython 3.11 says now and then of a parser that several threads use: no answer of the gateway is meant.
TOOL_FAULT = "SystemError: AST constructor recursion depth mismatch"


def run_tool(command, place, environment, path):
    with open(path, "w") as log:
        return subprocess.run(command, cwd=place, env=environment, stdout=log, stderr=log).returncode


def attack(tools, stack, name, token, way, excluded, options, known):
    # A configuration of its own: the file is read where schemathesis runs, and holds no credential when the run is over.
    place = RUN / f"config-{name}"
    place.mkdir()
    member = "bearer" if way == "bearer" else "api_key"
    own = f'\n[auth.openapi.{way}]\n{member} = "${{FUZZ_TOKEN}}"\n'
    (place / "schemathesis.toml").write_text((HERE / "schemathesis.toml").read_text() + own)
    environment = {**os.environ, "FUZZ_TOKEN": token, "FUZZ_CREDENTIAL": way, "SCHEMATHESIS_HOOKS": "hooks", "PYTHONPATH": str(HERE)}
    command = [
        f"{tools}/schemathesis", "run", f"{stack.url}/api/v1/openapi.json", *options, "--seed", "1", "--continue-on-failure", "--request-timeout", "60", "--workers", "2", "--no-color", "--warnings", "off",
        "--report", "ndjson", "--report-ndjson-path", str(RUN / f"{name}.ndjson"),
    ]
    for operation in excluded:
        if operation in known:
            command += ["--exclude-operation-id", operation]
    start = time.monotonic()
    code = run_tool(command, place, environment, RUN / f"{name}.log")
    if code and TOOL_FAULT in (RUN / f"{name}.log").read_text():
        print(f"{name}: once more, the interpreter failed under the tool", flush=True)
        code = run_tool(command, place, environment, RUN / f"{name}.log")
    print(f"{name}: {'clean' if code == 0 else 'FAULTS'} in {time.monotonic() - start:.0f} s", flush=True)
    if code:
        print((RUN / f"{name}.log").read_text()[-12_000:], flush=True)
    return code == 0 and still_works(stack, name, token)


def still_works(stack, name, token):
    """Whether the run kept its credential to the end: without it every answer is a 401, which fits the document and tells nothing."""
    try:
        stack.call("GET", "/api/v1/api/public/user", token=token)
    except urllib.error.HTTPError as error:
        print(f"{name}: FAULT: its credential works no more ({error.code}): name what ended it in NOT_BY_KEY or NOT_BY_USER", flush=True)
        return False
    return True


# In place of each member of each body, one after the other; schemathesis does not try them all.
ODDITIES = [None, "", "\u0000", "\ud800", 0, -1, 1.5, 10**30, True, [], {}, [None], {"a": None}, "x" * 2000]


def mutated_bodies(document, body):
    """The examples of a request body with each of its members replaced, left out, or joined by one that nobody knows."""

    def resolve(value):
        while "$ref" in value:
            at = document
            for part in value["$ref"][2:].split("/"):
                at = at[part]
            value = at
        return value

    media = body["content"]["application/json"]
    members = resolve(media["schema"]).get("properties", {})
    examples = [example["value"] for example in media.get("examples", {}).values()] or [media["example"]]
    for example in examples:
        yield {**example, "nobody_knows": 1}
        for name in members:
            yield {member: value for member, value in example.items() if member != name}
            for oddity in ODDITIES:
                yield {**example, name: oddity}
    yield from ODDITIES


def mutate(stack, document, token, excluded):
    """Faults of the answers to mutated bodies, which must be documented and no 5xx."""
    faults, count = [], 0
    for template, methods in document["paths"].items():
        for method, operation in methods.items():
            if "requestBody" not in operation or operation["operationId"] in excluded:
                continue
            url = stack.url + re.sub(r"\{[^}]*\}", "1", template)
            for body in mutated_bodies(document, operation["requestBody"]):
                headers = {"Content-Type": "application/json", "Authorization": f"Bearer {token}"}
                request = urllib.request.Request(url, json.dumps(body).encode(), headers, method=method.upper())
                try:
                    with urllib.request.urlopen(request, timeout=60) as answer:
                        status = answer.status
                except urllib.error.HTTPError as error:
                    status = error.code
                count += 1
                if status >= 500 or str(status) not in operation["responses"]:
                    faults.append(f"{method.upper()} {template} answered {status} to {json.dumps(body)[:300]}")
    print(f"mutations: {count} requests, {len(faults)} faults", *faults[:40], sep="\n", flush=True)
    return not faults and still_works(stack, "mutations", token)


def main():
    binaries, is_short = os.path.abspath(sys.argv[1]), "--short" in sys.argv
    tools = pathlib.Path(sys.executable).parent
    stack = Stack(binaries)
    try:
        document = stack.call("GET", "/api/v1/openapi.json")
        known = {operation["operationId"] for methods in document["paths"].values() for operation in methods.values()}
        login = {"email": stack.facts["DEMO_EMAIL"], "password": stack.facts["DEMO_PASSWORD"]}
        owner = stack.call("POST", "/api/v1/auth/login", login)["access_token"]
        runs = []
        for role in ROLES:
            body = {"name": f"fuzz {role}", "role": role, "scopes": scopes_up_to(document, role)}
            # Both ways in which a key may be sent get their share.
            way = "apiKey" if role in ("editor", "owner") else "bearer"
            runs.append((role, stack.call("POST", "/api/v1/api/keys", body, owner)["key"], way, NOT_BY_KEY))
        runs.append(("user", owner, "bearer", NOT_BY_USER))
        if only := os.environ.get("FUZZ_ONLY"):
            runs = [run for run in runs if run[0] == only]
        before = stack.answers()
        options = SHORT if is_short else LONG
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            clean = list(pool.map(lambda run: attack(tools, stack, *run, options, known), [run for run in runs if run[0] != "user"]))
        clean.append(mutate(stack, document, owner, NOT_BY_USER))
        # Last and alone: it revokes keys, those of the others among them.
        clean += [attack(tools, stack, *run, options, known) for run in runs if run[0] == "user"]
        time.sleep(1)
        statuses = stack.answers() - before
    finally:
        stack.stop()
    total, failed = sum(statuses.values()), sum(count for status, count in statuses.items() if status >= 500)
    print(f"{total} requests, {failed} answered 5xx: " + ", ".join(f"{status} {count}" for status, count in sorted(statuses.items())))
    enough = is_short or total >= LEAST_REQUESTS
    if not enough:
        print(f"fewer than {LEAST_REQUESTS} requests")
    sys.exit(not (all(clean) and failed == 0 and enough))


if __name__ == "__main__":
    main()
