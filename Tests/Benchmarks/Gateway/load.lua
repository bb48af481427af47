-- One of the keys at random in each request; the counts as JSON at the end.
local requests = {}

function init(arguments)
  math.randomseed(os.time())
  for key in io.lines(arguments[1]) do
    requests[#requests + 1] = wrk.format('GET', nil, { ['X-API-Key'] = key })
  end
end

function request()
  return requests[math.random(#requests)]
end

function done(summary, latency)
  local errors = summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.status + summary.errors.timeout
  io.write(string.format('{"requests":%d,"seconds":%.6f,"errors":%d,"p50":%.3f,"p99":%.3f}\n', summary.requests, summary.duration / 1e6,
    errors, latency:percentile(50) / 1000, latency:percentile(99) / 1000))
end
