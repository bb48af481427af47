"""The same gateway as one would write it with FastAPI and httpx: key by digest, GCRA in memory, forward, answer."""
import hashlib, os, time

import httpx
from fastapi import FastAPI, Request, Response

RATE, BURST = 1e9 / 3600, 1e9
app = FastAPI()
keys = {hashlib.sha256(line.strip().encode()).digest() for line in open(os.environ["KEYS"]) if line.strip()}
arrivals = {}
client = httpx.AsyncClient(base_url=os.environ["UPSTREAM"], limits=httpx.Limits(max_connections=64, max_keepalive_connections=64))


@app.get("/{path:path}")
async def forward(path: str, request: Request):
    digest = hashlib.sha256(request.headers.get("x-api-key", "").encode()).digest()
    if digest not in keys:
        return Response(status_code=401)
    now = time.monotonic()
    arrival = max(arrivals.get(digest, now), now)
    if arrival - now > BURST / RATE:
        return Response(status_code=429)
    arrivals[digest] = arrival + 1 / RATE
    answer = await client.get(f"/{path}", headers={"accept": request.headers.get("accept", "*/*")})
    return Response(answer.content, answer.status_code, media_type=answer.headers.get("content-type"))
