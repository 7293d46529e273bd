package adapters

// CookieSpec sorts cookies by name. Patterns may contain *. A cookie that neither list names is held.
type CookieSpec struct {
	// Hold lists cookies that stay in the proxy. It wins over pass.
	Hold []string `yaml:"hold" json:"hold,omitempty" def:"every cookie that pass does not name" eg:"[\"*_session\", \"*UserID\"]"`

	// Pass lists harmless cookies that go both ways between the agent and the application.
	Pass []string `yaml:"pass" json:"pass,omitempty" eg:"[\"*_BPsession\"]"`

	// Share lists cookies that belong to the session and that the agent must see and send back in a field
	// or header, as anti-forgery tokens that are set at login. They are held, and each agent gets their
	// current value.
	Share []string `yaml:"share" json:"share,omitempty" eg:"[XSRF-TOKEN]"`

	// Mask lists held cookies whose value is masked in answers. Without it every held cookie whose value
	// is long enough to be a secret is masked; name cookies here if some hold plain words.
	Mask []string `yaml:"mask" json:"mask,omitempty" def:"every held cookie of 8 bytes and more whose value is not plain words" eg:"[\"*_session\"]"`

	// Person lists held cookies whose value begins with the name of the person who is logged in, up to the
	// first |. The name is put on record next to the fingerprint of a borrowed session.
	Person []string `yaml:"person" json:"person,omitempty" eg:"[\"*UserName\"]"`
}

// CountSpec says where the number of a request goes.
type CountSpec struct {
	// Header carries the number, which starts at 1 for each lease and start of the server, and the id of
	// the intent on record: 17 r_01jd7v3w8yq2m4n6p8r0s2t4v6. A field of this name that an agent sends is
	// replaced.
	Header string `yaml:"header" json:"header,omitempty" eg:"X-Byline-Count"`
}

// HeaderSpec changes the built-in list of headers that go on: those of HTTP itself, caching, ranges,
// Fetch metadata, client hints, CORS, WebSocket, WebDAV and against request forgery. Every other header
// is held. byline adapter show prints the list. Names are not case-sensitive.
type HeaderSpec struct {
	// Strip lists headers of the built-in list that are removed.
	Strip []string `yaml:"strip" json:"strip,omitempty" eg:"[X-HTTP-Method-Override]"`

	// Pass lists further headers that go on, whatever their value. One of Signature, Signature-Input and
	// Signature-Agent (RFC 9421) passes all three. A trailer goes on only if it is a digest or listed here.
	Pass []string `yaml:"pass" json:"pass,omitempty" eg:"[X-Pjax]"`

	// Subprotocols lists names that Sec-WebSocket-Protocol may have besides the usual ones: applications
	// take tokens from that field too.
	Subprotocols []string `yaml:"subprotocols" json:"subprotocols,omitempty" eg:"[\"board.v2\"]"`
}

// BodySpec is about credentials in bodies. The fields of forms and the keys of JSON at all depths are
// judged by name and by value, and so is what any application may find in a body of another type if it
// takes it for a form, JSON, XML, YAML or parts. A request with a credential in its body is refused. Only
// the bodies of actions with verbatim are not judged.
type BodySpec struct {
	// Pass lists fields (names or patterns, as they are spelt) that may pass, for example an anti-forgery
	// token that is called token, or the password field of an action that creates users.
	Pass []string `yaml:"pass" json:"pass,omitempty" eg:"[token, \"wp*Token\"]"`
}

// QuerySpec names parameters of the query that carry credentials.
type QuerySpec struct {
	// Strip lists parameters (patterns, not case-sensitive) to remove from every request.
	Strip []string `yaml:"strip" json:"strip,omitempty" eg:"[access_token, \"*apikey\"]"`

	// Pass lists parameters that may pass although they have the name or the value of a credential, for
	// example an anti-forgery token that is called sid. Strip and login.query win over it.
	Pass []string `yaml:"pass" json:"pass,omitempty" eg:"[sid]"`

	// Semicolon says that the application separates parameters by ; as well as by &. Without it a query
	// with a bare ; is refused if a parameter decides the action, because applications disagree about it.
	Semicolon bool `yaml:"semicolon" json:"semicolon,omitempty" eg:"true"`
}

// PathSpec says how the application reads paths. It changes what actions are matched on, never what is
// sent.
type PathSpec struct {
	// Fold says that the application ignores the case of paths, as most applications on Windows do. Actions
	// are then matched on the path in lower case, and variables bind it in lower case.
	Fold bool `yaml:"fold" json:"fold,omitempty" eg:"true"`

	// Encoded lists escapes that are data within a segment, as %2F is in the name of a project, a queue or a
	// package. Actions are matched on the decoded segment, in which such a slash separates nothing, and the
	// path is sent as it came. Without this key such a path is refused, because servers differ on it. An
	// escape of an escape (%252F) is refused in any case.
	Encoded PathEscapes `yaml:"encoded" json:"encoded,omitzero" eg:"{escapes: [\"%2F\", \"%25\"], because: \"projects are named group/project\"}"`

	// Rewrite lists paths in which the application finds a parameter. The first that fits is read as the
	// other spelling. A parameter that is in the path and in the query then comes twice, and the request
	// is refused.
	Rewrite []Rewrite `yaml:"rewrite" json:"rewrite,omitempty" eg:"[{path: \"/index.php/{title...}\", to: /index.php, query: {title: \"{title}\"}}]"`

	// Pass lists paths (patterns, as in match) in which a segment may be what looks like a credential, such
	// as the signed link of a file. Everywhere else a request with a JWT or a key of a known issuer in its
	// path is refused.
	Pass []string `yaml:"pass" json:"pass,omitempty" eg:"[\"/files/{id}/{signature}\"]"`
}

// PathEscapes names escapes in paths.
type PathEscapes struct {
	// Escapes are some of %2F, %23, %25, %3B and %3F.
	Escapes Strings `yaml:"escapes" json:"escapes,omitempty" need:"yes" eg:"[\"%2F\"]"`

	// Because is the owner's reason for this exception. Evidence shows it.
	Because string `yaml:"because" json:"because,omitempty" need:"yes" eg:"projects are named group/project"`
}

// OverrideSpec says where a POST request may hold another method. A request that holds two methods is refused, and so is
// a request other than POST that holds one.
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

	// Query maps parameters to their values: text with the variables of path.
	Query map[string]string `yaml:"query" json:"query,omitempty" eg:"{title: \"{title}\"}"`
}
