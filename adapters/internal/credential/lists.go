package credential

// The lists are in compact spelling: lower case, letters and digits alone. accessToken, access_token, ACCESS-TOKEN and
// access.token are all accesstoken.

// anywhereWords mark a name wherever they stand in its compact spelling.
var anywhereWords = []string{
	"password", "passwd", "passphrase", "passcode", "passwort", "kennwort", "motdepasse",
	"secret", "credential", "bearer", "authorization", "authentication", "impersonat", "masquerad",
	"sessionid", "sessid", "sessionkey", "sessionhash", "sessiontoken", "sessioncookie", "sessionticket",
	"apikey", "accesskey", "privatekey", "authkey", "accountkey", "sharedkey", "signingkey", "encryptionkey", "masterkey", "servicekey",
	"passkey", "appkey", "userkey", "clientkey", "consumerkey", "rsskey", "feedkey", "subscriptionkey", "developerkey", "licensekey", "functionkey",
	"authcode", "authhash", "authdata", "authticket", "authcookie",
	"samlresponse", "samlart", "samlrequest", "relaystatetoken", "clientassertion", "kerberos", "spnego",
	"jsessionid", "phpsessid", "aspsessionid", "cftoken", "jwt", "dpop", "oauth",
	"xamzsignature", "xamzcredential", "xgoogsignature", "xgoogcredential",
}

// lastWords mark a name whose last word they are, or that ends in them.
var lastWords = []string{"session", "pass", "pwd", "passw", "cookie"}

// otherPasses are last words that end in pass and mean something else.
var otherPasses = []string{"compass", "encompass", "bypass", "trespass", "surpass", "overpass", "underpass"}

// wholeWords mark a name whose last word they are. They are too short to be looked for within words.
var wholeWords = []string{"auth", "sid", "otp", "totp", "pw", "psw", "authn", "sess", "sso", "mfacode", "pincode", "tok"}

// wholeNames are names of credentials as a whole.
var wholeNames = []string{
	"assertion", "cfid", "sig", "signature", "xsid", "authz", "accesscode", "logincode", "saml", "loginhash", "loginkey",
	"cred", "creds", "idtoken", "otpcode", "totpcode", "smscode", "onetimecode", "verificationcode", "securitycode", "twofactorcode", "confirmationcode", "xauth", "sudo", "switchuser", "remoteuser", "runas", "actas", "loginas", "onbehalfof", "hmac", "aspxauth", "wresult",
}

// plainExcept are names of credentials unless the value is a number of at most ten digits, or like PROJ or PROJ-123,
// because applications also have tickets and keys of other kinds.
var plainExcept = []string{"key", "ticket"}

// byShape are names of credentials if the value looks like one. Each says how. isLast says that the last word of a name
// is enough.
var byShape = []shapedName{
	{"code", "sixteen characters or more, twelve of them in a row and with letters and digits; or six, if a parameter state stands with it", false},
	{"pin", "four to twelve digits", true},
}

type shapedName struct {
	name, shape string
	isLast      bool
}

// forgeryWords mark a name as that of a token against request forgery, which a page gives and an agent sends back. They
// win over every list of names, and over no verdict on a value.
var forgeryWords = []string{"csrf", "xsrf", "antiforgery", "authenticitytoken", "requestverificationtoken", "requesttoken", "formtoken", "atltoken", "atlassiantoken", "challengetoken", "taglibhtmltoken"}

// forgeryNames are further such names, as they are written.
var forgeryNames = []string{"_token"}

// cakeToken begins the names of CakePHP's tokens: _Token[fields], _Token[unlocked] and others.
const cakeToken = "_Token["

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
	"kerberos", "splunk", "wsse", "snowflake", "sapisidhash", "sharedaccesssignature",
}

