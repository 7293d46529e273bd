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

type dokuwiki struct{ workspace *workspace }

// StartDokuWiki starts DokuWiki, which keeps everything in files. Pages can be
// read only after a login.
func StartDokuWiki(t testing.TB, publicURL string) *App {
	t.Helper()
	requireFiles(t, "dokuwiki php-cli php-xml", "php", dokuwikiPath+"/doku.php")

	w := newWorkspace(t, "dokuwiki", "www-data")
	d := &dokuwiki{w}
	admin := Login{"admin", "Adm1n-of-the-pages"}
	if err := d.install(publicURL, admin); err != nil {
		t.Fatal(err)
	}

	w.env = []string{"PHP_CLI_SERVER_WORKERS=4"}
	addr := "127.0.0.1:" + freePort(t)
	w.start(t, acceptsConnections("tcp", addr), "php",
		"-d", "opcache.lockfile_path="+w.dir,
		"-d", "auto_prepend_file="+w.path("prepend.php"),
		"-d", "session.save_path="+w.path("sessions"),
		"-S", addr, "-t", dokuwikiPath)
	return newApp(t, "dokuwiki", publicURL, "http://"+addr, admin, d)
}

// install creates data folders and a configuration in the workspace. Settings
// come from the package, but users, permissions and local.php do not.
func (d *dokuwiki) install(publicURL string, admin Login) error {
	for _, dir := range []string{
		"sessions", "data/attic", "data/cache", "data/index", "data/locks", "data/log", "data/media", "data/media_attic",
		"data/media_meta", "data/meta", "data/pages", "data/tmp",
	} {
		if err := os.MkdirAll(d.workspace.path(dir), 0o755); err != nil {
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
			continue
		}
		if err := d.workspace.writeFile("conf/"+filepath.Base(path), string(text), 0o644); err != nil {
			return err
		}
	}

	conf := d.workspace.path("conf") + "/"
	for name, text := range map[string]string{
		"prepend.php": fmt.Sprintf("<?php define('DOKU_MAIN_CONF', '%s'); define('DOKU_CONF', '%s'); define('DOKU_LOCAL', '%s');\n", conf, conf, conf),
		"conf/local.php": fmt.Sprintf("<?php\n$conf['title'] = 'Pages';\n$conf['useacl'] = 1;\n$conf['superuser'] = '@admin';\n"+
			"$conf['savedir'] = '%s';\n$conf['baseurl'] = '%s';\n$conf['disableactions'] = 'register,resendpwd';\n", d.workspace.path("data"), publicURL),
		"conf/acl.auth.php":   "# acl.auth.php\n# <?php exit()?>\n*\t@ALL\t0\n*\t@user\t8\n",
		"conf/users.auth.php": "# users.auth.php\n# <?php exit()?>\n",
	} {
		if err := d.workspace.writeFile(name, text, 0o644); err != nil {
			return err
		}
	}

	if err := d.workspace.chownAll(); err != nil {
		return err
	}
	return d.setUser(admin.User, admin.Password, "admin,user")
}

func (d *dokuwiki) addUser(name, password string) error {
	return d.setUser(name, password, "user")
}

// setUser adds or replaces a line of users.auth.php. DokuWiki has user names in
// lower case only.
func (d *dokuwiki) setUser(name, password, groups string) error {
	name = strings.ToLower(name)
	hash, err := d.workspace.run(password, "php", "-r", "echo password_hash(stream_get_contents(STDIN), PASSWORD_BCRYPT, ['cost' => 5]);")
	if err != nil {
		return err
	}

	path := d.workspace.path("conf", "users.auth.php")
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	others := slices.DeleteFunc(strings.SplitAfter(string(text), "\n"), func(line string) bool {
		return strings.HasPrefix(line, name+":")
	})
	line := fmt.Sprintf("%s:%s:%s:%s@acme.test:%s\n", name, hash, name, name, groups)
	return os.WriteFile(path, []byte(strings.Join(others, "")+line), 0o644)
}

func (d *dokuwiki) login(b *browser, l Login) error {
	_, page, err := b.get("/doku.php?do=login")
	if err != nil {
		return err
	}

	status, _, err := b.post("/doku.php?do=login", url.Values{
		"sectok": {formField(page, "sectok")}, "id": {"start"}, "do": {"login"},
		"u": {strings.ToLower(l.User)}, "p": {l.Password},
	})
	if err == nil && (status != 302 || !b.hasCookie("DW")) {
		err = fmt.Errorf("%w (status %d)", errLogin, status)
	}
	return err
}

// history reads the change log of every page. A line has the fields time,
// address, kind, page, user and summary, separated by tabs.
func (d *dokuwiki) history() ([]Change, error) {
	var changes []Change
	err := filepath.WalkDir(d.workspace.path("data", "meta"), func(path string, e fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".changes") || strings.HasPrefix(e.Name(), "_") {
			return err
		}

		text, err := os.ReadFile(path)
		for line := range strings.Lines(string(text)) {
			fields := strings.Split(line, "\t")
			if len(fields) < 6 {
				return fmt.Errorf("%s: a line has %d fields, want 6: %q", path, len(fields), line)
			}
			seconds, err := strconv.ParseInt(fields[0], 10, 64)
			if err != nil {
				return err
			}
			changes = append(changes, Change{
				User: fields[4], Time: time.Unix(seconds, 0), Title: fields[3], Kind: fields[2], Comment: fields[5],
			})
		}
		return err
	})

	slices.SortStableFunc(changes, func(a, b Change) int { return a.Time.Compare(b.Time) })
	return changes, err
}

// killSessions also removes the salts that encrypt the login cookie. With that
// cookie a browser that lost its session would get a new one.
func (d *dokuwiki) killSessions() error {
	files, err := filepath.Glob(d.workspace.path("sessions", "sess_*"))
	files = append(files,
		d.workspace.path("data", "meta", "_htcookiesalt"),
		d.workspace.path("data", "meta", "_htcookiesalt2"))
	for _, f := range files {
		if e := os.Remove(f); e != nil && !os.IsNotExist(e) {
			err = e
		}
	}
	return err
}
