package apps

import (
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

const (
	rtServer   = "/usr/share/request-tracker5/libexec/rt-server"
	rtDatabase = "/var/lib/dbconfig-common/sqlite3/request-tracker5/rtdb"
)

type requestTracker struct{ p *place }

// StartRequestTracker starts Request Tracker on a copy of the empty SQLite
// database that Debian's package made. It needs root, as that file does.
func StartRequestTracker(t testing.TB, public string) *App {
	t.Helper()
	need(t, "request-tracker5 rt5-db-sqlite rt5-standalone", rtServer)
	empty, err := os.ReadFile(rtDatabase)
	if err != nil {
		missing(t, "request tracker's database cannot be copied (run as root, install rt5-db-sqlite): "+err.Error())
	}
	u, err := url.Parse(public)
	if err != nil {
		t.Fatal(err)
	}
	p := newPlace(t, "rt", "www-data")
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	for _, f := range []struct {
		name, text string
		mode       os.FileMode
	}{
		{"rtdb", string(empty), 0o600},
		{"RT_SiteConfig.pm", strings.NewReplacer("DIR", p.dir, "PUBLIC", strings.TrimSuffix(public, "/"), "HOST", u.Hostname(), "PORT", port).Replace(rtConfig), 0o600},
		{"sendmail", "#!/bin/sh\ncat >/dev/null\n", 0o700},
		{"sessions/.keep", "", 0o600},
		{"conf.d/.keep", "", 0o600},
	} {
		if err := p.write(f.name, f.text, f.mode); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.own(); err != nil {
		t.Fatal(err)
	}
	p.env = []string{"RT_SITE_CONFIG=" + p.path("RT_SiteConfig.pm"), "RT_SITE_CONFIG_DIR=" + p.path("conf.d")}
	rt := &requestTracker{p}
	admin := Login{"root", "Adm1n-of-the-tracker"}
	if _, err := rt.perl(rtSetPassword, admin.User, admin.Password); err != nil {
		t.Fatal(err)
	}
	at := freePort(t)
	p.start(t, listening("tcp", "127.0.0.1:"+at), rtServer, "--host", "127.0.0.1", "--port", at, "--max-workers", "4")
	return newApp(t, "requesttracker", public, "http://127.0.0.1:"+at, admin, rt)
}

const rtConfig = `Set($rtname, 'HOST'); Set($Organization, 'HOST');
Set($WebPath, ''); Set($WebBaseURL, 'PUBLIC'); Set($WebDomain, 'HOST'); Set($WebPort, PORT); Set($CanonicalizeRedirectURLs, 1);
Set($DatabaseType, 'SQLite'); Set($DatabaseName, 'DIR/rtdb'); Set($DatabaseUser, ''); Set($DatabasePassword, '');
Set($LogToFile, undef); Set($LogToSyslog, undef); Set($LogToSTDERR, 'warning'); Set($Timezone, 'UTC');
Set(%WebSessionProperties, Directory => 'DIR/sessions', LockDirectory => 'DIR/sessions', Transaction => 1);
Set($MailCommand, 'sendmailpipe'); Set($SendmailPath, 'DIR/sendmail');
1;
`

const rtInit = `use strict; use lib '/usr/share/request-tracker5/lib'; use RT -init; my $u = RT::User->new(RT->SystemUser);
sub check { my ($ok, $msg) = @_; die "$msg\n" unless $ok; }
`

const rtSetPassword = rtInit + `my ($name, $pw) = @ARGV; check($u->Load($name)); check($u->SetPassword($pw));`

const rtAddUser = rtInit + `my ($name, $pw) = @ARGV;
check($u->Create(Name => $name, Password => $pw, EmailAddress => "$name\@acme.test", Privileged => 1));
my $q = RT::Queue->new(RT->SystemUser); check($q->Load('General'));
for my $r (qw(SeeQueue ShowTicket ShowTicketComments CreateTicket ReplyToTicket CommentOnTicket ModifyTicket OwnTicket)) {
    check($u->PrincipalObj->GrantRight(Right => $r, Object => $q));
}
check($u->PrincipalObj->GrantRight(Right => 'ModifySelf', Object => RT->System));`

const rtHistory = rtInit + `use JSON; my $all = RT::Transactions->new(RT->SystemUser);
$all->Limit(FIELD => 'ObjectType', VALUE => 'RT::Ticket'); $all->OrderBy(FIELD => 'id', ORDER => 'ASC');
my @out;
while (my $x = $all->Next) {
    my $content = $x->ContentObj ? $x->Content(Type => 'text/plain') : '';
    push @out, { User => $x->CreatorObj->Name, Time => $x->CreatedObj->W3CDTF(Timezone => 'UTC'), Title => 'ticket/' . $x->ObjectId,
        Kind => $x->Type, Comment => $content };
}
binmode STDOUT; print JSON->new->utf8->encode(\@out);`

// perl runs a program of RT's own library.
func (rt *requestTracker) perl(program string, args ...string) (string, error) {
	return rt.p.run("", "perl", append([]string{"-e", program}, args...)...)
}

func (rt *requestTracker) addUser(name, password string) error {
	_, err := rt.perl(rtAddUser, name, password)
	return err
}

func (rt *requestTracker) login(j *jar, l Login) error {
	_, page, err := j.get("/")
	if err != nil {
		return err
	}
	// Without next from the form, RT answers 200 to a right password too.
	status, _, err := j.post("/NoAuth/Login.html", url.Values{"user": {l.User}, "pass": {l.Password}, "next": {field(page, "next")}})
	if err == nil && status != 302 {
		err = fmt.Errorf("%w (status %d)", errLogin, status)
	}
	return err
}

func (rt *requestTracker) history() ([]Change, error) {
	text, err := rt.perl(rtHistory)
	if err != nil {
		return nil, err
	}
	var all []struct{ User, Time, Title, Kind, Comment string }
	if err := json.Unmarshal([]byte(text), &all); err != nil {
		return nil, fmt.Errorf("%w: %.300s", err, text)
	}
	var out []Change
	for _, c := range all {
		at, err := time.Parse(time.RFC3339, c.Time)
		if err != nil {
			return nil, err
		}
		out = append(out, Change{c.User, at, c.Title, c.Kind, strings.TrimSpace(c.Comment)})
	}
	return out, nil
}

// killSessions leaves the locks, which a request may hold now.
func (rt *requestTracker) killSessions() error {
	files, err := filepath.Glob(rt.p.path("sessions", strings.Repeat("?", 32)))
	for _, f := range files {
		if _, bad := strconv.ParseUint(filepath.Base(f)[:16], 16, 64); bad == nil {
			os.Remove(f)
		}
	}
	return err
}
