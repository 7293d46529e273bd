package adapters

// ActionSpec names what a request does.
type ActionSpec struct {
	// Name is the action, as scopes and policies spell it: words of lower case letters, digits, _ and -, joined by dots.
	Name string `yaml:"name" json:"name" need:"yes" eg:"page.read"`
	// Privileged actions are granted only by their exact name, never by a wildcard.
	Privileged bool `yaml:"privileged" json:"privileged,omitempty" eg:"true"`
	// Login marks a page on which a person would log in: agents are always refused it.
	Login bool `yaml:"login" json:"login,omitempty" eg:"true"`
	// Safe says that the request changes nothing, although its method may (RFC 9110 section 9.2.1), as a query sent by
	// POST: it is sent again when it met the end of the session. Say it of nothing that writes.
	Safe bool `yaml:"safe" json:"safe,omitempty" eg:"true"`
	// Match says which requests this is.
	Match MatchSpec `yaml:"match" json:"match" need:"yes" eg:"{method: [GET, HEAD], path: \"/view/{page}\"}"`
	// Resource is what it is done to: a template over the variables that match binds. Where the application has several
	// spellings for one thing, filters make them one, so that scopes and policies mean it: {page|underscores} (blanks are
	// _, none doubled or at the ends), {page|first_upper}, {page|lower}, {page|upper}.
	Resource string `yaml:"resource" json:"resource,omitempty" eg:"page/{page}"`
}

// MatchSpec says which requests an action is: everything given must hold. A pattern is text with * (any characters)
// and {var} (any characters, at least one, bound to var; {var:digits} takes a number without leading zeros only, for
// applications that read 7x as 7). A variable that stands twice must have the same value twice. A list of patterns: one
// must fit; "" in it means absent or empty.
type MatchSpec struct {
	// Method is one method or a list; without it every method. HEAD must be listed where it is meant.
	Method Strings `yaml:"method" json:"method,omitempty" def:"every method" eg:"[GET, HEAD]"`
	// Path is one pattern or a list of them, on the decoded path: {var} and * stay within a segment, ** at the end is the
	// rest, {var...} at the end is the rest bound to var.
	Path Strings `yaml:"path" json:"path" need:"yes" eg:"/tickets/{id}"`
	// Query maps parameters to patterns. A parameter not named here may have any value, unless only says otherwise. Use
	// it where the application reads the parameter from the query and nowhere else; where a field of the form would
	// win over it, use param.
	Query map[string]Strings `yaml:"query" json:"query,omitempty" eg:"{action: [view, \"\"]}"`
	// Form maps fields of an urlencoded or multipart body to patterns.
	Form map[string]Strings `yaml:"form" json:"form,omitempty" eg:"{action: delete}"`
	// Param maps parameters to patterns that the application takes from the query or the form alike. One that is in both is ambiguous:
	// the request is refused.
	Param map[string]Strings `yaml:"param" json:"param,omitempty" eg:"{action: edit}"`
	// JSON maps dotted pointers into a JSON body to patterns (numbers and booleans as JSON writes them).
	JSON map[string]Strings `yaml:"json" json:"json,omitempty" eg:"{\"issue.status\": closed}"`
	// Header maps header fields to patterns, as for SOAPAction. A value in double quotes is matched without them. A field
	// that comes twice is ambiguous. Name here what the application goes by, and match the body as well where it could
	// contradict the header.
	Header map[string]Strings `yaml:"header" json:"header,omitempty" eg:"{SOAPAction: \"urn:wiki#getPage\"}"`
	// XML maps dotted pointers into an XML body (local names from the root on; a number picks one of several of a name; @name
	// at the end is an attribute) to patterns. The value of an element that holds elements is their names, in order, with
	// blanks between: {Envelope.Body: getPage} is a body with that one call. A body with a DTD is refused.
	XML map[string]Strings `yaml:"xml" json:"xml,omitempty" eg:"{\"Envelope.Body\": getPage, \"Envelope.Body.getPage.id\": \"{id}\"}"`
	// GraphQL says what a GraphQL request may ask for, whatever name it gives itself.
	GraphQL GraphQLSpec `yaml:"graphql" json:"graphql,omitzero" eg:"{type: query, field: page, argument: {id: \"{id}\"}}"`
	// Batch says that the JSON body may be a list of calls, as in JSON-RPC. Every one of them must fit json, only or graphql,
	// and bind the same variables: a batch about several resources is refused.
	Batch bool `yaml:"batch" json:"batch,omitempty" eg:"true"`
	// ContentType is one pattern or a list on the request's media type.
	ContentType Strings `yaml:"content_type" json:"content_type,omitempty" eg:"application/json"`
	// Only lists every parameter that the request may have besides those named above and that of method_override: names, or patterns with * and
	// with {var} that something above binds. It covers the query, the fields of an urlencoded or multipart body and
	// the keys at the top of a JSON body. A request with any other parameter is not this action, so that reading
	// cannot be turned into writing by one parameter more; [] allows none. A body of another type, or one that is cut
	// off, cannot be told and is refused.
	Only Strings `yaml:"only" json:"only,omitzero" def:"any parameter" eg:"[page, \"Show*\", \"{id}-RefersTo\"]"`
	// Where maps variables to RE2 expressions that the whole value must fit; else the request is not this action. Where the
	// application takes many spellings for one thing, admit the one that it writes itself: a policy about a resource then
	// means it, whatever an agent writes.
	Where map[string]string `yaml:"where" json:"where,omitempty" eg:"{page: \"[a-z0-9_]+(:[a-z0-9_]+)*\"}"`
	// Keys maps dotted pointers to objects in a JSON body to all the keys that the object may have: only for what lies
	// further in. {"params": [hostid, status]} is a call that changes nothing else. "" is the whole body, and what is absent
	// has no keys; a list or a plain value in its place does not fit.
	Keys map[string]Strings `yaml:"keys" json:"keys,omitempty" eg:"{params: [hostid, status]}"`
	// Fold compares values of query, form, param and json without regard to case. Names keep their case.
	Fold bool `yaml:"fold" json:"fold,omitempty" eg:"true"`
}

// GraphQLSpec says which operation a GraphQL request is. It reads the document in the JSON body, in a body of the type
// application/graphql or in the query of a GET, follows fragments, and looks at every field at the top of the operation
// that would be run. What cannot be read is refused; fields further down are the application's to guard.
type GraphQLSpec struct {
	// Type is query, mutation or subscription, or a list of them.
	Type Strings `yaml:"type" json:"type,omitempty" eg:"query"`
	// Field is one pattern or a list: every field at the top must fit one.
	Field Strings `yaml:"field" json:"field,omitempty" eg:"[page, pages]"`
	// Argument maps arguments of these fields (dotted, as in input.id) to patterns. Variables are read as their values.
	Argument map[string]Strings `yaml:"argument" json:"argument,omitempty" eg:"{id: \"{id}\"}"`
}
