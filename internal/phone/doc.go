// Package phone reads phone numbers as people write them, judges them, and masks
// them.
//
// What is valid is what libphonenumber finds valid. Nearly every number of a list
// is judged by its rules in a compiled form (compiled.go), many times as fast as
// the library itself; what that form doesn't recognise, the library decides. A
// test and a fuzz test hold the two against each other.
//
// No error quotes a number.
package phone
