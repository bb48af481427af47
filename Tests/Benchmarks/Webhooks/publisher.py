"""Publishes events as outbox relays do: as fast as the service takes batches, or single ones at moments set beforehand."""
import asyncio, math, os, random, time

import uvloop

PATH = "/internal/events"


def event_id(moment):
    """evt_ and a UUIDv7 of that moment (Unix seconds)."""
    noise = os.urandom(10).hex()
    return f"evt_{int(moment * 1000):012x}7{noise[:3]}8{noise[4:19]}"


def published_at(event):
    return int(event[4:16], 16) / 1000


def data(number):
    """What an event to the subscription of that number says; with it the body that is posted has 302 bytes."""
    return (
        f'{{"campaign_id":{number},"name":"Spring news for all who bought in our shop last autumn, for you","channel":"email",'
        '"counts":{"total":10000,"accepted":9998,"failed":1,"in_doubt":1,"skipped":0}}')


def entry(organization, number, moment):
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(moment))
    event = event_id(moment)
    return event, (
        f'{{"organization_id":{organization},"event":{{"id":"{event}","type":"campaign_sent","timestamp":"{stamp}","data":{data(number)}}}}}')


def request(signer, entries, expires):
    body = ('{"events":[' + ",".join(entries) + "]}").encode()
    head = (
        f"POST {PATH} HTTP/1.1\r\nHost: webhooks\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        f"Switchboard-Identity: {signer.sign('POST', PATH, body, expires)}\r\n\r\n")
    return head.encode() + body


class Connection(asyncio.Protocol):
    """One request at a time."""

    def __init__(self, on_answer):
        self.on_answer, self.buffer = on_answer, b""

    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        self.buffer += data
        head, found, body = self.buffer.partition(b"\r\n\r\n")
        if not found:
            return
        lower = head.lower()
        place = lower.index(b"content-length:") + 15
        if len(body) < int(lower[place:].split(b"\r\n", 1)[0]):
            return
        if not head.startswith(b"HTTP/1.1 200"):
            raise SystemExit(f"refused: {self.buffer.decode(errors='replace')}")
        self.buffer = b""
        self.on_answer(self)


def at_the_limit(port, signer, organization, endpoints, seconds, connections=4, batch=100):
    """- Returns: how many events were published, and the seconds and the CPU seconds that it took."""
    published = 0
    place = 0

    def next_request():
        nonlocal place, published
        now = time.time()
        entries = [entry(organization, (place + step) % endpoints + 1, now)[1] for step in range(batch)]
        place += batch
        published += batch
        return request(signer, entries, now + 30)

    async def publish():
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        left = connections
        done = loop.create_future()

        def on_answer(connection):
            nonlocal left
            if loop.time() < end:
                return connection.transport.write(next_request())
            connection.transport.close()
            left -= 1
            if left == 0:
                done.set_result(None)

        for _ in range(connections):
            _, connection = await loop.create_connection(lambda: Connection(on_answer), "127.0.0.1", port)
            connection.transport.write(next_request())
        await done

    began, cpu = time.time(), time.process_time()
    uvloop.run(publish())
    return published, time.time() - began, time.process_time() - cpu


def moments(rate, seconds, start):
    """Poisson arrivals."""
    found, moment = [], start
    while (moment := moment - math.log(1 - random.random()) / rate) < start + seconds:
        found.append(moment)
    return found


def at_a_rate(port, signer, organization, endpoints, rate, seconds, connections=32):
    """Single events, each sent when its time has come whatever became of those before: signed beforehand, so that the sending costs little.

    - Returns: the numbers of the endpoints by event id, and the share of a core that the publisher took.
    """
    chosen, requests = {}, []
    plan = moments(rate, seconds, 0)
    start = time.time() + 0.2 + len(plan) * 60e-6
    for moment in plan:
        number = random.randrange(endpoints)
        event, text = entry(organization, number + 1, start + moment)
        chosen[event] = number
        requests.append((start + moment, request(signer, [text], start + moment + 30)))

    async def publish():
        loop = asyncio.get_running_loop()
        waiting, free = [], []
        left = len(requests)
        done = loop.create_future()

        def on_answer(connection):
            nonlocal left
            left -= 1
            if waiting:
                connection.transport.write(waiting.pop(0))
            else:
                free.append(connection)
            if left == 0:
                done.set_result(None)

        for _ in range(connections):
            free.append((await loop.create_connection(lambda: Connection(on_answer), "127.0.0.1", port))[1])
        for moment, data in requests:
            pause = moment - time.time()
            if pause > 0:
                await asyncio.sleep(pause)
            if free:
                free.pop().transport.write(data)
            else:
                waiting.append(data)
        await done
        for connection in free:
            connection.transport.close()

    cpu, began = time.process_time(), time.time()
    uvloop.run(publish())
    return chosen, (time.process_time() - cpu) / (time.time() - began)
