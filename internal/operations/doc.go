// Package operations is what operators do, each verb once, for all faces: the
// command line, the REST API and the pages decode, call, and render.
//
// A verb is two steps. The first reads what it is about ([Operations.Standing] of
// a campaign, [Operations.Selection] of everyone in a state, [Operations.Person]
// of one recipient): who and how many, what the risk is, and as of when. A person
// is shown that. The second does it, and takes what the first has returned; it
// refuses when that isn't so any more.
//
// Every error is an [Error], whose [Kind] the faces map to a status of their own.
package operations
