// Package testenv runs the real byline program for tests. An [Env] is one
// installation in a temporary folder: a configuration, a server process that
// can be killed, and agents that send requests through it to real
// applications, each of which is started once for a test process.
//
// Every secret of an Env is registered with it. When the test ends, the Env
// searches its files, logs and records and everything that its agents received
// for each secret in all usual encodings (I1), and searches the applications'
// requests for each cookie that a person lent (I2).
//
// A package of tests that uses testenv needs
//
//	func TestMain(m *testing.M) { os.Exit(testenv.Main(m)) }
package testenv
