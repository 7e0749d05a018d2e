-- Tries a write, in a script, as every change of handout's is.
--
-- KEYS[1] -> <prefix>:probe, string with an expiry
-- ARGV[1] -> the prefix
-- ARGV[2] -> the queue that this process takes tasks from; empty: none
--
-- Returns the names of commands that this user may not use; Redis 6.2 doesn't say.
redis.call('SET', KEYS[1], '1', 'PX', 1000)
local forbidden = {}
if redis.acl_check_cmd then
  local key = ARGV[1] .. ':{c}:meta'
  local commands = {
    {'HSET', key, 'f', 'v'}, {'HSETNX', key, 'f', 'v'}, {'HMGET', key, 'f'}, {'HGETALL', key}, {'HDEL', key, 'f'},
    {'HINCRBY', key, 'f', '1'}, {'ZADD', key, '1', 'm'}, {'ZINCRBY', key, '1', 'm'}, {'ZREM', key, 'm'},
    {'ZRANGEBYSCORE', key, '0', '1'}, {'RPUSH', key, 'v'}, {'LRANGE', key, '0', '1'}, {'LTRIM', key, '0', '1'},
    {'SET', key, 'v'}, {'GET', key}, {'MGET', key}, {'APPEND', key, 'v'}, {'EXPIRE', key, '1'}, {'UNLINK', key}, {'TIME'},
    {'SCRIPT', 'LOAD', 'x'},
  }
  if ARGV[2] ~= '' then
    local queue = 'asynq:{' .. ARGV[1] .. ':' .. ARGV[2] .. '}:pending'
    for _, command in ipairs({
      {'LPUSH', queue, 'v'}, {'RPOPLPUSH', queue, queue}, {'SADD', 'asynq:queues', 'm'}, {'SUBSCRIBE', 'asynq:cancel'},
    }) do
      commands[#commands + 1] = command
    end
  end
  for _, command in ipairs(commands) do
    if not redis.acl_check_cmd(unpack(command)) then
      forbidden[#forbidden + 1] = string.lower(command[1]) .. ' ' .. (command[2] or '')
    end
  end
end
return forbidden
