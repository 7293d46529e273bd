package adapters

// The comments of these structs are the reference: docs/adapters.md and configs/adapter.schema.json are written from
// them by go generate. The tags of each field: yaml (the key), json (the same key, for the canonical form that the digest
// covers), need:"yes" (the key must be there), one:"a|b" (the values it may have), def (what holds without the key, where
// that is not nothing), eg (an example).
//
//go:generate go test . -run Reference -update

// Spec is one adapter as it is written in YAML: the whole language. Every key is data; nothing in it runs code.
type Spec struct {
	// Name is how tasks, policies and records call this adapter: lower case letters, digits and hyphens.
	Name string `yaml:"name" json:"name" need:"yes" eg:"mediawiki"`
	// Extends names a library adapter to start from. What this file says replaces what that one says, key by key at
	// the top level, except that actions written here are tried before the inherited ones and that headers, query and
	// cookies are joined. Hosts and interim are never inherited.
	Extends string `yaml:"extends" json:"extends,omitempty" eg:"mediawiki"`
	// Interim says why this control exists, who owns it and when it must be reviewed.
	Interim Interim `yaml:"interim" json:"interim" eg:"{reason: \"no service identity for the web UI\", owner: secops@acme.example, review_by: 2027-06-30}"`
	// Hosts are the authorities that this adapter intercepts: exact names, or *.suffix for every name below it; an
	// optional :port limits it to that port (without one: any port). A host belongs to one adapter only.
	Hosts []string `yaml:"hosts" json:"hosts" eg:"[wiki.acme.example, \"*.wiki.acme.example:8443\"]"`
	// Upstream says where and how to connect when that differs from what the agent named.
	Upstream Upstream `yaml:"upstream" json:"upstream" eg:"{url: \"http://127.0.0.1:8090\", protocol: h1}"`
	// Cookies says which cookies the proxy keeps to itself and which may pass.
	Cookies CookieSpec `yaml:"cookies" json:"cookies" eg:"{hold: [\"*_session\"], pass: [csrftoken]}"`
	// Headers changes which request headers of the agent are borrowed credentials.
	Headers HeaderSpec `yaml:"headers" json:"headers" eg:"{strip: [X-Api-Key]}"`
	// Query names query parameters that carry borrowed credentials.
	Query QuerySpec `yaml:"query" json:"query" eg:"{strip: [access_token]}"`
	// Login is how a secret becomes a session, how a session's end is seen, and how it is logged out.
	Login LoginSpec `yaml:"login" json:"login" need:"yes" eg:"{kind: basic}"`
	// Pin lists request headers that are kept the same for a whole upstream session: the value of the first agent
	// request of the session goes out with every later one, the login included.
	Pin []string `yaml:"pin" json:"pin,omitempty" eg:"[User-Agent, Accept-Language]"`
	// Count numbers the requests of a lease in a header that the application logs: whoever compares its log with the record
	// sees that neither leaves one out.
	Count CountSpec `yaml:"count" json:"count,omitzero" eg:"{header: X-Byline-Count}"`
	// Paths says how the application reads paths, where that is not as they are written.
	Paths PathSpec `yaml:"paths" json:"paths,omitzero" eg:"{fold: true}"`
	// MethodOverride says where the application takes the method of a POST from, if there: actions are matched on that one.
	// Without it the usual headers (X-HTTP-Method-Override and its kin) are removed and a parameter _method in the query is
	// refused; where a form may hold it, list its fields with only.
	MethodOverride OverrideSpec `yaml:"method_override" json:"method_override,omitzero" eg:"{param: _method}"`
	// Actions name what a request does. They are tried in order and the first match names it; a request that none
	// matches is refused.
	Actions []ActionSpec `yaml:"actions" json:"actions" eg:"[{name: page.read, match: {path: /view}, resource: page}]"`
	// Log says how the application's own history is read, for byline reconcile.
	Log LogSpec `yaml:"log" json:"log" eg:"{entry: {time: when, user: who}, kinds: [{actions: [page.edit], resource: \"page/${page}\"}]}"`
}

// Interim is the reason, owner and end of an interim control.
type Interim struct {
	// Reason says why the SaaS cannot do without borrowed or compensating credentials.
	Reason string `yaml:"reason" json:"reason" need:"yes" eg:"no service identity for the web UI"`
	// Owner is who answers for it.
	Owner string `yaml:"owner" json:"owner" need:"yes" eg:"secops@acme.example"`
	// ReviewBy is the day, YYYY-MM-DD in UTC, after which the adapter is overdue.
	ReviewBy string `yaml:"review_by" json:"review_by" need:"yes" eg:"2027-06-30"`
}

