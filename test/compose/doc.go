// Package compose runs handout in containers, as an operator does: the commands of
// docs/operating.md's section "With Docker Compose" in their order, and between them
// what goes wrong. The vendor's double, in a container of its own, is the witness: it
// survives everything and has a log of what it took.
//
// There is nothing to import here. The test has the build tag compose, and make
// compose-test runs it: it takes a Docker engine, which it starts where none answers.
// Where images can't be pulled it makes stand-ins under their names from this
// machine's own files, and says at its end what therefore wasn't tried.
package compose
