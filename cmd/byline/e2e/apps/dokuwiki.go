package apps

import (
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

const dokuwikiPath = "/usr/share/dokuwiki"

type dokuwiki struct{ p *place }

// StartDokuWiki starts DokuWiki, which keeps everything in files. Nobody reads
// it without a login.
func StartDokuWiki(t testing.TB, public string) *App {
	t.Helper()
	need(t, "dokuwiki php-cli php-xml", "php", dokuwikiPath+"/doku.php")
	d := &dokuwiki{newPlace(t, "dokuwiki", "www-data")}
	admin := Login{"admin", "Adm1n-of-the-pages"}
	if err := d.lay(public, admin); err != nil {
		t.Fatal(err)
	}
	d.p.env = []string{"PHP_CLI_SERVER_WORKERS=4"}
	addr := "127.0.0.1:" + freePort(t)
	d.p.start(t, listening("tcp", addr), "php", "-d", "opcache.lockfile_path="+d.p.dir, "-d", "auto_prepend_file="+d.p.path("prepend.php"),
		"-d", "session.save_path="+d.p.path("sessions"), "-S", addr, "-t", dokuwikiPath)
	return newApp(t, "dokuwiki", public, "http://"+addr, admin, d)
}

// lay makes an installation of its own out of the package's settings.
func (d *dokuwiki) lay(public string, admin Login) error {
	for _, dir := range []string{"sessions", "data/attic", "data/cache", "data/index", "data/locks", "data/log", "data/media", "data/media_attic",
		"data/media_meta", "data/meta", "data/pages", "data/tmp"} {
		if err := os.MkdirAll(d.p.path(dir), 0o755); err != nil {
			return err
		}
	}
	settings, err := filepath.Glob("/etc/dokuwiki/*")
	if err != nil {
		return err
	}
	for _, path := range settings {
		text, err := os.ReadFile(path)
		if err != nil || strings.HasSuffix(path, ".auth.php") || strings.HasSuffix(path, "/local.php") {
			continue // those are this installation's own
		}
		if err := d.p.write("conf/"+filepath.Base(path), string(text), 0o644); err != nil {
			return err
		}
	}
	conf := d.p.path("conf") + "/"
	for name, text := range map[string]string{
		"prepend.php": fmt.Sprintf("<?php define('DOKU_MAIN_CONF', '%s'); define('DOKU_CONF', '%s'); define('DOKU_LOCAL', '%s');\n", conf, conf, conf),
		"conf/local.php": fmt.Sprintf("<?php\n$conf['title'] = 'Pages';\n$conf['useacl'] = 1;\n$conf['superuser'] = '@admin';\n"+
			"$conf['savedir'] = '%s';\n$conf['baseurl'] = '%s';\n$conf['disableactions'] = 'register,resendpwd';\n", d.p.path("data"), public),
		"conf/acl.auth.php":   "# acl.auth.php\n# <?php exit()?>\n*\t@ALL\t0\n*\t@user\t8\n",
		"conf/users.auth.php": "# users.auth.php\n# <?php exit()?>\n",
	} {
		if err := d.p.write(name, text, 0o644); err != nil {
			return err
		}
	}
	if err := d.p.own(); err != nil {
		return err
	}
	return d.enlist(admin.User, admin.Password, "admin,user")
}

func (d *dokuwiki) addUser(name, password string) error { return d.enlist(name, password, "user") }

// enlist writes a line of users.auth.php. Names have no case there.
func (d *dokuwiki) enlist(name, password, groups string) error {
	name = strings.ToLower(name)
	hash, err := d.p.run(password, "php", "-r", "echo password_hash(stream_get_contents(STDIN), PASSWORD_BCRYPT, ['cost' => 5]);")
	if err != nil {
		return err
	}
	path := d.p.path("conf", "users.auth.php")
	have, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	kept := slices.DeleteFunc(strings.SplitAfter(string(have), "\n"), func(line string) bool { return strings.HasPrefix(line, name+":") })
	line := fmt.Sprintf("%s:%s:%s:%s@acme.test:%s\n", name, hash, name, name, groups)
	return os.WriteFile(path, []byte(strings.Join(kept, "")+line), 0o644)
}

func (d *dokuwiki) login(j *jar, l Login) error {
	_, page, err := j.get("/doku.php?do=login")
	if err != nil {
		return err
	}
	status, _, err := j.post("/doku.php?do=login", url.Values{"sectok": {field(page, "sectok")}, "id": {"start"}, "do": {"login"}, "u": {strings.ToLower(l.User)}, "p": {l.Password}})
	if err == nil && (status != 302 || !j.has("DW")) {
		err = fmt.Errorf("%w (status %d)", errLogin, status)
	}
	return err
}

// history reads the changes of every page: time, address, kind, page, user,
// summary, with tabs between them.
func (d *dokuwiki) history() ([]Change, error) {
	var out []Change
	err := filepath.WalkDir(d.p.path("data", "meta"), func(path string, e fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".changes") || strings.HasPrefix(e.Name(), "_") {
			return err
		}
		text, err := os.ReadFile(path)
		for line := range strings.Lines(string(text)) {
			f := strings.Split(line, "\t")
			if len(f) < 6 {
				return fmt.Errorf("%s: %q", path, line)
			}
			at, err := strconv.ParseInt(f[0], 10, 64)
			if err != nil {
				return err
			}
			out = append(out, Change{User: f[4], Time: time.Unix(at, 0), Title: f[3], Kind: f[2], Comment: f[5]})
		}
		return err
	})
	slices.SortStableFunc(out, func(a, b Change) int { return a.Time.Compare(b.Time) })
	return out, err
}

// killSessions changes the key of the cookie, too, with which a browser that
// has lost its session gets a new one.
func (d *dokuwiki) killSessions() error {
	files, err := filepath.Glob(d.p.path("sessions", "sess_*"))
	for _, f := range append(files, d.p.path("data", "meta", "_htcookiesalt"), d.p.path("data", "meta", "_htcookiesalt2")) {
		if e := os.Remove(f); e != nil && !os.IsNotExist(e) {
			err = e
		}
	}
	return err
}
