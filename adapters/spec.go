package adapters

// The comments of these structs are the reference: docs/adapters.md and configs/adapter.schema.json are written from
// them by go generate. The tags of each field: yaml (the key), json (the same key, for the canonical form that the digest
// covers), need:"yes" (the key must be there), one:"a|b" (the values it may have; KINDS for those of the login kinds), def (what holds without the key, where
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
	Log HistorySpec `yaml:"log" json:"log" eg:"{entry: {time: when, user: who}, kinds: [{actions: [page.edit], resource: \"page/${page}\"}]}"`
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

// Strings is one string or a list of them.
type Strings []string

// Ints is one number or a list of them.
type Ints []int