// Upstream says where and how to connect. The zero value connects to what the agent named.
type Upstream struct {
	// URL overrides scheme, address and port of the connection. The Host that the SaaS sees stays the agent's.
	URL string `yaml:"url" json:"url,omitempty" def:"the host that the agent named, over https" eg:"https://10.0.0.7:8443"`
	// CA is a PEM file, or PEM text, with the authorities to trust instead of the system's.
	CA string `yaml:"ca" json:"ca,omitempty" def:"the authorities of the system" eg:"/etc/byline/acme-ca.pem"`
	// ClientCert is a PEM file with the certificate that the proxy shows to the SaaS.
	ClientCert string `yaml:"client_cert" json:"client_cert,omitempty" eg:"/etc/byline/wiki.pem"`
	// ClientKey is the PEM file with its key.
	ClientKey string `yaml:"client_key" json:"client_key,omitempty" eg:"/etc/byline/wiki.key"`
	// Protocol is auto (what ALPN chooses), h1 or h2.
	Protocol string `yaml:"protocol" json:"protocol,omitempty" one:"auto|h1|h2" def:"auto" eg:"h1"`
	// Proxy is the proxy to go through: http://host:port (CONNECT), https:// for the same over TLS, or socks5://host:port;
	// direct for none. Without it byline.yaml decides (upstream.proxy).
	Proxy string `yaml:"proxy" json:"proxy,omitempty" eg:"http://proxy.acme.example:3128"`
	// ProxyAuth is a file with user:password for that proxy, on one line.
	ProxyAuth string `yaml:"proxy_auth" json:"proxy_auth,omitempty" eg:"/etc/byline/proxy.auth"`
	// ProxyNames lets that proxy look names up. Without it Byline looks them up, judges the addresses and asks the proxy
	// for one of those; with it the proxy decides where a name leads.
	ProxyNames bool `yaml:"proxy_names" json:"proxy_names,omitempty" eg:"true"`
}

// CookieSpec sorts cookies by name. Patterns may contain *. A cookie that neither list names is held.
type CookieSpec struct {
	// Hold lists cookies that stay in the proxy; it wins over pass.
	Hold []string `yaml:"hold" json:"hold,omitempty" def:"every cookie that pass does not name" eg:"[\"*_session\", \"*UserID\"]"`
	// Pass lists harmless cookies that go both ways between agent and SaaS.
	Pass []string `yaml:"pass" json:"pass,omitempty" eg:"[\"*_BPsession\"]"`
	// Share lists cookies that belong to the session and that the agent must see and send back, as anti-forgery tokens set
	// at login do (in a field or header of its choice). They are held, and each agent is given their current value.
	Share []string `yaml:"share" json:"share,omitempty" eg:"[XSRF-TOKEN]"`
	// Mask lists held cookies whose value is masked in answers. Without it every held cookie whose value is long
	// enough to be a secret is masked; name cookies here when some hold plain words.
	Mask []string `yaml:"mask" json:"mask,omitempty" def:"every held cookie of 8 bytes and more" eg:"[\"*_session\"]"`
	// Person lists held cookies whose value begins with the name of whoever is logged in, up to a |: it is put on record
	// beside the fingerprint of a borrowed session.
	Person []string `yaml:"person" json:"person,omitempty" eg:"[\"*UserName\"]"`
}

// CountSpec says where the number of a request goes.
type CountSpec struct {
	// Header carries the number, from 1 for each lease and start of the server, and the id of the intent on record:
	// 17 r_01jd7v3w8yq2m4n6p8r0s2t4v6. What an agent sends under this name is replaced.
	Header string `yaml:"header" json:"header,omitempty" eg:"X-Byline-Count"`
}

// HeaderSpec changes the built-in list of credential headers. Names are not case-sensitive.
type HeaderSpec struct {
	// Strip lists headers to remove on top of the built-in list.
	Strip []string `yaml:"strip" json:"strip,omitempty" eg:"[X-Api-Key]"`
	// Pass lists headers of the built-in list that may pass after all.
	Pass []string `yaml:"pass" json:"pass,omitempty" eg:"[X-Csrf-Token]"`
}

