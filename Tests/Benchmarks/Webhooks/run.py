"""Measures the webhooks service alone, beside a Python worker (Dramatiq with Redis) and wrk: deliveries a second, time to delivery, memory and the
cost of a claim with millions waiting, fairness. Private servers all, Postgres with fsync on."""
import argparse, os, sys

import backlog, fairness, publisher, rates, report, stack
from identity import Signer

PARTS = ("limit", "latency", "queue", "fairness")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=10, help="of each measurement")
    parser.add_argument("--queued", type=int, default=5_000_000, help="deliveries that wait in the runs with a long queue")
    parser.add_argument("--only", default="", help=f"some of {', '.join(PARTS)}, separated by commas; nopeer leaves the Python worker out")
    options = parser.parse_args()
    options.only = [part for part in options.only.split(",") if part]
    bench = stack.Stack(sys.executable)
    signer = Signer("campaigns", bench.keys["campaigns"])
    print(f"{os.cpu_count()} cores; single deliveries of {len(body())} bytes to {rates.ENDPOINTS} endpoints", flush=True)
    parts = set(options.only) - {"nopeer"} or set(PARTS)
    if parts & {"limit", "latency"}:
        rates.measure(bench, signer, options)
    if "queue" in parts:
        backlog.measure(bench, signer, options)
    if "fairness" in parts:
        fairness.measure(bench, signer, options)
    print("\nEvery aim is met." if not report.missed else f"\nMissed: {'; '.join(report.missed)}.")
    sys.exit(1 if report.missed else 0)


def body():
    return f'{{"id":"{publisher.event_id(0)}","type":"campaign_sent","timestamp":"2026-01-01T00:00:00.000Z","data":{publisher.data(1)}}}'


if __name__ == "__main__":
    main()
