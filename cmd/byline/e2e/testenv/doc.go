// Package testenv runs the real byline program for tests: a configuration of its
// own, a server as a process that can be killed, agents that go through it, and
// the real applications behind it, each started once for a test process.
//
// Everything that is secret in a house is marked: when the test ends, the
// house's files, logs, records and all that its agents saw are searched for
// each of the marks, in every usual coding, and the applications' requests for
// each cookie that a person lent (I1, I2).
//
// A package of tests that uses it has
//
//	func TestMain(m *testing.M) { os.Exit(testenv.Main(m)) }
package testenv
