package adapters

// ActionSpec names what a request does.
type ActionSpec struct {
	// Name is the action, as scopes and policies spell it: words of lower case letters, digits, _ and -,
	// joined by dots.
	Name string `yaml:"name" json:"name" need:"yes" eg:"page.read"`

	// Privileged actions are granted only by their exact name, never by a wildcard.
	Privileged bool `yaml:"privileged" json:"privileged,omitempty" eg:"true"`

	// Login marks a page on which a person would log in: agents are always refused it.
	Login bool `yaml:"login" json:"login,omitempty" eg:"true"`

	// Safe says that the request changes nothing, although its method may (RFC 9110 section 9.2.1), as a
	// query that is sent by POST. Such a request is sent again if it met the end of the session. Never say
	// it of a request that writes.
	Safe bool `yaml:"safe" json:"safe,omitempty" eg:"true"`

	// Writes says that the request may change something, although its method should not, as a link that deletes.
	// Such a request is not sent again if it met the end of the session, and byline reconcile takes it for a
	// change. Other requests with GET, HEAD and OPTIONS explain no entry of the application's log.
	Writes bool `yaml:"writes" json:"writes,omitempty" eg:"true"`

	// Verbatim says that the body goes out as it came and is not judged, for files, in which a password is
	// text like any other, and for bodies that the agent's program signs. Match may
	// then not look at the body (form, param, json, keys, xml, graphql, only, batch) nor at its
	// content_type, because an application may read the bytes otherwise. Without it, a body that match looks
	// at goes out in Byline's own spelling. Put the action before those that look at bodies of the same path.
	Verbatim bool `yaml:"verbatim" json:"verbatim,omitempty" eg:"true"`

	// Match says which requests are this action.
	Match MatchSpec `yaml:"match" json:"match" need:"yes" eg:"{method: [GET, HEAD], path: \"/view/{page}\"}"`

	// Resource is what the action is done to: a template over the variables that match binds. If the
	// application has several spellings for one thing, filters make them one, so that scopes and policies
	// mean it: {page|underscores} (blanks become _, not doubled and not at the ends), {page|first_upper},
	// {page|lower}, {page|upper}.
	Resource string `yaml:"resource" json:"resource,omitempty" eg:"page/{page}"`

	// WebSocket says that the request may open a WebSocket. Without it a request of this action that asks
	// for one is refused. Extensions such as compression are never negotiated, and every message is read
	// before it is passed on: wire.max_message bounds its size. If the action has no messages, text
	// messages of the agent are part of this action: they pass unless they hold a credential, and JSON is
	// rewritten.
	WebSocket bool `yaml:"websocket" json:"websocket,omitempty" eg:"true"`

	// Binary lets binary messages of the agent pass as part of this action, as text messages do. They are
	// not rewritten. Without it, a binary message needs a rule in messages and is refused otherwise.
	Binary bool `yaml:"binary" json:"binary,omitempty" eg:"true"`

	// Messages name what the agent's messages on this WebSocket do, each as an action of its own: it is
	// decided, and put on record before it leaves. They are tried in order, and the first that matches
	// names the message. A message that none matches, or that cannot be read, closes the WebSocket with
	// status 1008.
	Messages []MessageSpec `yaml:"messages" json:"messages,omitempty" eg:"[{name: card.move, match: {json: {type: move, card: \"{card}\"}}, resource: \"card/{card}\"}]"`

	// Framing says how one WebSocket message holds several messages, for applications that send them so.
	// Each of them is then decided, put on record and written as messages says; if one is refused, none
	// leaves.
	Framing FramingSpec `yaml:"framing" json:"framing,omitzero" eg:"{separator: \"\\u001e\"}"`
}

