package adapters

// LoginSpec says how a session is made and ended.
type LoginSpec struct {
	// Kind is how the secret becomes a session.
	Kind string `yaml:"kind" json:"kind" need:"yes" one:"KINDS" eg:"form"`

	// Steps are the requests of the login, in order (kinds form and json). Cookies are kept from step to
	// step. Kind digest takes at most one step, a get, which it asks for the challenge; without one it
	// asks /. Every post or put among the steps is a login action: agents are refused it whatever the
	// actions say.
	Steps []StepSpec `yaml:"steps" json:"steps,omitempty" eg:"[{post: /login, form: {user: \"${username}\", pass: \"${password}\"}}]"`

	// Hosts are further hosts at which the login takes place, as that of a single sign-on. Steps and
	// redirects may go there; agents may not.
	Hosts []string `yaml:"hosts" json:"hosts,omitempty" eg:"[sso.acme.example]"`

	// Header is the header that kind header sets on every request.
	Header string `yaml:"header" json:"header,omitempty" eg:"X-Auth-Token"`

	// Value is the template of that header, or of Authorization for kind bearer.
	Value string `yaml:"value" json:"value,omitempty" def:"for bearer: Bearer ${token}" eg:"Bearer ${token}"`

	// Headers are set on every request from what the steps took: name to template (kinds form and json).
	Headers map[string]string `yaml:"headers" json:"headers,omitempty" eg:"{Authorization: \"Bearer ${token}\"}"`

	// Query are parameters that are set on every request: name to template. Parameters of these names that
	// an agent sends are removed. Kind query takes this key, json, or both.
	Query map[string]string `yaml:"query" json:"query,omitempty" eg:"{api_key: \"${token}\"}"`

	// JSON are members that are set in every JSON body, and in every call of a batch: dotted pointer to
	// template. What an agent sends there is replaced and put on record as borrowed; a body without the
	// parent of the member is refused. It is for applications that take the session from the body, as
	// JSON-RPC often does (kinds form, json and query).
	JSON map[string]string `yaml:"json" json:"json,omitempty" eg:"{auth: \"${token}\"}"`

	// TokenURL is the token endpoint of kind oauth2: an absolute URL, or a path at the adapter's host.
	TokenURL string `yaml:"token_url" json:"token_url,omitempty" eg:"/oauth/token"`

	// GrantType is client_credentials (the default), password or refresh_token.
	GrantType string `yaml:"grant_type" json:"grant_type,omitempty" one:"client_credentials|password|refresh_token" def:"client_credentials" eg:"client_credentials"`

	// Scopes are requested from the token endpoint.
	Scopes []string `yaml:"scopes" json:"scopes,omitempty" eg:"[read, write]"`

	// Audience is sent as the audience parameter.
	Audience string `yaml:"audience" json:"audience,omitempty" eg:"https://api.acme.example"`

	// ClientAuth says where the client's own credentials go: basic (the default) or body.
	ClientAuth string `yaml:"client_auth" json:"client_auth,omitempty" one:"basic|body" def:"basic" eg:"basic"`

	// Success is what the answer to the last step must be: every condition given here must hold. A login
	// with a post step requires it, because many applications answer a wrong password with 200 and an
	// error page.
	Success Condition `yaml:"success" json:"success" eg:"{status: [302], cookie: \"*UserID\"}"`

	// Ended lists the answers that mean that the session is over. One that holds is enough.
	Ended []Condition `yaml:"ended" json:"ended,omitempty" eg:"[{redirect: \"*Special:UserLogin*\"}, {status: 401}]"`

	// Identity is a page that names who is logged in. It is asked after a login, before a session that an
	// answer calls over is given up, and when an answer changes the session, before anything else is sent:
	// a session that is not the account's is ended.
	Identity IdentitySpec `yaml:"identity" json:"identity,omitzero" eg:"{get: /profile, css: \"#user-name\"}"`

	// Logout ends the session at the application.
	Logout Logout `yaml:"logout" json:"logout" eg:"{steps: [{get: /logout}]}"`
}