// QuerySpec names query parameters that carry credentials.
type QuerySpec struct {
	// Strip lists parameters (patterns, not case-sensitive) to remove from every request.
	Strip []string `yaml:"strip" json:"strip,omitempty" eg:"[access_token, \"*apikey\"]"`
	// Pass lists parameters of the built-in list that may pass after all, as an anti-forgery token that is called sid.
	// Strip wins over it, and so does login.query.
	Pass []string `yaml:"pass" json:"pass,omitempty" eg:"[sid]"`
	// Semicolon says that the application separates parameters by ; as well as by &. Without it a query with a bare ;
	// is refused where a parameter decides the action, for applications disagree about it.
	Semicolon bool `yaml:"semicolon" json:"semicolon,omitempty" eg:"true"`
}

// PathSpec says how the application reads paths. It changes what actions are matched on, never what is sent.
type PathSpec struct {
	// Fold says that the application takes paths without regard to case, as most on Windows do. Actions are then matched
	// on the path in lower case, and variables bind it so.
	Fold bool `yaml:"fold" json:"fold,omitempty" eg:"true"`
	// Rewrite lists paths in which the application finds a parameter. The first that fits is read as the other spelling; a
	// parameter that is in the path and in the query then comes twice, and the request is refused.
	Rewrite []Rewrite `yaml:"rewrite" json:"rewrite,omitempty" eg:"[{path: \"/index.php/{title...}\", to: /index.php, query: {title: \"{title}\"}}]"`
}

// OverrideSpec says where a POST may hold another method. A request with two of them is refused, and so is any but POST.
type OverrideSpec struct {
	// Param is a parameter of the query or the form.
	Param string `yaml:"param" json:"param,omitempty" eg:"_method"`
	// Header is a header field.
	Header string `yaml:"header" json:"header,omitempty" eg:"X-HTTP-Method-Override"`
}

// Rewrite is one path that stands for another one with parameters.
type Rewrite struct {
	// Path is the pattern of the path, as in match.
	Path string `yaml:"path" json:"path" need:"yes" eg:"/index.php/{title...}"`
	// To is the path that it stands for.
	To string `yaml:"to" json:"to" need:"yes" eg:"/index.php"`
	// Query maps parameters to what they are then: text with the variables of path.
	Query map[string]string `yaml:"query" json:"query,omitempty" eg:"{title: \"{title}\"}"`
}

// LoginSpec is the recipe of a session.
type LoginSpec struct {
	// Kind is how the secret becomes a session: form (a login page), json (a login by a script), basic (RFC 7617), digest
	// (RFC 7616), header (one header from the secret), bearer (RFC 6750), query (parameters from the secret), oauth2 (a
	// token endpoint, RFC 6749).
	Kind string `yaml:"kind" json:"kind" need:"yes" one:"form|json|basic|digest|header|bearer|query|oauth2" eg:"form"`
	// Steps are the requests of the recipe, in order (kinds form and json). Cookies are kept from step to step. Kind
	// digest asks the one step that it may have, a get, for its challenge, and / without one.
	// Every post or put among them is a login action: agents are refused it whatever the actions say.
	Steps []StepSpec `yaml:"steps" json:"steps,omitempty" eg:"[{post: /login, form: {user: \"${username}\", pass: \"${password}\"}}]"`
	// Hosts are further hosts at which the login takes place, as that of a single sign-on. Steps and redirects may go
	// there; agents may not.
	Hosts []string `yaml:"hosts" json:"hosts,omitempty" eg:"[sso.acme.example]"`
	// Header is the header that kind header sets on every request.
	Header string `yaml:"header" json:"header,omitempty" eg:"X-Auth-Token"`
	// Value is the template of that header, or of Authorization for kind bearer.
	Value string `yaml:"value" json:"value,omitempty" def:"for bearer: Bearer ${token}" eg:"Bearer ${token}"`
	// Headers are set on every request from what the steps took: name to template (kinds form and json).
	Headers map[string]string `yaml:"headers" json:"headers,omitempty" eg:"{Authorization: \"Bearer ${token}\"}"`
	// Query are parameters that are set on every request: name to template. What an agent sends under these names is
	// removed. Kind query has nothing else but json.
	Query map[string]string `yaml:"query" json:"query,omitempty" eg:"{api_key: \"${token}\"}"`
	// JSON are members that are set in every JSON body, and in every call of a batch: dotted pointer to template. What an
	// agent sends there is replaced, and put on record as borrowed; a body without the parent of the member is refused.
	// For applications that take the session from the body, as JSON-RPC often does (kinds form, json and query).
	JSON map[string]string `yaml:"json" json:"json,omitempty" eg:"{auth: \"${token}\"}"`
	// TokenURL is the token endpoint of kind oauth2: an absolute URL, or a path at the adapter's host.
	TokenURL string `yaml:"token_url" json:"token_url,omitempty" eg:"/oauth/token"`
	// GrantType is client_credentials (the default), password or refresh_token.
	GrantType string `yaml:"grant_type" json:"grant_type,omitempty" one:"client_credentials|password|refresh_token" def:"client_credentials" eg:"client_credentials"`
	// Scopes are asked for at the token endpoint.
	Scopes []string `yaml:"scopes" json:"scopes,omitempty" eg:"[read, write]"`
	// Audience is sent as the audience parameter.
	Audience string `yaml:"audience" json:"audience,omitempty" eg:"https://api.acme.example"`
	// ClientAuth says where the client's own credentials go: basic (the default) or body.
	ClientAuth string `yaml:"client_auth" json:"client_auth,omitempty" one:"basic|body" def:"basic" eg:"basic"`
	// Success is what the answer to the last step must be: everything said here must hold. Without any other sign a
	// login that the SaaS answers with 200 and an error page would pass for one, so post steps require it.
	Success Condition `yaml:"success" json:"success" eg:"{status: [302], cookie: \"*UserID\"}"`
	// Ended lists the answers that mean the session is gone; one that holds is enough.
	Ended []Condition `yaml:"ended" json:"ended,omitempty" eg:"[{redirect: \"*Special:UserLogin*\"}, {status: 401}]"`
	// Logout ends the session at the SaaS.
	Logout Logout `yaml:"logout" json:"logout" eg:"{steps: [{get: /logout}]}"`
}

