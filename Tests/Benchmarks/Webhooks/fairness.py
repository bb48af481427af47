"""Whether targets that hang, and an organization with a flood of deliveries, keep others waiting."""
import statistics, time

import backlog, publisher, report
from rates import quantile

ENDPOINTS, HANGING, RATE, PAIRS = 100, 10, 500, 5
SOUND, ILL, FLOOD, QUIET = 4, 5, 6, 7
FLOODED, QUIET_RATE = 1_000_000, 50


def sound_ones(bench, signer, organization, seconds):
    """p99 in milliseconds from publishing to delivery at the endpoints that answer, in either organization the same."""
    bench.clear()
    bench.arrivals()
    chosen, _ = publisher.at_a_rate(bench.port, signer, organization, ENDPOINTS, RATE, seconds)
    wanted = [event for event, number in chosen.items() if number >= HANGING]
    deadline, found = time.time() + 60, {}
    while not all(event in found for event in wanted):
        if time.time() > deadline:
            raise SystemExit(f"{sum(event not in found for event in wanted)} deliveries did not arrive")
        found |= bench.arrivals()
    return quantile(sorted((found[event] - publisher.published_at(event)) * 1000 for event in wanted), 0.99)


def measure(bench, signer, options):
    bench.start_webhooks(ZAPIER_WEBHOOK_TIMEOUT="5")
    bench.subscribe(SOUND, ENDPOINTS, bench.log_port)
    bench.subscribe(ILL, ENDPOINTS, lambda number: bench.hang_port if number < HANGING else bench.log_port)
    seconds = max(options.seconds, 12) if options.queued >= 1_000_000 else options.seconds
    pairs = []
    for _ in range(PAIRS):
        healthy = sound_ones(bench, signer, SOUND, seconds)
        beside = sound_ones(bench, signer, ILL, seconds)
        pairs.append((healthy, beside))
        # What hangs still has to time out.
        bench.clear()
        time.sleep(6)
    print(f"\np99 of sound endpoints at {RATE}/s over {ENDPOINTS}, in ms, alone and with {HANGING} that hang: "
          + ", ".join(f"{healthy:.0f} and {beside:.0f}" for healthy, beside in pairs))
    report.aim("p99 beside hanging ones, of that without", statistics.median(beside / healthy for healthy, beside in pairs), 1.25)
    flood(bench, signer, options, seconds)


def flood(bench, signer, options, seconds):
    bench.clear()
    ids = bench.subscribe(FLOOD, 10, bench.sink_port)
    bench.subscribe(QUIET, 1, bench.log_port)
    backlog.pause(bench, FLOOD)
    backlog.fill(bench, FLOOD, ids, min(FLOODED, options.queued))
    bench.arrivals()
    backlog.resume(bench, FLOOD)
    chosen, _ = publisher.at_a_rate(bench.port, signer, QUIET, 1, QUIET_RATE, seconds)
    bench.wait_until_empty(organization=QUIET)
    still = bench.one("SELECT count(*) FROM deliveries")
    found = bench.arrivals()
    backlog.pause(bench, FLOOD)
    bench.clear()
    times = sorted((found[event] - publisher.published_at(event)) * 1000 for event in chosen)
    print(f"{QUIET_RATE}/s of one organization beside {min(FLOODED, options.queued)} of another, of which {still} still wait at the end: "
          f"p50 {quantile(times, 0.5):.0f}, p95 {quantile(times, 0.95):.0f}, p99 {quantile(times, 0.99):.0f} ms")
    report.aim("p99 beside a flood in ms", quantile(times, 0.99), 1000)
