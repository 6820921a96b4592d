-- The action lua.delay PAIR: hold a request back for proc.PAIR_delay milliseconds, counted from its arrival.
-- It looks again in between, so that a delay that is taken back ends for those who wait, too. When a caller gives up
-- while it waits, HAProxy ends the action and says "aborting Lua processing on expired timeout": that is how it should be.

local LOOK_MS = 20

local function now_ms()
    local now = core.now()
    return now.sec * 1000 + now.usec // 1000
end

core.register_action("delay", { "http-req" }, function(txn, pair)
    local arrived = now_ms()
    while true do
        local delay = txn:get_var("proc." .. pair .. "_delay") or 0
        local left = arrived + delay - now_ms()
        if left <= 0 then
            return
        end
        core.msleep(math.min(left, LOOK_MS))
    end
end, 1)