// keyFormats are the keys of known issuers.
var keyFormats = []keyFormat{
	// Source code, packages and builds.
	{prefix: "ghp_", least: 16}, {prefix: "gho_", least: 16}, {prefix: "ghu_", least: 16}, {prefix: "ghs_", least: 16}, {prefix: "ghr_", least: 16}, {prefix: "github_pat_", least: 16},
	{prefix: "glpat-", least: 12}, {prefix: "gldt-", least: 12}, {prefix: "glrt-", least: 12}, {prefix: "glptt-", least: 12}, {prefix: "glsoat-", least: 12}, {prefix: "glcbt-", least: 12},
	{prefix: "glimt-", least: 12}, {prefix: "glft-", least: 12}, {prefix: "gloas-", least: 12}, {prefix: "glagent-", least: 12}, {prefix: "glffct-", least: 12}, {prefix: "GR1348941", least: 16},
	{prefix: "ATATT3", least: 20}, {prefix: "ATCTT3", least: 20}, {prefix: "ATBB", least: 20}, {prefix: "ATSTT3", least: 20}, {prefix: "BBDC-", least: 16},
	{prefix: "npm_", least: 20}, {prefix: "pypi-", least: 20, set: dottedBytes}, {prefix: "rubygems_", least: 20}, {prefix: "dckr_pat_", least: 16}, {prefix: "dckr_oat_", least: 16}, {prefix: "oy2", least: 40, whole: true},
	{prefix: "CLOJARS_", least: 40}, {prefix: "cio", least: 32, set: alnum, exact: true, whole: true}, {prefix: "CCIPAT_", least: 20}, {prefix: "CCIPRJ_", least: 20}, {prefix: "bkua_", least: 20}, {prefix: "sgp_", least: 32},
	{prefix: "squ_", least: 20}, {prefix: "sqp_", least: 20}, {prefix: "sqa_", least: 20}, {prefix: "AKCp", least: 20}, {prefix: "cmVmdGtuOj", least: 16}, {prefix: "pnu_", least: 30}, {prefix: "pul-", least: 20},

	// Clouds and hosting.
	{prefix: "AKIA", least: 16, set: upperCase}, {prefix: "ASIA", least: 16, set: upperCase}, {prefix: "ABIA", least: 16, set: upperCase}, {prefix: "ACCA", least: 16, set: upperCase},
	{prefix: "IQoJb3JpZ2lu", least: 4}, {prefix: "FwoGZXIvYXdz", least: 4}, {prefix: "FQoGZXIvYXdz", least: 4}, {prefix: "amzn.mws.", least: 20}, {prefix: "amzn1.oa2-cs.", least: 20, set: dottedBytes}, {prefix: "ABSK", least: 40},
	{prefix: "AIza", least: 30}, {prefix: "ya29.", least: 16}, {prefix: "GOCSPX-", least: 16}, {prefix: "LTAI", least: 12, set: alnum},
	{prefix: "dop_v1_", least: 20}, {prefix: "doo_v1_", least: 20}, {prefix: "dor_v1_", least: 20}, {prefix: "HRKU-", least: 20}, {prefix: "fo1_", least: 30}, {prefix: "fm1_", least: 30}, {prefix: "fm2_", least: 30},
	{prefix: "sbp_", least: 20}, {prefix: "sb_secret_", least: 16}, {prefix: "nfp_", least: 20}, {prefix: "vcp_", least: 20}, {prefix: "pscale_tkn_", least: 20}, {prefix: "pscale_oauth_", least: 20}, {prefix: "pscale_pw_", least: 20},
	{prefix: "hvs.", least: 20}, {prefix: "hvb.", least: 20}, {prefix: "hvr.", least: 20}, {prefix: "s.", least: 24, set: alnum, exact: true, whole: true}, {prefix: "dapi", least: 32, set: hexBytes}, {prefix: "dose", least: 32, set: hexBytes},
	{prefix: "dp.pt.", least: 30}, {prefix: "dp.st.", least: 30}, {prefix: "dp.ct.", least: 30}, {prefix: "tskey-", least: 16}, {prefix: "dnkey-", least: 20}, {prefix: "t1.", least: 60, set: dottedBytes}, {prefix: "AQVN", least: 35},
	{prefix: "dt0c01.", least: 20, set: dottedBytes}, {prefix: "dt0s16.", least: 20, set: dottedBytes}, {prefix: "NRAK-", least: 16}, {prefix: "NRJS-", least: 16}, {prefix: "NRII-", least: 16}, {prefix: "glsa_", least: 16}, {prefix: "glc_", least: 16}, {prefix: "eyJrIjoi", least: 30, set: alnum},
	{prefix: "sntrys_", least: 16}, {prefix: "sntryu_", least: 16}, {prefix: "phx_", least: 20}, {prefix: "phs_", least: 30}, {prefix: "sdk-", least: 36, whole: true}, {prefix: "api-", least: 36, whole: true},

	// Identity and secrets.
	{prefix: "okta_", least: 30}, {prefix: "00", least: 40, exact: true, whole: true}, {prefix: "ops_eyJ", least: 20}, {prefix: "AGE-SECRET-KEY-", least: 16}, {prefix: "A3-", least: 30, whole: true},
	{prefix: "MDAxY2xvY2F0aW9u", least: 20}, {prefix: "TGT-", least: 20}, {prefix: "PGT-", least: 20}, {prefix: "ST-", least: 20, whole: true}, {prefix: "p8e-", least: 30}, {prefix: "st.", least: 60, set: dottedBytes, whole: true},

	// Messages and mail.
	{prefix: "xoxb-", least: 10}, {prefix: "xoxp-", least: 10}, {prefix: "xoxa-", least: 10}, {prefix: "xoxs-", least: 10}, {prefix: "xoxr-", least: 10}, {prefix: "xoxe-", least: 10}, {prefix: "xoxc-", least: 10}, {prefix: "xoxd-", least: 10},
	{prefix: "xapp-", least: 10, set: dottedBytes}, {prefix: "xoxe.xox", least: 10}, {prefix: "SG.", least: 20, set: dottedBytes}, {prefix: "key-", least: 32, set: hexBytes}, {prefix: "xkeysib-", least: 30}, {prefix: "xsmtpsib-", least: 30},
	{prefix: "SK", least: 32, set: hexBytes, exact: true}, {prefix: "EAACEdEose0cBA", least: 8}, {prefix: "EAA", least: 60, set: alnum, whole: true}, {prefix: "IGQV", least: 60}, {prefix: "AAAAAAAAAAAAAAAAAAAAA", least: 30},

	// Payments and shops.
	{prefix: "sk_live_", least: 10}, {prefix: "sk_test_", least: 10}, {prefix: "rk_live_", least: 10}, {prefix: "rk_test_", least: 10}, {prefix: "whsec_", least: 16}, {prefix: "live_", least: 30},
	{prefix: "shpat_", least: 16}, {prefix: "shpca_", least: 16}, {prefix: "shppa_", least: 16}, {prefix: "shpss_", least: 16}, {prefix: "sq0atp-", least: 16}, {prefix: "sq0csp-", least: 16}, {prefix: "EAAAE", least: 50},
	{prefix: "access_token$production$", least: 16}, {prefix: "EZAK", least: 30}, {prefix: "EZTK", least: 30}, {prefix: "FLWSECK", least: 16}, {prefix: "shippo_", least: 16}, {prefix: "duffel_", least: 16}, {prefix: "access-production-", least: 30}, {prefix: "access-sandbox-", least: 30},

	// Documents, planning and design.
	{prefix: "secret_", least: 30}, {prefix: "ntn_", least: 30}, {prefix: "lin_api_", least: 16}, {prefix: "lin_oauth_", least: 16}, {prefix: "figd_", least: 16}, {prefix: "figu_", least: 16}, {prefix: "figoh_", least: 16},
	{prefix: "sl.", least: 60, set: dottedBytes}, {prefix: "PMAK-", least: 20}, {prefix: "tfp_", least: 30}, {prefix: "CFPAT-", least: 30}, {prefix: "rdme_", least: 20}, {prefix: "patch_", least: 30}, {prefix: "pat-na1-", least: 30}, {prefix: "pat-eu1-", least: 30},
	{prefix: "NAPI", least: 30}, {prefix: "sk.eyJ", least: 20, set: dottedBytes}, {prefix: "tk.eyJ", least: 20, set: dottedBytes}, {prefix: "sm_aat_", least: 16}, {prefix: "sm_pat_", least: 16}, {prefix: "API-", least: 26, set: upperCase, whole: true},

	// Models.
	{prefix: "sk-", least: 20}, {prefix: "hf_", least: 20}, {prefix: "api_org_", least: 30}, {prefix: "gsk_", least: 20}, {prefix: "r8_", least: 20}, {prefix: "xai-", least: 40}, {prefix: "pplx-", least: 32}, {prefix: "pcsk_", least: 30},
}