// Logout is the recipe that ends a session. The zero value has no steps: the session is only forgotten.
type Logout struct {
	// Steps are like those of login; they run with the session's cookies and headers.
	Steps []StepSpec `yaml:"steps" json:"steps,omitempty" eg:"[{get: /logout}]"`
}

// StepSpec is one request of a recipe. Exactly one of get, post, put and delete is given: a path with its query at the
// adapter's host, or an absolute URL at one of hosts or login.hosts. It is a template; what ${…} stands for in front may be
// relative to the last page, as in the action of a form.
// Templates: ${username}, ${password}, ${totp} (RFC 6238, from the secret's totp_seed: base32, or an otpauth:// URL for
// another algorithm, period or number of digits; no code is used twice), every other field of the secret by its name, every
// name taken by an earlier step, and filters: ${x|base64}, ${x|query}, ${x|unquery}, ${x|html}, ${x|json}, ${x|hex},
// ${x|md5}, ${x|sha1}, ${x|sha256}, ${x|lower}, ${x|upper}, ${x|first_upper}, ${x|underscores}, ${x|trim}. $${ writes a
// literal ${.
type StepSpec struct {
	// Get is the target of a GET request.
	Get string `yaml:"get" json:"get,omitempty" eg:"/login"`
	// Post is the target of a POST request.
	Post string `yaml:"post" json:"post,omitempty" eg:"https://sso.acme.example/login"`
	// Put is the target of a PUT request.
	Put string `yaml:"put" json:"put,omitempty" eg:"/api/session"`
	// Delete is the target of a DELETE request.
	Delete string `yaml:"delete" json:"delete,omitempty" eg:"/api/session"`
	// Let names values that are made from others, for the templates of this step and of later ones.
	Let map[string]string `yaml:"let" json:"let,omitempty" eg:"{proof: \"${challenge}${password|md5}\"}"`
	// Hidden is a selector of a form on the last page: its hidden fields are sent along, as a browser does, unless form
	// says otherwise.
	Hidden string `yaml:"hidden" json:"hidden,omitempty" eg:"form#login"`
	// Form is the urlencoded body: field to template.
	Form map[string]string `yaml:"form" json:"form,omitempty" eg:"{user: \"${username}\", pass: \"${password}\"}"`
	// Body is a body of another type, as text: a template. Name the type in headers.
	Body string `yaml:"body" json:"body,omitempty" eg:"<login><user>${username|html}</user></login>"`
	// JSON is the JSON body; every string in it, however deep, is a template.
	JSON any `yaml:"json" json:"json,omitempty" eg:"{auth: {login: \"${username}\", otp: \"${totp}\"}}"`
	// Headers are sent with this step only: name to template.
	Headers map[string]string `yaml:"headers" json:"headers,omitempty" eg:"{X-Requested-With: XMLHttpRequest}"`
	// Take names values of the answer for later templates.
	Take map[string]Take `yaml:"take" json:"take,omitempty" eg:"{token: {css: \"input[name=csrf]\", attr: value}}"`
	// Follow is how many redirects are followed by GET before the answer is judged, at the adapter's hosts and login.hosts
	// only. Cookies set on the way count as set by the answer.
	Follow int `yaml:"follow" json:"follow,omitempty" def:"0" eg:"5"`
	// Success is checked on the answer of this step; the login fails when it does not hold.
	Success Condition `yaml:"success" json:"success" eg:"{status: [200]}"`
}

