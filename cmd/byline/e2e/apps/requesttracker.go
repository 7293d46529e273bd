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

type requestTracker struct{ workspace *workspace }

// StartRequestTracker starts Request Tracker on a copy of the empty SQLite
// database that the Debian package creates. Only root can read that database.
func StartRequestTracker(t testing.TB, publicURL string) *App {
	t.Helper()
	requireFiles(t, "request-tracker5 rt5-db-sqlite rt5-standalone", rtServer)

	w := newWorkspace(t, "rt", "www-data")
	if err := installRequestTracker(t, w, publicURL); err != nil {
		t.Fatal(err)
	}
	w.env = []string{"RT_SITE_CONFIG=" + w.path("RT_SiteConfig.pm"), "RT_SITE_CONFIG_DIR=" + w.path("conf.d")}

	rt := &requestTracker{w}
	admin := Login{"root", "Adm1n-of-the-tracker"}
	if _, err := rt.runPerl(rtSetPassword, admin.User, admin.Password); err != nil {
		t.Fatal(err)
	}

	port := freePort(t)
	w.start(t, acceptsConnections("tcp", "127.0.0.1:"+port), rtServer, "--host", "127.0.0.1", "--port", port, "--max-workers", "4")
	return newApp(t, "requesttracker", publicURL, "http://127.0.0.1:"+port, admin, rt)
}

// installRequestTracker writes the database, the configuration and a sendmail
// that discards its input.
func installRequestTracker(t testing.TB, w *workspace, publicURL string) error {
	t.Helper()

	database, err := os.ReadFile(rtDatabase)
	if err != nil {
		skipOrFail(t, "cannot copy the database of Request Tracker (run as root, install rt5-db-sqlite): "+err.Error())
	}
	public, err := url.Parse(publicURL)
	if err != nil {
		return err
	}
	port := public.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[public.Scheme]
	}
	config := strings.NewReplacer("DIR", w.dir, "PUBLIC", strings.TrimSuffix(publicURL, "/"), "HOST", public.Hostname(), "PORT", port).Replace(rtConfig)

	for _, f := range []struct {
		name, text string
		mode       os.FileMode
	}{
		{"rtdb", string(database), 0o600},
		{"RT_SiteConfig.pm", config, 0o600},
		{"sendmail", "#!/bin/sh\ncat >/dev/null\n", 0o700},
		{"sessions/.keep", "", 0o600},
		{"conf.d/.keep", "", 0o600},
	} {
		if err := w.writeFile(f.name, f.text, f.mode); err != nil {
			return err
		}
	}
	return w.chownAll()
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

// runPerl runs a program that uses Request Tracker's own library.
func (rt *requestTracker) runPerl(program string, args ...string) (string, error) {
	return rt.workspace.run("", "perl", append([]string{"-e", program}, args...)...)
}

func (rt *requestTracker) addUser(name, password string) error {
	_, err := rt.runPerl(rtAddUser, name, password)
	return err
}

func (rt *requestTracker) login(b *browser, l Login) error {
	_, page, err := b.get("/")
	if err != nil {
		return err
	}

	// Without the form's field next, RT answers 200 to a right password too.
	next := formField(page, "next")
	status, _, err := b.post("/NoAuth/Login.html", url.Values{"user": {l.User}, "pass": {l.Password}, "next": {next}})
	if err == nil && status != 302 {
		err = fmt.Errorf("%w (status %d)", errLogin, status)
	}
	return err
}

func (rt *requestTracker) history() ([]Change, error) {
	text, err := rt.runPerl(rtHistory)
	if err != nil {
		return nil, err
	}
	var transactions []struct{ User, Time, Title, Kind, Comment string }
	if err := json.Unmarshal([]byte(text), &transactions); err != nil {
		return nil, fmt.Errorf("%w: %.300s", err, text)
	}

	var changes []Change
	for _, x := range transactions {
		created, err := time.Parse(time.RFC3339, x.Time)
		if err != nil {
			return nil, err
		}
		changes = append(changes, Change{x.User, created, x.Title, x.Kind, strings.TrimSpace(x.Comment)})
	}
	return changes, nil
}

// killSessions removes the session files. It leaves the lock files next to
// them, which a running request may hold.
func (rt *requestTracker) killSessions() error {
	files, err := filepath.Glob(rt.workspace.path("sessions", strings.Repeat("?", 32)))
	for _, f := range files {
		if _, notHex := strconv.ParseUint(filepath.Base(f)[:16], 16, 64); notHex == nil {
			os.Remove(f)
		}
	}
	return err
}
