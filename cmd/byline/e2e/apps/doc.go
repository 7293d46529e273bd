// Package apps starts real applications for tests: MediaWiki, Request Tracker,
// WordPress and DokuWiki as Debian packages them, and Gitea as built from
// source. Each runs on a free loopback port with its files in a temporary
// folder. The package installs nothing and does not write to /etc;
// ../install.sh installs the Debian packages.
//
// A recorder in front of each application keeps every request that reaches it,
// so that a test can check what did not. All processes end with the test, even
// if the test's own process is killed.
package apps
