-- Tries a write, in a script, as every change of handout's is.
--
-- KEYS[1] -> <prefix>:probe, string with an expiry
-- ARGV[1] -> the prefix
--
-- Returns the names of commands that this user may not use; Redis 6.2 doesn't say.
redis.call('SET', KEYS[1], '1', 'PX', 1000)
local forbidden = {}
if redis.acl_check_cmd then
  local key, queue = ARGV[1] .. ':{c}:meta', 'asynq:{' .. ARGV[1] .. ':bulk}:pending'
  for _, command in ipairs({
    {'HSET', key, 'f', 'v'}, {'HSETNX', key, 'f', 'v'}, {'HMGET', key, 'f'}, {'HGETALL', key}, {'HDEL', key, 'f'},
    {'HINCRBY', key, 'f', '1'}, {'ZADD', key, '1', 'm'}, {'ZINCRBY', key, '1', 'm'}, {'ZREM', key, 'm'},
    {'ZRANGEBYSCORE', key, '0', '1'}, {'RPUSH', key, 'v'}, {'LRANGE', key, '0', '1'}, {'LTRIM', key, '0', '1'},
    {'SET', key, 'v'}, {'GET', key}, {'MGET', key}, {'APPEND', key, 'v'}, {'EXPIRE', key, '1'}, {'UNLINK', key}, {'TIME'},
    {'SCRIPT', 'LOAD', 'x'}, {'LPUSH', queue, 'v'}, {'RPOPLPUSH', queue, queue}, {'SADD', 'asynq:queues', 'm'},
    {'SUBSCRIBE', 'asynq:cancel'},
  }) do
    if not redis.acl_check_cmd(unpack(command)) then
      forbidden[#forbidden + 1] = string.lower(command[1]) .. ' ' .. (command[2] or '')
    end
  end
end
return forbidden
