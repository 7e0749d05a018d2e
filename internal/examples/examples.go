// Package examples has the examples in the help of handout's commands.
package examples

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"
)

// Example is a command as it is typed, and what it does.
type Example struct{ Command, Does string }

// All are those of each command, by its name, in the words of the documentation.
var All = map[string][]Example{
	"demo":            {{"demo", "1,000 people against the simulator"}, {"demo --recipients 200 --exit --json", "the outcome alone, for a script"}},
	"submit":          {{"submit campaign.yaml list.csv --dry-run", "check it, and show what would be sent"}, {"submit campaign.yaml list.csv", "send"}, {"submit campaign.yaml list.xlsx --sheet May --set-aside-bad-rows", "leave bad rows out"}},
	"list":            {{"list --state running,held", "those that run, and those that wait for a person"}, {"list --json", "for a script"}},
	"report":          {{"report order-history-2026-11", "how many came to what"}, {"report order-history-2026-11 --follow", "until it is done"}, {"report order-history-2026-11 --reasons", "and why"}},
	"export":          {{"export order-history-2026-11 > outcome.csv", "everyone's outcome"}, {"export order-history-2026-11 --columns url,name", "with columns of the list"}, {"export order-history-2026-11 --format xlsx > outcome.xlsx", "for a spreadsheet"}},
	"verify":          {{"verify order-history-2026-11", "recompute the balance from the records"}},
	"pause":           {{"pause order-history-2026-11 --why \"wrong file\"", "no new sends"}},
	"resume":          {{"resume order-history-2026-11", "go on, also after a hold"}},
	"cancel":          {{"cancel order-history-2026-11 --why \"wrong list\"", "everyone not yet sent to is canceled"}},
	"reschedule":      {{"reschedule order-history-2026-11 --at 2026-11-23T09:00:00+01:00", "paused until then"}},
	"retry":           {{"retry order-history-2026-11 --only failed", "another attempt at all who failed"}, {"retry order-history-2026-11 --only in_doubt --yes", "at the risk of a second message"}},
	"resend":          {{"resend order-history-2026-11 customer-17", "another attempt at one person"}, {"resend order-history-2026-11 4.17", "by the place in the list"}},
	"accept-as-sent":  {{"accept-as-sent order-history-2026-11 customer-17", "close a doubt without sending"}, {"accept-as-sent order-history-2026-11 --all", "all of them"}},
	"rate":            {{"rate order-history-2026-11 5", "5 messages a second, within a second"}, {"rate order-history-2026-11 --reset", "as the campaign file says"}, {"rate --account 20", "for all campaigns together"}, {"rate --account us 20", "for those of another account"}},
	"purge":           {{"purge order-history-2026-11", "delete its recipients; the counts stay"}},
	"work":            {{"work", "until SIGTERM; as many as you like, on one Redis"}},
	"listen":          {{"listen", "receipts come to POST /callbacks/telesign"}},
	"console":         {{"console", "http://127.0.0.1:8090"}},
	"simulate":        {{"simulate", "http://127.0.0.1:8060, for TELESIGN_URL"}},
	"schedule":        {{"schedule", "until SIGTERM"}},
	"schedule list":   {{"schedule list", "the latest ticks of each schedule"}, {"schedule list nightly --json", "of one"}},
	"schedule next":   {{"schedule next nightly --count 3", "when the next ticks come"}},
	"schedule run":    {{"schedule run nightly --dry-run", "read and check the latest tick's list"}, {"schedule run nightly --period 2026-11-23T01:00Z", "an earlier tick, by its time in UTC"}},
	"suppress add":    {{"suppress add +12015550123 --why \"asked by letter\"", "never sent to again"}},
	"suppress remove": {{"suppress remove +12015550123 --why \"asked again\"", "sent to again"}},
	"suppress check":  {{"suppress check +12015550123", "whether it is on the list, and since when"}},
	"suppress list":   {{"suppress list > suppressed.csv", "all of them"}},
	"suppress import": {{"suppress import stops.csv --column mobile", "the numbers of a file"}},
	"suppress unresolved": {
		{"suppress unresolved", "STOPs whose number isn't known"}},
	"suppress settle":   {{"suppress settle 7 +12015550123", "it was this number"}, {"suppress settle 7 --none", "let it go"}},
	"template list":     {{"template list", "the account's templates"}},
	"template show":     {{"template show order_ready", "one, with the parameters that it needs"}},
	"key create":        {{"key create --name billing --scopes submit,read", "a key for an app"}, {"key create --name ann --scopes read,control,people", "a key for a person"}, {"key create --name ci --scopes submit,read --test", "a key for a rehearsal: it sends to a simulator only"}},
	"key list":          {{"key list", "who may do what"}},
	"key rotate":        {{"key rotate billing --overlap 48h", "another secret; the old one is good for two days"}},
	"key limit":         {{"key limit billing --daily 5000 --countries DE,AT", "what it may send in a day, and where to"}},
	"account list":      {{"account list", "those of the environment and of HANDOUT_ACCOUNTS"}},
	"account check":     {{"account check", "whether Telesign takes their credentials"}, {"account check us", "of one"}},
	"account replace":   {{"account replace us", "another customer ID under this name, for good"}},
	"backup":            {{"backup /var/backups/", "a new folder there, named by the time"}, {"backup --verify /var/backups/handout-20261123-090000", "whether it is whole"}},
	"recover":           {{"recover", "what is open since Redis was put back"}},
	"recover hold":      {{"recover hold --from 2026-11-23T09:00:00Z", "a copy of another program was put back, of this time"}},
	"recover settle":    {{"recover settle report.csv --external-id ExternalID --status Status", "what it says, and nothing is changed"}, {"recover settle report.csv --phone To --date Sent --status Status --zone Europe/Berlin --yes", "by phone number and time"}},
	"recover close":     {{"recover close", "when no campaign is held any more"}},
	"audit":             {{"audit --since 24h", "who did what since yesterday"}, {"audit --follow --json", "as it happens, for a collector"}},
	"audit verify":      {{"audit verify", "whether the trail has a gap"}},
	"master-key create": {{"master-key create", "keep it in a file that HANDOUT_MASTER_KEY_FILE names, for every process"}},
	"master-key rewrap": {{"master-key rewrap", "once every process has the new key and the previous one"}},
	"key revoke":        {{"key revoke billing", "from now on it opens nothing"}},
	"key logout":        {{"key logout", "a laptop was lost, or someone has left a group: everyone logs in anew"}},
	"webhook add":       {{"webhook add https://shop.example.com/handout", "prints the secret, once"}, {"webhook add https://shop.example.com/handout --events recipients --campaigns spring-", "outcomes of some campaigns"}},
	"webhook list":      {{"webhook list", "and whether they accept their events"}},
	"webhook log":       {{"webhook log 3", "its latest deliveries"}},
	"webhook rotate":    {{"webhook rotate 3 --overlap 48h", "prints another secret; the old one signs, too, for two days"}},
	"webhook remove":    {{"webhook remove 3", "it receives nothing any more"}},
	"webhook test":      {{"webhook test 3", "an event without content, now"}},
	"doctor":            {{"doctor", "what doesn't work, and what to do"}, {"doctor --live --callback-url https://example.com/callbacks/telesign", "ask Telesign, and wait for a receipt"}},
	"config":            {{"config", "each variable, its value and meaning"}},
}

// Set gives each command its examples, what they do in one column.
func Set(commands []*cobra.Command) {
	for _, c := range commands {
		if all := All[name(c)]; len(all) > 0 {
			c.Example = align(all)
		}
		Set(c.Commands())
	}
}

func align(all []Example) string {
	width := 0
	for _, e := range all {
		width = max(width, utf8.RuneCountInString(e.Command))
	}
	lines := make([]string, len(all))
	for i, e := range all {
		lines[i] = fmt.Sprintf("  handout %-*s  # %s", width, e.Command, e.Does)
	}
	return strings.Join(lines, "\n")
}

// name is a command's path without the program's.
func name(c *cobra.Command) string {
	_, name, _ := strings.Cut(c.CommandPath(), " ")
	return name
}
