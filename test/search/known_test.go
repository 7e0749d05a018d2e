package search_test

import "strings"

// known are the faults that the house has as it stands, and the search leaves out:
// by the headline of what they break, or the step that brings them. Each goes from
// here when it is mended. -search.with looks for one in spite of it.
var known = map[string]string{
	"a foreign receipt":           "a receipt of another installation settles who was never sent to",
	"the limiters' keys get lost": "who has slots from before sends beside who begins anew: over the rate",
	overAfterRestore:              "an older state of Redis has an older slot for the last one",
	flood:                         "a retry of many writes all their tasks at once",
	held:                          "a receipt of a message from before the resume holds again",
	settledByEarlier:              "a campaign that is submitted again after a restore took it away has the same external IDs",
	lostNotTaken:                  "the listener has such a campaign in its cache, and answers 503",
	"another application's task":  "our servers take and archive tasks of another application in a queue of the same name",
}

// leftOut reports whether a step or a headline is left out, and why.
func leftOut(name string) (bool, string) {
	why, is := known[name]
	if !is || *with == "all" {
		return false, ""
	}
	for asked := range strings.SplitSeq(*with, ",") {
		if strings.TrimSpace(asked) == name {
			return false, ""
		}
	}
	return true, why
}
