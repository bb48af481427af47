"""Deliveries a second at the limit, and the time from publishing to delivery at given rates: the service, then the peer, round by round."""
import statistics, time

import publisher, report
from peer import Peer

RATES = (50, 200, 1000)
# p95 in milliseconds.
AIMS = {200: 50, 1000: 120}
ENDPOINTS = 50
# Organizations whose targets lie at the sink without a log, and with one.
AT_THE_LIMIT, AT_A_RATE = 1, 2


def quantile(sorted_values, share):
    return sorted_values[min(len(sorted_values) - 1, int(len(sorted_values) * share))]


def limit(bench, signer, seconds):
    bench.clear()
    bench.database.execute("SELECT pg_stat_statements_reset()")
    costs = {"webhooks": bench.webhooks, "postgres": bench.postgres, "sink": bench.sink}
    before = {name: family.cpu_seconds() for name, family in costs.items()}
    began = time.time()
    published, took, publisher_cpu = publisher.at_the_limit(bench.port, signer, AT_THE_LIMIT, ENDPOINTS, seconds)
    bench.wait_until_empty()
    spent = time.time() - began
    done = bench.one("SELECT count(*) FROM settled_deliveries WHERE state = 'succeeded'")
    if done != published:
        raise SystemExit(f"{published} events were published and {done} delivered")
    cpu = {name: (family.cpu_seconds() - before[name]) / done * 1e6 for name, family in costs.items()}
    cpu["publisher"] = publisher_cpu / done * 1e6
    bench.statements = report.statements(bench)
    return done / spent, published / took, cpu


def latency(bench, signer, rate, seconds):
    bench.clear()
    bench.arrivals()
    chosen, share = publisher.at_a_rate(bench.port, signer, AT_A_RATE, ENDPOINTS, rate, seconds)
    bench.wait_until_empty()
    found = bench.arrivals()
    return sorted((found[event] - publisher.published_at(event)) * 1000 for event in chosen), share


def measure(bench, signer, options):
    bench.start_webhooks()
    bench.subscribe(AT_THE_LIMIT, ENDPOINTS, bench.sink_port)
    bench.subscribe(AT_A_RATE, ENDPOINTS, bench.log_port)
    wants = {"limit": not options.only or "limit" in options.only, "latency": not options.only or "latency" in options.only}
    peer = None if "nopeer" in options.only else Peer(bench)
    limits, times = {name: [] for name in ("Switchboard", "Dramatiq", "as is usual", "only posting", "wrk")}, {}
    limit(bench, signer, 2)
    for _ in range(options.rounds):
        if wants["limit"]:
            limits["Switchboard"].append(limit(bench, signer, options.seconds))
            if peer:
                limits["Dramatiq"].append(peer.at_the_limit(options.seconds, durable=True))
                limits["as is usual"].append(peer.at_the_limit(options.seconds, durable=False))
                limits["only posting"].append(peer.bare_at_the_limit(options.seconds))
                limits["wrk"].append((peer.wrk(options.seconds / 2), {}))
        for rate in RATES if wants["latency"] else ():
            times.setdefault(("Switchboard", rate), []).append(latency(bench, signer, rate, options.seconds))
            if peer and (rate < 1000 or not limits["only posting"] or limits["only posting"][-1][0] > rate):
                times.setdefault(("Dramatiq", rate), []).append((peer.at_a_rate(rate, options.seconds), None))
    if wants["limit"]:
        show_limits(limits)
        report.show(bench.statements)
    if wants["latency"]:
        show_times(times)


def show_limits(limits):
    print(f"\n{'':14}{'deliveries/s':>13}   CPU us a delivery")
    for name, rounds in limits.items():
        if rounds:
            cpu = {part: statistics.median(result[-1][part] for result in rounds) for part in rounds[0][-1]}
            shown = ", ".join(f"{part} {us:.0f}" for part, us in cpu.items())
            print(f"{name:14}{statistics.median(result[0] for result in rounds):13.0f}   {shown}")
    own = [result[0] for result in limits["Switchboard"]]
    taken = statistics.median(result[1] for result in limits["Switchboard"])
    print(f"rounds {', '.join(f'{rate:.0f}' for rate in own)}; events taken meanwhile: {taken:.0f}/s")
    report.aim("durable deliveries/s", statistics.median(own), 8000, at_least=True)
    if limits["Dramatiq"]:

        def times(name):
            return statistics.median(ours / theirs[0] for ours, theirs in zip(own, limits[name]))

        report.aim("times the Python worker that loses nothing either", times("Dramatiq"), 15, at_least=True)
        print(f"times the same worker whose Redis, as is usual, may lose a second: {times('as is usual'):.1f}")
        print(f"times a Python worker that only posts what was queued before: {times('only posting'):.1f}")
        print(f"of wrk: {times('wrk'):.2f}")


def show_times(times):
    print(f"\n{'publish to delivered, ms':30}{'p50':>8}{'p95':>8}{'p99':>8}  publisher's share of a core")
    for (name, rate), rounds in times.items():
        p50, p95, p99 = (statistics.median(quantile(found, share) for found, _ in rounds) for share in (0.5, 0.95, 0.99))
        share = "" if rounds[0][1] is None else f"{statistics.median(share for _, share in rounds):.2f}"
        print(f"{f'{name} at {rate}/s':30}{p50:8.1f}{p95:8.1f}{p99:8.1f}  {share}")
    for rate, most in AIMS.items():
        found = [quantile(sample, 0.95) for sample, _ in times[("Switchboard", rate)]]
        report.aim(f"p95 at {rate}/s in ms", statistics.median(found), most)
