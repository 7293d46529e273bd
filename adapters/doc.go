// Package adapters holds what Byline knows about each application, from YAML alone. An adapter names what a request
// does, takes the credentials that a person lent the agent off it, logs in with an account of Byline's, puts that
// session on the request and takes it off the answer. The package sends nothing, records nothing and reads no files but
// those that are compiled in: values go in, values come out.
//
// # Loading
//
// [Load] compiles the files of an operator into a [Set] and reports everything that is wrong with them at once, each
// problem with its file and line. A file may extend an adapter of the library, which ships in the binary. [Advise]
// reports what is allowed and seldom meant.
//
// # One request
//
// The pipeline calls an [Adapter] in this order:
//
//   - [Adapter.NeedsBody] and [Adapter.Classify] name the action and the resource, or say why there is none;
//   - [Adapter.Strip], [Adapter.StripQuery] and [Adapter.StripJSON] build what may go on from what the agent sent, and
//     return the borrowed credentials that they left out;
//   - [Adapter.Login] and [Adapter.Logout] begin a [Dialogue], whose requests the caller sends, and which ends in a
//     [Session];
//   - [Adapter.Put] puts the session on the request and returns a [Masker] for the answer;
//   - [Adapter.Ended] says whether the answer means that the session is over;
//   - [Adapter.Shield] takes the session off the head of the answer, and the Masker off its body.
//
// # Files
//
// The prefix of a file says which part of this it belongs to: load, extends, decode and check for the language, whose
// types are in spec_*.go; match_*.go for Classify; strip_*.go; login_*.go, with one kind_NAME.go for each kind of login;
// inject_*.go for Put and Shield; session_*.go for what they put on and take off. history_*.go reads the application's own
// history, for byline reconcile. The packages below internal know nothing of adapters.
package adapters