// Logout says how a session is ended. The zero value has no steps: the session is only forgotten.
type Logout struct {
	// Steps are like those of login. They run with the session's cookies and headers.
	Steps []StepSpec `yaml:"steps" json:"steps,omitempty" eg:"[{get: /logout}]"`

	// Check is a page that only somebody who is logged in gets. It is requested once after the logout with
	// the session's old values, and the answer is judged by ended: a session that still works is an alert.
	// Without this key identity is asked, if there is one. The page is also requested when an answer calls
	// the session over and identity does not say whether it is.
	Check string `yaml:"check" json:"check,omitempty" eg:"/account"`
}

// IdentitySpec says which page names who is logged in, and where. Exactly one of css, json, header and
// regexp is given. All places on the page that fit must show the same name: choose one that only the
// application writes. A page that has no such place or shows two names, a redirect and an error from 300 to
// 499 mean that nobody is logged in. An answer that is not one (429, 5xx, a timeout) is asked for again with
// back-off; until it comes, a session that was called over stays, and after one was changed nothing is sent.
// Redirects are not followed. The request has the whole session, also what login.query sets.
type IdentitySpec struct {
	// Get is the path of the page. It may use ${username} and what the steps of the login took.
	Get string `yaml:"get" json:"get" need:"yes" eg:"/profile"`

	// Headers are sent with the request: name to template.
	Headers map[string]string `yaml:"headers" json:"headers,omitempty" eg:"{Accept: application/json}"`

	// CSS is a selector of the element that has the name.
	CSS string `yaml:"css" json:"css,omitempty" eg:"\"#user-name\""`

	// Attr is the attribute that has the name; without it the element's text is read.
	Attr string `yaml:"attr" json:"attr,omitempty" eg:"value"`

	// JSON is a dotted pointer to the name. The body must be one JSON value.
	JSON string `yaml:"json" json:"json,omitempty" eg:"user.login"`

	// Header is the name of a response header that has the name.
	Header string `yaml:"header" json:"header,omitempty" eg:"X-User"`

	// Regexp is an RE2 expression whose first group is the name. In an HTML page character references in the
	// name are resolved.
	Regexp string `yaml:"regexp" json:"regexp,omitempty" eg:"'\"userName\":\"([^\"]+)\"'"`

	// Is is the name of the account as the page writes it: a template of ${username} and of what the steps
	// of the login took. Runs of white space in the page count as one space. Case does not count after the
	// login; from then on the name must be written as the page wrote it then.
	Is string `yaml:"is" json:"is,omitempty" def:"${username}" eg:"${username|first_upper}"`

	// Rotates lists the actions, with * as a wildcard, whose answers may change the session without being
	// asked about it. It is for applications that set a new session cookie with every answer.
	Rotates Strings `yaml:"rotates" json:"rotates,omitempty" eg:"[page.edit]"`
}

// StepSpec is one request of a login or a logout. It has exactly one of get, post, put and delete: a path with its query at
// the adapter's host, or an absolute URL at one of hosts or login.hosts. The target is a template; if it begins with ${…}, the
// value may be relative to the last page or to its base element, as the action of a form is. An http URL without a port is taken
// as https if the login goes over https.
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

	// Hidden is a selector of a form on the last page. Its hidden fields are sent, as a browser sends
	// them, unless form gives them another value.
	Hidden string `yaml:"hidden" json:"hidden,omitempty" eg:"form#login"`

	// Form is the urlencoded body: field to template.
	Form map[string]string `yaml:"form" json:"form,omitempty" eg:"{user: \"${username}\", pass: \"${password}\"}"`

	// Body is a body of another type, as text: a template. Name the type in headers.
	Body string `yaml:"body" json:"body,omitempty" eg:"<login><user>${username|html}</user></login>"`

	// JSON is the JSON body. Every string in it, however deep, is a template.
	JSON any `yaml:"json" json:"json,omitempty" eg:"{auth: {login: \"${username}\", otp: \"${totp}\"}}"`

	// Headers are sent with this step only: name to template. Cookie adds cookies, which a script would
	// set, to those that the application has set so far.
	Headers map[string]string `yaml:"headers" json:"headers,omitempty" eg:"{X-Requested-With: XMLHttpRequest}"`

	// Take names values of the answer for later templates.
	Take map[string]Take `yaml:"take" json:"take,omitempty" eg:"{token: {css: \"input[name=csrf]\", attr: value}}"`

	// Follow is how many redirects are followed by GET before the answer is judged. They may lead to the
	// adapter's hosts and to login.hosts only. Cookies that are set on the way count as set by the answer.
	Follow int `yaml:"follow" json:"follow,omitempty" def:"0" eg:"5"`

	// Success is checked on the answer of this step. The login fails if it does not hold.
	Success Condition `yaml:"success" json:"success" eg:"{status: [200]}"`
}