// Take says where in an answer a value lies. Exactly one of css, json, header, cookie and regexp is given.
type Take struct {
	// CSS is a selector: element, #id, .class, [attr], [attr=value], and descendants by a space.
	CSS string `yaml:"css" json:"css,omitempty" eg:"input[name=csrf]"`
	// Attr is the attribute to read; without it the element's text.
	Attr string `yaml:"attr" json:"attr,omitempty" eg:"value"`
	// JSON is a dotted pointer; numbers index arrays.
	JSON string `yaml:"json" json:"json,omitempty" eg:"query.tokens.csrftoken"`
	// Header is the name of a response header.
	Header string `yaml:"header" json:"header,omitempty" eg:"X-Auth-Token"`
	// Cookie is the name (or pattern) of a cookie that the answer sets or the jar holds.
	Cookie string `yaml:"cookie" json:"cookie,omitempty" eg:"csrftoken"`
	// Regexp is an RE2 expression on the body; its first group is the value, or the whole match without one.
	Regexp string `yaml:"regexp" json:"regexp,omitempty" eg:"var token = '([^']+)'"`
	// Optional lets the step go on with an empty value when nothing is found.
	Optional bool `yaml:"optional" json:"optional,omitempty" eg:"true"`
}

// Condition is a statement about an answer: every key that is given must hold. The zero value says nothing. What ended says
// about a body never holds for a stream (text/event-stream and its kin), whose beginning is not waited for.
type Condition struct {
	// Status lists the status codes that fit; one number may stand without brackets.
	Status Ints `yaml:"status" json:"status,omitempty" eg:"[302, 303]"`
	// Redirect is a pattern with * on the Location header.
	Redirect string `yaml:"redirect" json:"redirect,omitempty" eg:"\"*Special:UserLogin*\""`
	// Cookie is a pattern on the name of a cookie that the answer sets (a deletion does not count).
	Cookie string `yaml:"cookie" json:"cookie,omitempty" eg:"\"*UserID\""`
	// Deletes is a pattern on the name of a cookie that the answer deletes, and does not set again: many applications
	// say so that they do not know a session, and then answer as to anybody.
	Deletes string `yaml:"deletes" json:"deletes,omitempty" eg:"\"*UserID\""`
	// Header is "Name" (must be there) or "Name: pattern".
	Header string `yaml:"header" json:"header,omitempty" eg:"\"X-Login-State: anonymous\""`
	// ContentType is a pattern on the media type, without parameters.
	ContentType string `yaml:"content_type" json:"content_type,omitempty" eg:"text/html"`
	// Body is text that the first 64 KiB of the body must contain.
	Body string `yaml:"body" json:"body,omitempty" eg:"name=\"wpLoginToken\""`
	// JSON maps dotted pointers into a JSON body to patterns. The body must be whole within these 64 KiB.
	JSON map[string]string `yaml:"json" json:"json,omitempty" eg:"{\"error.code\": \"session_*\"}"`
	// CSS is a selector of an element that those 64 KiB of a page must have.
	CSS string `yaml:"css" json:"css,omitempty" eg:"form#login input[type=password]"`
	// NotBody is text that it must not contain.
	NotBody string `yaml:"not_body" json:"not_body,omitempty" eg:"Incorrect username or password"`
}

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

// Strings is one string or a list of them.
type Strings []string

// Ints is one number or a list of them.
type Ints []int
