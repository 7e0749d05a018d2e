package process_test

import (
	"bytes"
	bin "encoding/binary"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/sealed"
	"github.com/handout-dev/handout/ledger"
	"github.com/handout-dev/handout/producer"
	"github.com/handout-dev/handout/test/redistest"
)

// people of the lists of these tests: who they are stands in their IDs.
var someNames = strings.Fields("wilhelmina-aalberts bartholomew-zuckerman persephone-okonkwo")

// filesOf is what the server has on disk, once it has written a snapshot, too.
func filesOf(t testing.TB, server *redistest.Server) []byte {
	t.Helper()
	rdb := server.Client()
	if err := rdb.Save(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	var all bytes.Buffer
	err := filepath.WalkDir(rdb.ConfigGet(t.Context(), "dir").Val()["dir"], func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() || !strings.Contains(d.Name(), ".aof") && !strings.HasSuffix(d.Name(), ".rdb") {
			return err
		}
		b, err := os.ReadFile(path)
		fmt.Fprintf(&all, "\n%s\n%s", d.Name(), b)
		return err
	})
	if err != nil || !bytes.Contains(all.Bytes(), []byte("dump.rdb")) || !bytes.Contains(all.Bytes(), []byte(".aof")) {
		t.Fatalf("the files of Redis: %v", err)
	}
	return all.Bytes()
}

// traces are those of people in bytes: someNames, and numbers as text and as pages have them.
func traces(b []byte, names, phones []string) []string {
	var found []string
	for _, name := range names {
		if bytes.Contains(b, []byte(name)) {
			found = append(found, name)
		}
	}
	for _, phone := range phones {
		digits := strings.TrimPrefix(phone, "+")
		n, _ := strconv.ParseUint(digits, 10, 64)
		if bytes.Contains(b, []byte(digits)) || bytes.Contains(b, bin.AppendUvarint(nil, n)) {
			found = append(found, phone)
		}
	}
	return found
}

