package adapters

// LoginSpec is the recipe of a session.
type LoginSpec struct {
	// Kind is how the secret becomes a session.
	Kind string `yaml:"kind" json:"kind" need:"yes" one:"KINDS" eg:"form"`
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
