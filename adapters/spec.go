package adapters

// The comments of the structs in spec_*.go and history_spec.go are the reference: go generate writes
// docs/adapters-reference.md and configs/adapter.schema.json from them. Each field has these tags:
//
//	yaml        the key
//	json        the same key, for the canonical form that the digest covers
//	need:"yes"  the key must be there
//	one:"a|b"   the values that it may have; KINDS for the login kinds
//	def         what holds without the key, if that is not nothing
//	eg          an example
//
//go:generate go test . -run Reference -update

// Spec is one adapter as it is written in YAML: the whole language. Every key is data; nothing in it
// runs code.
type Spec struct {
	// Name is how tasks, policies and records call this adapter: lower case letters, digits and hyphens.
	Name string `yaml:"name" json:"name" need:"yes" eg:"mediawiki"`

	// Extends names a library adapter to start from. A key at the top level of this file replaces that of
	// the library adapter, except that actions written here are tried before the inherited ones and that
	// the lists in headers, query and cookies are joined. Hosts and interim are never inherited.
	Extends string `yaml:"extends" json:"extends,omitempty" eg:"mediawiki"`

	// Interim says why this control exists, who owns it and when it must be reviewed.
	Interim Interim `yaml:"interim" json:"interim" eg:"{reason: \"no service identity for the web UI\", owner: secops@acme.example, review_by: 2027-06-30}"`

	// Hosts are the authorities that this adapter intercepts: exact names, or *.suffix for every name
	// below it. An optional :port limits a host to that port; without one it stands for any port. A host
	// belongs to one adapter only.
	Hosts []string `yaml:"hosts" json:"hosts" eg:"[wiki.acme.example, \"*.wiki.acme.example:8443\"]"`

	// Upstream says where and how to connect, if that differs from what the agent named.
	Upstream Upstream `yaml:"upstream" json:"upstream" eg:"{url: \"http://127.0.0.1:8090\", protocol: h1}"`

	// Cookies says which cookies the proxy keeps to itself and which may pass.
	Cookies CookieSpec `yaml:"cookies" json:"cookies" eg:"{hold: [\"*_session\"], pass: [csrftoken]}"`

	// Headers says which further request headers of the agent go on, and which do not.
	Headers HeaderSpec `yaml:"headers" json:"headers" eg:"{strip: [X-Api-Key]}"`

	// Query names parameters of the query that carry borrowed credentials.
	Query QuerySpec `yaml:"query" json:"query" eg:"{strip: [access_token]}"`

	// Body names fields of bodies that look like credentials and may pass.
	Body BodySpec `yaml:"body" json:"body,omitzero" eg:"{pass: [wpEditToken]}"`

	// Login says how a secret becomes a session, how the end of a session is recognized, and how it is
	// logged out.
	Login LoginSpec `yaml:"login" json:"login" need:"yes" eg:"{kind: basic}"`

	// Pin lists request headers that stay the same for a whole session at the application. The value in
	// the first agent request of the session goes out with every later one, and with the login.
	Pin []string `yaml:"pin" json:"pin,omitempty" eg:"[User-Agent, Accept-Language]"`

	// Count numbers the requests of a lease in a header that the application logs. A comparison of its log
	// with the record shows that neither leaves one out.
	Count CountSpec `yaml:"count" json:"count,omitzero" eg:"{header: X-Byline-Count}"`

	// Paths says how the application reads paths, if it does not read them as they are written.
	Paths PathSpec `yaml:"paths" json:"paths,omitzero" eg:"{fold: true}"`

	// MethodOverride says where the application looks for another method than POST. Actions are then
	// matched on the method that it finds. Without this key the usual headers (X-HTTP-Method-Override and
	// the like) are removed, and a request with such a name (_method, X-HTTP-Method-Override and the like)
	// in the query, in a form or at the top of a JSON body is refused.
	MethodOverride OverrideSpec `yaml:"method_override" json:"method_override,omitzero" eg:"{param: _method}"`

	// Actions name what a request does. They are tried in order, and the first that matches names the
	// request. A request that none matches is refused.
	Actions []ActionSpec `yaml:"actions" json:"actions" eg:"[{name: page.read, match: {path: /view}, resource: page}]"`

	// Log says how the application's own history is read, for byline reconcile.
	Log HistorySpec `yaml:"log" json:"log" eg:"{entry: {time: when, user: who}, kinds: [{actions: [page.edit], resource: \"page/${page}\"}]}"`
}

