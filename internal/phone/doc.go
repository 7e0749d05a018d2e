// Package phone reads phone numbers as people write them, judges them, and masks
// them.
//
// A text is one number and nothing else: letters, a second number, an extension,
// decimals are refused with their reason, so that no message reaches a stranger.
// What is accepted has, in order, exactly the digits that stood there, less a trunk
// prefix, plus the calling code; the few exceptions stand in variants.go.
//
// Which numbers there are is libphonenumber's data. Nearly every number of a list
// is judged by it in a compiled form (compiled.go), many times as fast as the
// library itself; what that form doesn't recognise goes to the library, as digits
// alone (judge.go). Numbers of ranges that are newer than the data are accepted and
// marked. Tests and a fuzz test hold all of it against each other.
//
// No error quotes a number.
package phone
