-- One of the keys at random in each request; the counts as JSON at the end. Arguments: the file of the keys and, for a rate below the limit, the
-- milliseconds that each connection pauses before a request, in the mean: exponentially spread, so that requests come as from many strangers.
local requests = {}

function init(arguments)
  -- Each thread has a state of its own, and its tables their own addresses: the threads do not do the same.
  math.randomseed(os.time() + tonumber(tostring({}):match('0x(%x+)'), 16) % 1000003)
  for key in io.lines(arguments[1]) do
    requests[#requests + 1] = wrk.format('GET', nil, { ['X-API-Key'] = key })
  end
  local pause = tonumber(arguments[2])
  if pause then
    function delay()
      return math.floor(0.5 - math.log(1 - math.random()) * pause)
    end
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
