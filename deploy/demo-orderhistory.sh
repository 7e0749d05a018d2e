#!/bin/sh
# The order-history export from end to end, on this machine and against the
# simulator: a generated shop, its files in a folder, and everything that sends
# as processes of their own. Nothing reaches anybody.
set -eu

cd "$(dirname "$0")/.."
bin="$PWD/bin"
dir="$(mktemp -d)"
pids=

finish() {
	status=$?
	trap - EXIT INT TERM
	for p in $pids; do kill "$p" 2>/dev/null || true; done
	wait
	rm -rf "$dir"
	exit "$status"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# serve NAME COMMAND… starts a server and waits for the line with its address,
# which it leaves in $url.
serve() {
	name=$1
	shift
	"$@" >"$dir/$name.out" 2>"$dir/$name.log" &
	pids="$! $pids"
	tries=0
	until url="$(sed -n 's/^listening on //p' "$dir/$name.out")" && [ -n "$url" ]; do
		tries=$((tries + 1))
		if [ "$tries" -gt 300 ]; then
			cat "$dir/$name.log" >&2
			echo "$name doesn't start" >&2
			exit 1
		fi
		sleep 0.1
	done
	echo "$name  $url"
}

export REDIS_URL="unix://$dir/redis.sock"
export TELESIGN_CUSTOMER_ID=00000000-DEMO-0000-0000-000000000000 TELESIGN_API_KEY=bm9ib2R5J3Mga2V5LCBmb3IgdGhlIGRlbW8gb25seQ==
export HANDOUT_LISTEN_ADDR=127.0.0.1:0 HANDOUT_SIMULATE_ADDR=127.0.0.1:0 HANDOUT_WORK_ADDR=127.0.0.1:0
# In a hurry; not for the real account.
export HANDOUT_SIMULATE_SPEED=100 HANDOUT_RATE=200 HANDOUT_SEND_TIMEOUT=4s HANDOUT_RECEIPT_DEADLINE=12s HANDOUT_POLL_RATE=50 HANDOUT_LOG_LEVEL=error
# The files are on this machine, which a worker otherwise wouldn't look at.
export HANDOUT_SIMULATE_FILES="$dir/files" HANDOUT_SIMULATE_FETCH=true HANDOUT_CHECK_FILES_PRIVATE=true HANDOUT_CHECK_FILES_RATE=20
export ORDERHISTORY_SHOP="sqlite:$dir/shop.db" ORDERHISTORY_STATE="sqlite:$dir/state.db" ORDERHISTORY_FOLDER="$dir/files"

redis-server --port 0 --unixsocket "$dir/redis.sock" --dir "$dir" --appendonly yes --appendfsync always --save "" \
	--maxmemory-policy noeviction >"$dir/redis.log" &
pids="$!"
tries=0
until [ -S "$dir/redis.sock" ]; do
	tries=$((tries + 1))
	[ "$tries" -le 300 ] || { cat "$dir/redis.log" >&2; exit 1; }
	sleep 0.1
done

serve "receipts " "$bin/handout" listen
export HANDOUT_SIMULATE_CALLBACK_URL="$url/callbacks/telesign"
serve "simulator" "$bin/handout" simulate
export TELESIGN_URL="$url" ORDERHISTORY_FOLDER_URL="$url"
simulator="$url"
serve "worker   " "$bin/handout" work
echo

echo "1. A shop. The last digits of a customer's number choose what the simulator does"
echo "   with the message: most are delivered, some fail on purpose."
"$bin/orderhistory" generate --customers "${CUSTOMERS:-500}"
echo

echo "2. The export of today: a file for each, killed as soon as some are written."
"$bin/orderhistory" run >"$dir/first.out" 2>&1 &
export_pid=$!
files() { find "$dir/files" -name '*.xlsx' 2>/dev/null | wc -l; }
until [ "$(files)" -ge 250 ] || ! kill -0 "$export_pid" 2>/dev/null; do sleep 0.02; done
kill -9 "$export_pid" 2>/dev/null || true
wait "$export_pid" 2>/dev/null || true
echo "   kill -9 after $(files) files. Nothing has been sent:"
"$bin/orderhistory" status
echo

echo "3. The same command again goes on where it was, and opens the campaign:"
"$bin/orderhistory" run
echo "   Once more, it changes nothing:"
"$bin/orderhistory" run
echo

echo "4. The worker looks at some files, then sends:"
id="order-history-$(date -u +%F)"
"$bin/handout" report "$id" --follow
"$bin/handout" verify "$id"
echo

echo "5. What the export keeps, and what the simulator saw:"
"$bin/orderhistory" status
curl -fsS "$simulator/simulator/stats" 2>/dev/null |
	sed -n 's/.*"accepted":\([0-9]*\).*"files_fetched":\([0-9]*\),"files_refused":\([0-9]*\).*/Telesign took \1 messages; for WhatsApp it fetched \2 files, and couldn'"'"'t fetch \3./p' || true
