-- wrk script: PutItem or GetItem with random keys of 10,000.
--
--   wrk ... -s dynamodb.lua URL -- put|get TABLE FIRST_SEED
--
-- The requests are made ahead, so that making them costs the same for every server.

local KEYS = 10000

local HEADERS = {
  ["Content-Type"] = "application/x-amz-json-1.0",
  ["X-Amz-Date"] = "20260101T000000Z",
  ["Authorization"] = "AWS4-HMAC-SHA256 Credential=bench/20260101/us-east-1/dynamodb/aws4_request, "
    .. "SignedHeaders=host;x-amz-date;x-amz-target, Signature=" .. string.rep("0", 64),
}

local function put_body(name, key, variant)
  return string.format('{"TableName":"%s","Item":{"id":{"S":"item-%06d"},"status":{"S":"analyzed"},'
    .. '"score":{"N":"%d"},"source":{"S":"market-daily"},"tags":{"SS":["latency","pricing"]},'
    .. '"title":{"S":"What to know about the new table engine"},"seen":{"BOOL":true},'
    .. '"text":{"S":"%s"}}}', name, key, variant, string.rep("Words of a news item. ", 9))
end

local function get_body(name, key)
  return string.format('{"TableName":"%s","Key":{"id":{"S":"item-%06d"}}}', name, key)
end

local requests = {}

function init(args)
  local operation, name = args[1], args[2]
  math.randomseed(tonumber(args[3]))
  HEADERS["X-Amz-Target"] = "DynamoDB_20120810." .. (operation == "put" and "PutItem" or "GetItem")
  for key = 0, KEYS - 1 do
    -- The variant makes a put over the same item a change, most of the time.
    local body = operation == "put" and put_body(name, key, math.random(1000000)) or get_body(name, key)
    requests[key + 1] = wrk.format("POST", "/", HEADERS, body)
  end
end

function request()
  return requests[math.random(KEYS)]
end

function done(summary, latency)
  local errors = summary.errors.connect + summary.errors.read + summary.errors.write
    + summary.errors.status + summary.errors.timeout
  io.write(string.format('{"rate":%.1f,"p50_us":%d,"p99_us":%d,"errors":%d}\n',
    summary.requests / summary.duration * 1e6, latency:percentile(50), latency:percentile(99), errors))
end
