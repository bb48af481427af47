-- What the gateway does with a key, in nginx: looked up by its digest, counted against a limit that never refuses.
local limits = {}

local rate = 1e9 / 3600
local burst = 1e9

-- SHA-1, which nginx has built in; the gateway pays for SHA-256.
local function digest(key)
  return ngx.sha1_bin(key)
end

function limits.load(file)
  local keys = ngx.shared.keys
  for key in io.lines(file) do keys:set(digest(key), 'organization') end
end

local function known()
  local key = ngx.var.http_x_api_key
  if not key then return ngx.exit(401) end
  local hash = digest(key)
  if not ngx.shared.keys:get(hash) then return ngx.exit(401) end
  return hash
end

-- GCRA over one number: the theoretical arrival time.
function limits.check()
  local hash = known()
  local store = ngx.shared.limits
  local now = ngx.now()
  local arrival = math.max(store:get(hash) or now, now)
  if arrival - now > burst / rate then return ngx.exit(429) end
  store:set(hash, arrival + 1 / rate)
end

-- A fixed window that all share: INCR, and EXPIRE with its first.
function limits.check_redis(port)
  local hash = known()
  local redis = require('nginx.redis'):new()
  redis:set_timeout(1000)
  assert(redis:connect('127.0.0.1', port))
  local window = math.floor(ngx.now() / 3600)
  local name = ngx.encode_base64(hash) .. window
  local count = assert(redis:incr(name))
  if count == 1 then redis:expire(name, 3600) end
  redis:set_keepalive(60000, 64)
  if count > 1e9 then return ngx.exit(429) end
end

return limits