// Interim is the reason, the owner and the end of an interim control.
type Interim struct {
	// Reason says why the application needs borrowed or compensating credentials.
	Reason string `yaml:"reason" json:"reason" need:"yes" eg:"no service identity for the web UI"`

	// Owner is the person or team who answers for the control.
	Owner string `yaml:"owner" json:"owner" need:"yes" eg:"secops@acme.example"`

	// ReviewBy is the last day before the adapter is overdue for review, as YYYY-MM-DD in UTC.
	ReviewBy string `yaml:"review_by" json:"review_by" need:"yes" eg:"2027-06-30"`
}

// Upstream says where and how to connect. The zero value connects to what the agent named.
type Upstream struct {
	// URL replaces scheme, address and port of the connection. The application still sees the agent's
	// Host.
	URL string `yaml:"url" json:"url,omitempty" def:"the host that the agent named, over https" eg:"https://10.0.0.7:8443"`

	// CA is a PEM file, or PEM text, with the authorities to trust instead of the system's.
	CA string `yaml:"ca" json:"ca,omitempty" def:"the authorities of the system" eg:"/etc/byline/acme-ca.pem"`

	// Pin accepts certificates of the application by their fingerprint alone: neither the authority nor
	// the name in them counts, but they must not have expired. It is for appliances whose certificate
	// has no name, or none that fits.
	Pin Pin `yaml:"pin" json:"pin,omitzero" eg:"{certificate: \"3a5b…\", because: \"the appliance cannot get another certificate\"}"`

	// Renegotiate lets the application ask for the client certificate after the request, once on a
	// connection, as old versions of IIS do (RFC 5746; TLS 1.2 alone).
	Renegotiate Renegotiate `yaml:"renegotiate" json:"renegotiate,omitzero" eg:"{because: \"IIS asks for the certificate by path\"}"`

	// ClientCert is a PEM file with the certificate that the proxy presents to the application.
	ClientCert string `yaml:"client_cert" json:"client_cert,omitempty" eg:"/etc/byline/wiki.pem"`

	// ClientKey is the PEM file with the key of that certificate.
	ClientKey string `yaml:"client_key" json:"client_key,omitempty" eg:"/etc/byline/wiki.key"`

	// Protocol is auto (what ALPN selects), h1 or h2.
	Protocol string `yaml:"protocol" json:"protocol,omitempty" one:"auto|h1|h2" def:"auto" eg:"h1"`

	// Proxy is the proxy to connect through: http://host:port (CONNECT), https:// for the same over TLS,
	// or socks5://host:port; direct connects without one. Without this key byline.yaml decides
	// (upstream.proxy).
	Proxy string `yaml:"proxy" json:"proxy,omitempty" eg:"http://proxy.acme.example:3128"`

	// ProxyAuth is a file with user:password for that proxy, on one line, with mode 0600.
	ProxyAuth string `yaml:"proxy_auth" json:"proxy_auth,omitempty" eg:"/etc/byline/proxy.auth"`

	// ProxyNames leaves it to that proxy to resolve names. Without it Byline resolves a name, checks the
	// addresses and asks the proxy for one of them; with it the proxy decides where a name leads.
	ProxyNames bool `yaml:"proxy_names" json:"proxy_names,omitempty" eg:"true"`
}

// Pin names certificates by their fingerprints.
type Pin struct {
	// Certificate is the SHA-256 fingerprint of the certificate, or a list of them while one replaces the
	// other: hexadecimal, with or without colons, as openssl x509 -noout -fingerprint -sha256 prints it.
	Certificate Strings `yaml:"certificate" json:"certificate,omitempty" need:"yes" eg:"\"3A:5B:…\""`

	// Because is the owner's reason for this exception. Evidence shows it.
	Because string `yaml:"because" json:"because,omitempty" need:"yes" eg:"the appliance cannot get another certificate"`
}

// Renegotiate allows TLS renegotiation.
type Renegotiate struct {
	// Because is the owner's reason for this exception. Evidence shows it.
	Because string `yaml:"because" json:"because,omitempty" need:"yes" eg:"IIS asks for the certificate by path"`
}

// Strings is one string or a list of them.
type Strings []string

// Ints is one number or a list of them.
type Ints []int
