package credential

// The lists are in compact spelling: lower case, letters and digits alone. accessToken, access_token, ACCESS-TOKEN and
// access.token are all accesstoken.

// anywhereWords mark a name wherever they stand in its compact spelling.
var anywhereWords = []string{
	"password", "passwd", "passphrase", "passcode", "passwort", "kennwort", "motdepasse",
	"secret", "credential", "bearer", "authorization", "authentication", "impersonat",
	"sessionid", "sessid", "sessionkey", "sessionhash", "sessiontoken", "sessioncookie", "sessionticket",
	"apikey", "accesskey", "privatekey", "authkey", "accountkey", "sharedkey", "signingkey", "encryptionkey", "masterkey", "servicekey",
	"subscriptionkey", "developerkey", "licensekey", "functionkey",
	"authcode", "authhash", "authdata", "authticket", "authcookie",
	"samlresponse", "samlart", "samlrequest", "relaystatetoken", "clientassertion", "kerberos", "spnego",
	"jsessionid", "phpsessid", "aspsessionid", "cftoken", "jwt", "dpop", "oauth",
	"xamzsignature", "xamzcredential", "xgoogsignature", "xgoogcredential",
}

// lastWords mark a name whose last word they are, or that ends in them.
var lastWords = []string{"session", "pass", "pwd", "passw", "cookie"}

// wholeWords mark a name whose last word they are. They are too short to be looked for within words.
var wholeWords = []string{"auth", "sid", "otp", "totp", "pw", "psw", "authn", "sess", "sso", "mfacode", "pincode"}

// wholeNames are names of credentials as a whole.
var wholeNames = []string{
	"assertion", "cfid", "sig", "signature", "xsid", "authz", "accesscode", "logincode", "saml", "loginhash", "loginkey",
	"cred", "creds", "idtoken", "xauth", "sudo", "switchuser", "remoteuser", "runas", "actas", "onbehalfof",
}

// plainExcept are names of credentials unless the value is a number of at most ten digits, or like PROJ or PROJ-123,
// because applications also have tickets and keys of other kinds.
var plainExcept = []string{"key", "ticket"}

// forgeryWords mark a name as that of a token against request forgery, which a page gives and an agent sends back. They
// win over every list of names, and over no verdict on a value.
var forgeryWords = []string{"csrf", "xsrf", "antiforgery", "authenticitytoken", "requestverificationtoken", "requesttoken", "formtoken", "atltoken", "atlassiantoken"}

// forgeryNames are further such names, as they are written.
var forgeryNames = []string{"_token"}

// harmlessTokens stand before token in names of tokens that only say where a list goes on.
var harmlessTokens = []string{
	"page", "nextpage", "prevpage", "previouspage", "next", "prev", "previous", "continuation", "sync", "delta", "skip", "cursor", "resume", "change", "cancellation",
	"idempotency", "pagination",
}

// harmlessAfterToken follow token in names that say something about a token.
var harmlessAfterToken = []string{"type", "count", "limit", "length", "expiry", "expires", "expiresin", "name", "s", "ize", "izer", "lifetime"}

// fieldWords mark a header field wherever they stand in its compact spelling, in addition to the lists for every name:
// gateways in front of applications say with such fields who is asking.
var fieldWords = []string{
	"auth", "session", "cookie", "remoteuser", "forwarded", "clientcert", "clientverify", "ssl", "saml", "oidc", "xuser", "xemail", "xgroups", "xsid",
	"realip", "trueclientip", "connectingip", "clientip", "originalurl", "rewriteurl", "originalhost", "xhost", "methodoverride", "xhttpmethod", "signature",
	"principal", "smuser", "ivcreds", "ivuser", "sudo", "switchuser", "onbehalfof", "runas", "actas",
}

// schemes of HTTP authentication (IANA registry, and those that APIs use).
var schemes = []string{
	"bearer", "basic", "digest", "negotiate", "ntlm", "dpop", "token", "hawk", "hoba", "mutual", "oauth", "gnap", "privatetoken", "vapid", "concealed", "mac",
	"scram-sha-1", "scram-sha-256", "aws4-hmac-sha256", "aws", "apikey", "api-key", "jwt", "ssws", "geniekey", "sharedkey", "sharedkeylite", "googlelogin",
	"kerberos", "splunk", "wsse", "snowflake", "sapisidhash",
}

