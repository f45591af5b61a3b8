-- wrk script: POST of a small event to one path.
--
--   wrk ... -s invoke.lua URL -- PATH

local text

function init(args)
  text = wrk.format("POST", args[1], { ["Content-Type"] = "application/json" }, '{"n":1}')
end

function request()
  return text
end

function done(summary, latency)
  local errors = summary.errors.connect + summary.errors.read + summary.errors.write
    + summary.errors.status + summary.errors.timeout
  io.write(string.format('{"rate":%.1f,"p50_us":%d,"p99_us":%d,"errors":%d}\n',
    summary.requests / summary.duration * 1e6, latency:percentile(50), latency:percentile(99), errors))
end