// MatchSpec says which requests an action is: every key that is given must hold. A pattern is text with
// * (any characters) and {var} (at least one character, bound to var; {var:digits} takes only a number
// without leading zeros, for applications that read 7x as 7). It takes as little as lets the rest fit. A
// variable that stands in two places must have the same value in both; one value, or one segment of a
// path, names it once. A value of more than 64 KiB fits only plain text, * and {var}; for any other
// pattern it is in doubt, and the request is refused; so is one whose long values many patterns look at.
// Of a list of patterns one must fit; "" in it means
// absent or empty.
type MatchSpec struct {
	// Method is one method or a list of them. HEAD must be listed if it is meant.
	Method Strings `yaml:"method" json:"method,omitempty" def:"every method" eg:"[GET, HEAD]"`

	// Path is one pattern or a list of them, on the decoded path: {var} and * stay within a segment, ** at
	// the end is the rest, {var...} at the end is the rest bound to var.
	Path Strings `yaml:"path" json:"path" need:"yes" eg:"/tickets/{id}"`

	// Query maps parameters to patterns. A parameter that is not named here may have any value, unless
	// only says otherwise. Use it if the application reads the parameter from the query and nowhere else;
	// if a field of the form would win over it, use param.
	Query map[string]Strings `yaml:"query" json:"query,omitempty" eg:"{action: [view, \"\"]}"`

	// Form maps fields of an urlencoded or multipart body to patterns. A file never fits, and a file under a
	// name that is given here makes the request ambiguous. So does a parameter of the query with this name and
	// another value, unless query names it too.
	Form map[string]Strings `yaml:"form" json:"form,omitempty" eg:"{action: delete}"`

	// Param maps parameters to patterns, for parameters that the application takes from the query or the
	// form. A parameter that is in both with different values is ambiguous: the request is
	// refused.
	Param map[string]Strings `yaml:"param" json:"param,omitempty" eg:"{action: edit}"`

	// JSON maps dotted pointers into a JSON body to patterns. Numbers and booleans are matched as JSON
	// writes them. A number other than a whole one of up to 15 digits fits * alone, and is otherwise in
	// doubt: 7.0 and 7e0 are 7 to the application, and some round longer ones.
	JSON map[string]Strings `yaml:"json" json:"json,omitempty" eg:"{\"issue.status\": closed}"`

	// Header maps header fields to patterns, for example SOAPAction. A value in double quotes is matched
	// without them, and SOAPAction stands for the parameter action of SOAP 1.2 as well. A field that comes
	// twice is ambiguous. Name here the field that the application goes
	// by, and match the body as well if it could contradict the header.
	Header map[string]Strings `yaml:"header" json:"header,omitempty" eg:"{SOAPAction: \"urn:wiki#getPage\"}"`

	// XML maps dotted pointers into an XML body to patterns. A pointer has local names from the root on; a
	// number picks one of several elements of a name, and @name at the end is an attribute without a prefix. The value of
	// an element that holds elements is their names, in order, with blanks between: {Envelope.Body:
	// getPage} is a body with that one call. A body with a DTD is refused.
	XML map[string]Strings `yaml:"xml" json:"xml,omitempty" eg:"{\"Envelope.Body\": getPage, \"Envelope.Body.getPage.id\": \"{id}\"}"`

	// GraphQL says what a GraphQL request may ask for, whatever its operation is called.
	GraphQL GraphQLSpec `yaml:"graphql" json:"graphql,omitzero" eg:"{type: query, field: page, argument: {id: \"{id}\"}}"`

	// Batch says that the JSON body may be a list of calls, as in JSON-RPC. Every call must fit json, only
	// or graphql and bind the same variables: a batch about several resources is refused.
	Batch bool `yaml:"batch" json:"batch,omitempty" eg:"true"`

	// ContentType is one pattern or a list of them on the request's media type.
	ContentType Strings `yaml:"content_type" json:"content_type,omitempty" eg:"application/json"`

	// Only lists every parameter that the request may have besides those named above and that of
	// method_override: names, or patterns with * and with {var} that something above binds. It covers the
	// query, the fields and files of an urlencoded or multipart body and the keys at the top of a JSON body. A
	// request with any other parameter is not this action, so that one more parameter cannot turn reading
	// into writing; [] allows none. A body of another type, or one that is cut off, cannot be checked and
	// is refused.
	Only Strings `yaml:"only" json:"only,omitzero" def:"any parameter" eg:"[page, \"Show*\", \"{id}-RefersTo\"]"`

	// Where maps variables to RE2 expressions that the whole value must fit; otherwise the request is not
	// this action. If the application takes many spellings for one thing, allow only the one that it
	// writes itself. A policy about a resource then means that thing, whatever an agent writes.
	Where map[string]string `yaml:"where" json:"where,omitempty" eg:"{page: \"[a-z0-9_]+(:[a-z0-9_]+)*\"}"`

	// Keys maps dotted pointers to objects in a JSON body to all the keys that the object may have: it is
	// only, for objects further in. {"params": [hostid, status]} is a call that changes nothing else. ""
	// is the whole body. What is absent has no keys; a list or a plain value in its place does not fit.
	Keys map[string]Strings `yaml:"keys" json:"keys,omitempty" eg:"{params: [hostid, status]}"`

	// Fold compares the values of query, form, param and json without regard to case. Names keep their
	// case.
	Fold bool `yaml:"fold" json:"fold,omitempty" eg:"true"`
}

// GraphQLSpec says which operation a GraphQL request is. It reads the document in the JSON body, in a
// body of the type application/graphql or in the query of a GET, follows fragments, and looks at every
// field at the top of the operation that would be run. What the application receives is the document
// rewritten: its tokens, without comments. A request that cannot be read is refused, and so is one with a
// member, an extension or, unless only says what may come, a parameter by which a server may run another
// document. Fields further down are for the application to protect.
type GraphQLSpec struct {
	// Type is query, mutation or subscription, or a list of them.
	Type Strings `yaml:"type" json:"type,omitempty" eg:"query"`

	// Field is one pattern or a list of them: every field at the top must fit one.
	Field Strings `yaml:"field" json:"field,omitempty" eg:"[page, pages]"`

	// Stored lists patterns of names of documents that the application has: the hash of a persisted query,
	// or the value of id, documentId, doc_id or queryId. A request that names one that fits, and holds no
	// document, is this action, whatever the document does. Without it such a request is refused, and next
	// to a document a hash must be that of the document.
	Stored Strings `yaml:"stored" json:"stored,omitempty" eg:"[7f56e6ea0f6a…]"`

	// Argument maps arguments of these fields (dotted, as in input.id) to patterns. A variable is read as
	// its value.
	Argument map[string]Strings `yaml:"argument" json:"argument,omitempty" eg:"{id: \"{id}\"}"`
}