// keyPrefixes begin the keys of known issuers. least is the number of letters, digits, _ and - that follow at least.
var keyPrefixes = []struct {
	prefix string
	least  int
}{
	{"ghp_", 16}, {"gho_", 16}, {"ghu_", 16}, {"ghs_", 16}, {"ghr_", 16}, {"github_pat_", 16},
	{"glpat-", 12}, {"gldt-", 12}, {"glrt-", 12}, {"glptt-", 12}, {"glsoat-", 12}, {"glcbt-", 12}, {"glimt-", 12}, {"glft-", 12}, {"gloas-", 12}, {"glagent-", 12},
	{"xoxb-", 10}, {"xoxp-", 10}, {"xoxa-", 10}, {"xoxs-", 10}, {"xoxr-", 10}, {"xoxe-", 10}, {"xoxc-", 10}, {"xoxd-", 10}, {"xapp-", 10}, {"xoxe.xox", 10},
	{"sk-", 20}, {"sk_live_", 10}, {"sk_test_", 10}, {"rk_live_", 10}, {"rk_test_", 10}, {"whsec_", 16},
	{"AKIA", 16}, {"ASIA", 16}, {"AIza", 30}, {"ya29.", 16}, {"1//0", 30}, {"GOCSPX-", 16},
	{"npm_", 20}, {"pypi-", 20}, {"rubygems_", 20}, {"dckr_pat_", 16}, {"dop_v1_", 20}, {"doo_v1_", 20}, {"dor_v1_", 20},
	{"hvs.", 20}, {"hvb.", 20}, {"hvr.", 20}, {"SG.", 20}, {"key-", 32}, {"shpat_", 16}, {"shpca_", 16}, {"shppa_", 16}, {"shpss_", 16},
	{"ATATT3", 20}, {"ATCTT3", 20}, {"ATBB", 20}, {"ATSTT3", 20}, {"BBDC-", 16}, {"sq0atp-", 16}, {"sq0csp-", 16}, {"EAACEdEose0cBA", 8}, {"lin_api_", 16}, {"figd_", 16},
	{"NRAK-", 16}, {"dapi", 32}, {"glsa_", 16}, {"glc_", 16}, {"hf_", 20}, {"gsk_", 20}, {"r8_", 20}, {"pul-", 20}, {"PMAK-", 20}, {"secret_", 30}, {"ntn_", 30},
	{"sntrys_", 16}, {"sntryu_", 16}, {"phx_", 20}, {"tskey-", 16}, {"AGE-SECRET-KEY-", 16}, {"EZAK", 30}, {"EZTK", 30}, {"NAPI", 30}, {"patch_", 30}, {"squ_", 20}, {"sqp_", 20}, {"sqa_", 20},
	{"okta_", 30}, {"ops_eyJ", 20}, {"cmVmdGtuOj", 16}, {"AKCp", 20}, {"oy2", 40}, {"sbp_", 20}, {"rdme_", 20}, {"duffel_", 16}, {"shippo_", 16}, {"live_", 30},
}

// Lists are the lists that the judge goes by, for documentation and commands.
type Lists struct {
	Anywhere, Last, Whole, Except   []string // names of credentials
	Fields                          []string // names of header fields, in addition
	Forgery, HarmlessTokens         []string // names that are not
	Schemes, KeyPrefixes, Structure []string // values
}

// Judged returns the lists.
func Judged() Lists {
	l := Lists{
		Anywhere: append([]string{"token"}, anywhereWords...), Last: lastWords, Except: plainExcept, Fields: fieldWords,
		Whole:   append(append([]string{}, wholeWords...), wholeNames...),
		Forgery: append(append([]string{}, forgeryWords...), forgeryNames...), HarmlessTokens: harmlessTokens,
		Schemes: schemes, Structure: []string{"JWT", "PASETO", "private key in PEM"},
	}
	for i := range keyPrefixes {
		l.KeyPrefixes = append(l.KeyPrefixes, keyPrefixes[i].prefix)
	}
	return l
}