// Take says where in an answer a value is. Exactly one of css, json, header, cookie and regexp is
// given.
type Take struct {
	// CSS is a selector: element, #id, .class, [attr], [attr=value], and descendants by a space.
	CSS string `yaml:"css" json:"css,omitempty" eg:"input[name=csrf]"`

	// Attr is the attribute to read; without it the element's text is read.
	Attr string `yaml:"attr" json:"attr,omitempty" eg:"value"`

	// JSON is a dotted pointer; numbers index arrays.
	JSON string `yaml:"json" json:"json,omitempty" eg:"query.tokens.csrftoken"`

	// Header is the name of a response header.
	Header string `yaml:"header" json:"header,omitempty" eg:"X-Auth-Token"`

	// Cookie is the name, or a pattern of the name, of a cookie that the answer sets or that an earlier
	// one set.
	Cookie string `yaml:"cookie" json:"cookie,omitempty" eg:"csrftoken"`

	// Regexp is an RE2 expression on the body. Its first group is the value, or the whole match if it has
	// none.
	Regexp string `yaml:"regexp" json:"regexp,omitempty" eg:"var token = '([^']+)'"`

	// Optional means that the step goes on with an empty value if nothing is found.
	Optional bool `yaml:"optional" json:"optional,omitempty" eg:"true"`
}

// Condition is a statement about an answer: every key that is given must hold. The zero value says
// nothing. A condition in ended that looks at the body never holds for a stream (text/event-stream and
// the like), because the proxy does not wait for its beginning.
type Condition struct {
	// Status lists the status codes that fit. One number may stand without brackets.
	Status Ints `yaml:"status" json:"status,omitempty" eg:"[302, 303]"`

	// Redirect is a pattern with * on the Location header.
	Redirect string `yaml:"redirect" json:"redirect,omitempty" eg:"\"*Special:UserLogin*\""`

	// Cookie is a pattern on the name of a cookie that the answer sets (a deletion does not count).
	Cookie string `yaml:"cookie" json:"cookie,omitempty" eg:"\"*UserID\""`

	// Deletes is a pattern on the name of a cookie that the answer deletes and does not set again. Many
	// applications tell a client in this way that they do not know its session, and answer as to a
	// visitor.
	Deletes string `yaml:"deletes" json:"deletes,omitempty" eg:"\"*UserID\""`

	// Header is "Name" (must be there) or "Name: pattern".
	Header string `yaml:"header" json:"header,omitempty" eg:"\"X-Login-State: anonymous\""`

	// ContentType is a pattern on the media type, without parameters.
	ContentType string `yaml:"content_type" json:"content_type,omitempty" eg:"text/html"`

	// Body is text that the first 64 KiB of the body must contain.
	Body string `yaml:"body" json:"body,omitempty" eg:"name=\"wpLoginToken\""`

	// JSON maps dotted pointers into a JSON body to patterns. The whole body must be within these 64 KiB.
	JSON map[string]string `yaml:"json" json:"json,omitempty" eg:"{\"error.code\": \"session_*\"}"`

	// CSS is a selector of an element that a page must have within these 64 KiB.
	CSS string `yaml:"css" json:"css,omitempty" eg:"form#login input[type=password]"`

	// NotBody is text that these 64 KiB must not contain.
	NotBody string `yaml:"not_body" json:"not_body,omitempty" eg:"Incorrect username or password"`
}
