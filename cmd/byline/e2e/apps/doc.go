// Package apps starts real applications for tests: MediaWiki, Request Tracker,
// WordPress and DokuWiki, as Debian ships them, on free loopback ports and in folders
// of their own. It installs nothing and leaves /etc alone; ../install.sh
// installs the packages.
//
// In front of each application a recorder keeps what reached it, so that a
// test can say what did not. Everything stops with the test, and also when
// the test's process is killed.
package apps