// Lists are the lists that the judge goes by, for documentation and commands.
type Lists struct {
	Anywhere       []string `json:"anywhere"`        // words that mark a name wherever they stand in it
	Last           []string `json:"last"`            // that mark a name at its end
	Whole          []string `json:"whole"`           // that mark a name that they are, some of them also as its last word
	Except         []string `json:"except"`          // names, unless the value is plain
	ByShape        []string `json:"by_shape"`        // names if the value looks like a credential, with how
	Fields         []string `json:"fields"`          // words that mark a header field, in addition
	Forgery        []string `json:"forgery"`         // words of names that are not credentials
	HarmlessTokens []string `json:"harmless_tokens"` // words before token that make it harmless
	Schemes        []string `json:"schemes"`         // of HTTP authentication, in values
	KeyPrefixes    []string `json:"key_prefixes"`    // of the keys of known issuers
	Structure      []string `json:"structure"`       // what else a value is judged by
}

// Judged returns the lists.
func Judged() Lists {
	l := Lists{
		Anywhere: append([]string{"token"}, anywhereWords...), Last: lastWords, Except: plainExcept, Fields: fieldWords,
		Whole:   append(append([]string{}, wholeWords...), wholeNames...),
		Forgery: append(append(append([]string{}, forgeryWords...), forgeryNames...), cakeToken), HarmlessTokens: harmlessTokens,
		Schemes: schemes, Structure: structures,
	}
	for _, b := range byShape {
		l.ByShape = append(l.ByShape, b.name+": "+b.shape)
	}
	for i := range keyFormats {
		l.KeyPrefixes = append(l.KeyPrefixes, keyFormats[i].prefix)
	}
	return l
}

// structures say what else is judged by its structure.
var structures = []string{
	"JWT (signed or encrypted)", "PASETO", "SAML assertion in base64", "SPNEGO, Kerberos or NTLM in base64", "private key in PEM", "user and password in a URL",
	"key of a Telegram bot", "session or ticket of ASP.NET in a path, as in (S(…))", "client secret of Microsoft Entra",
	"what a framework seals as it seals sessions: Django, itsdangerous (Flask), Rails, Laravel, Express, ASP.NET, Fernet, WordPress",
	"name=value with the name of a credential, alone or in a list",
}