// sendOne sends one person a message of their own.
func sendOne(t testing.TB, rdb *redis.Client, key, name, phone, masterKey string) campaign.ID {
	t.Helper()
	c := producer.New(rdb)
	if err := c.UseMasterKey(masterKey, ""); err != nil {
		t.Fatal(err)
	}
	sent, err := c.Send(t.Context(), producer.OneOff{
		Key: key, Recipient: name, Phone: phone, MessageType: "MKT",
		Channels: []campaign.Channel{{Channel: "sms", Template: "text", Parameters: map[string]string{"text": "Hello " + name}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return sent.Campaign
}

func TestMasterKey_NoFileOfRedisSaysWhoWasInACampaign(t *testing.T) {
	t.Parallel()
	const id = "spring"
	phones := append(numbers(60, plainly), "+12015550169", "+12015550188") // and one fails, one is in doubt
	disk := func() *redistest.Server {
		return redistest.Start(t, redistest.AppendOnly("always"), redistest.Set("enable-debug-command", "yes"))
	}

	clear := disk() // the look finds what is there to be found
	sendOne(t, clear.Client(), "k1", someNames[0], phones[0], "")
	if found := traces(filesOf(t, clear), someNames[:1], phones[:1]); len(found) != 2 {
		t.Fatalf("without a master key the files have %q", found)
	}

	server := disk()
	rdb := server.Client()
	key := strings.TrimSpace(done(t, bare(), "master-key", "create"))
	h := open(t, quick(server.URL()).with("HANDOUT_MASTER_KEY_FILE", write(t, "master.key", key+"\n"), "HANDOUT_WEBHOOK_ALLOW_PRIVATE", "true"))
	app := hook(t, nil)
	app.add(h.env)
	list := "recipient,phone,url\n"
	for i, phone := range phones {
		list += fmt.Sprintf("%s-%d,%s,https://files.example.com/%s\n", someNames[i%len(someNames)], i, phone, someNames[i%len(someNames)])
	}
	done(t, h.env, "submit", campaignFile(t, id), write(t, "list.csv", list))
	untilDone(t, h.env, id)
	sends := sendOne(t, rdb, "k2", someNames[1], phones[1], key)
	sendOne(t, rdb, "k3", someNames[2], phones[2], key)
	untilDone(t, h.env, string(sends))
	done(t, h.env, "retry", id, "--only", "failed", "--yes")
	done(t, h.env, "resend", id, fmt.Sprintf("%s-%d", someNames[(len(phones)-1)%len(someNames)], len(phones)-1), "--yes")
	untilDone(t, h.env, id)
	for name, all := range map[string]int{id: len(phones), string(sends): 2} {
		if people := export(t, h.env, name); len(people) != all || len(traces([]byte(people[1]["recipient"]+people[1]["phone"]), someNames, phones)) < 2 {
			t.Errorf("the export of %s has %d people: %v", name, len(people), people[1])
		}
		if out := done(t, h.env, "verify", name); !strings.Contains(out, "the balance closes") {
			t.Error(out)
		}
	}
	await(t, "the app has everyone's outcome", func() bool { app.mu.Lock(); defer app.mu.Unlock(); return len(app.states) >= len(phones) })

	files := filesOf(t, server)
	if found := traces(files, someNames, phones); found != nil {
		t.Errorf("the files have %q", found)
	}
	if bytes.Contains(files, []byte(app.secret)) || app.secret == "" {
		t.Error("the files have the secret of a webhook")
	}

	t.Run("a purge takes the key from the files", func(t *testing.T) {
		wrapped := rdb.HVals(t.Context(), "handout:{"+id+"}:key").Val()
		if len(wrapped) != 1 || !bytes.Contains(files, []byte(wrapped[0])) {
			t.Fatalf("%d keys, of which the files have none", len(wrapped))
		}
		restore := server.Snapshot()
		page := rdb.Get(t.Context(), "handout:{"+id+"}:page:0").Val()
		done(t, h.env, "purge", id, "--yes")
		if n, err := ledger.New(rdb).RewriteFiles(t.Context()); n != 1 || err != nil { // as a worker does within a minute
			t.Errorf("%d, %v", n, err)
		}
		await(t, "the append-only file is written anew", func() bool {
			return strings.Contains(rdb.Info(t.Context(), "persistence").Val(), "aof_rewrite_in_progress:0\r\naof_rewrite_scheduled:0")
		})
		after := filesOf(t, server)
		if bytes.Contains(after, []byte(wrapped[0])) || bytes.Contains(after, []byte(page)) {
			t.Error("the files still have the campaign's key, or a page")
		}
		for _, p := range []*process{h.work, h.listen} {
			p.stop()
		}

		// The thief of a backup from before has the wrapped key, and needs the master key of
		// its time. That one is replaced, and destroyed.
		now := sealed.NewMasterKey()
		if out := done(t, h.env.with("HANDOUT_MASTER_KEY_FILE", "", "HANDOUT_MASTER_KEY", now, "HANDOUT_MASTER_KEY_PREVIOUS", key), "master-key", "rewrap"); !strings.HasPrefix(out, "HANDOUT_MASTER_KEY encrypts from now on; wrapped anew: 1 campaign,") {
			t.Error(out)
		}
		replaced := h.env.with("HANDOUT_MASTER_KEY_FILE", "", "HANDOUT_MASTER_KEY", now)
		if people := export(t, replaced, string(sends)); len(people) != 2 || people[0]["recipient"] != someNames[1] {
			t.Errorf("after the replacement: %v", people)
		}
		const encrypted, other = "the installation handout is encrypted by the master key [0-9a-f]{16}", "and HANDOUT_MASTER_KEY is [0-9a-f]{16}: it is another installation's.*"
		for _, command := range []string{"export", "work"} {
			args := []string{command, string(sends)}[:map[string]int{"export": 2, "work": 1}[command]]
			refusal{args: args, code: 1, stderr: encrypted + ": set HANDOUT_MASTER_KEY"}.check(t, h.env.with("HANDOUT_MASTER_KEY_FILE", ""))
			refusal{args: args, code: 1, stderr: encrypted + ", " + other}.check(t, h.env)
		}
		restore()
		refusal{args: []string{"export", id}, code: 1, stderr: encrypted + ", " + other}.check(t, replaced)
		ring, err := sealed.NewRing(now, "")
		if err != nil {
			t.Fatal(err)
		}
		l := ledger.New(server.Client())
		l.Seal(ring)
		if people, err := l.Recipients(t.Context(), id, 0); err == nil {
			t.Errorf("the backup shows %v", people)
		}
		if people := export(t, h.env, id); len(people) != len(phones) { // who has both reads it
			t.Errorf("with the master key of its time: %d people", len(people))
		}
	})
}

// The keys move to a Redis of their own while a campaign stands, and a purge then reaches
// what was copied before it.
func TestMasterKey_KeysInARedisOfTheirOwn(t *testing.T) {
	t.Parallel()
	const id = "spring"
	phones := numbers(20, plainly)
	server, keys := redistest.Start(t, redistest.AppendOnly("always")), redistest.Start(t, redistest.AppendOnly("always"))
	beside := quick(server.URL()).with("HANDOUT_MASTER_KEY", sealed.NewMasterKey())
	list := "recipient,phone,url\n"
	for i, phone := range phones {
		list += fmt.Sprintf("r%d,%s,https://files.example.com/%d\n", i, phone, i)
	}
	done(t, beside, "submit", campaignFile(t, id), write(t, "list.csv", list))
	h := open(t, beside.with("HANDOUT_KEYS_URL", keys.URL()))
	refusal{args: []string{"list"}, code: 1, stderr: "the installation handout keeps the keys of its campaigns in a Redis of their own, [a-z0-9]{26}: set HANDOUT_KEYS_URL"}.check(t, beside)
	if out := done(t, h.env, "master-key", "rewrap"); !strings.Contains(out, "1 campaign,") {
		t.Error(out)
	}
	if here, there := server.Client().Exists(t.Context(), "handout:{"+id+"}:key").Val(), keys.Client().Exists(t.Context(), "handout:{"+id+"}:key").Val(); here != 0 || there != 1 {
		t.Errorf("%d keys here, %d there", here, there)
	}
	untilDone(t, h.env, id)
	if people := export(t, h.env, id); len(people) != len(phones) {
		t.Errorf("%d people", len(people))
	}
	restore := server.Snapshot()
	done(t, h.env, "purge", id, "--yes")
	for _, p := range []*process{h.work, h.listen} {
		p.stop()
	}
	restore()
	refusal{args: []string{"export", id}, code: 1, stderr: ".*its key was destroyed.*"}.check(t, h.env)
}
