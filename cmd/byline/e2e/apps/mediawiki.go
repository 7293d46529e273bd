package apps

import (
	"encoding/json"
	"fmt"
	"html"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

const mediawikiPath = "/usr/share/mediawiki"

type mediawiki struct {
	p      *place
	at     string
	public string
}

// StartMediaWiki starts MediaWiki on SQLite, with eight workers. public is
// what it takes for its own address, as https://wiki.acme.test.
func StartMediaWiki(t testing.TB, public string) *App {
	t.Helper()
	need(t, "mediawiki php-cli php-sqlite3", "php", mediawikiPath+"/maintenance/install.php")
	p := newPlace(t, "mediawiki", "www-data")
	admin := Login{"Admin", "Adm1n-of-the-wiki"}
	if err := installMediaWiki(p, public, admin); err != nil {
		t.Fatal(err)
	}
	p.env = []string{"MW_CONFIG_FILE=" + p.path("LocalSettings.php"), "PHP_CLI_SERVER_WORKERS=8"}
	addr := "127.0.0.1:" + freePort(t)
	p.start(t, listening("tcp", addr), "php", "-d", "opcache.lockfile_path="+p.dir, "-S", addr, "-t", "/var/lib/mediawiki")
	return newApp(t, "mediawiki", public, "http://"+addr, admin, &mediawiki{p, "http://" + addr, public})
}

// The first installation in a process is kept in memory: about 1 MB.
const (
	templateDir    = "/byline-template-folder"
	templatePublic = "https://byline-template.test"
)

var mediawikiTemplate = struct {
	sync.Mutex
	files map[string][]byte
}{}

// extraSettings let tests edit as often as they like.
const extraSettings = "\n$wgRateLimits = [];\n$wgShowExceptionDetails = true;\n"

func installMediaWiki(p *place, public string, admin Login) error {
	mediawikiTemplate.Lock()
	defer mediawikiTemplate.Unlock()
	if mediawikiTemplate.files == nil {
		_, err := p.run("", "php", mediawikiPath+"/maintenance/install.php", "--dbtype", "sqlite", "--dbpath", p.path("db"),
			"--dbname", "wiki", "--server", templatePublic, "--scriptpath", "", "--pass", admin.Password, "--confpath", p.dir, "Wiki", admin.User)
		if err != nil {
			return err
		}
		files := map[string][]byte{}
		err = filepath.WalkDir(p.dir, func(path string, d fs.DirEntry, err error) error {
			if err != nil || !d.Type().IsRegular() {
				return err
			}
			name, _ := filepath.Rel(p.dir, path)
			files[name], err = os.ReadFile(path)
			return err
		})
		if err != nil {
			return err
		}
		settings := strings.ReplaceAll(string(files["LocalSettings.php"]), p.dir, templateDir)
		files["LocalSettings.php"] = []byte(settings + extraSettings)
		mediawikiTemplate.files = files
	}
	for name, text := range mediawikiTemplate.files {
		if name == "LocalSettings.php" {
			text = []byte(strings.NewReplacer(templateDir, p.dir, templatePublic, public).Replace(string(text)))
		}
		if err := p.write(name, string(text), 0o600); err != nil {
			return err
		}
	}
	return p.own()
}

func (m *mediawiki) addUser(name, password string) error {
	_, err := m.p.run("", "php", mediawikiPath+"/maintenance/createAndPromote.php", "--force", name, password)
	return err
}

func (m *mediawiki) login(j *jar, l Login) error {
	const path = "/index.php?title=Special:UserLogin"
	_, page, err := j.get(path)
	if err != nil {
		return err
	}
	token := html.UnescapeString(field(page, "wpLoginToken"))
	status, _, err := j.post(path, url.Values{"wpName": {l.User}, "wpPassword": {l.Password}, "wpLoginToken": {token},
		"wpEditToken": {"+\\"}, "authAction": {"login"}})
	if err == nil && (status != 302 || !j.has("UserID")) {
		err = fmt.Errorf("%w (status %d)", errLogin, status)
	}
	return err
}

func (m *mediawiki) history() ([]Change, error) {
	j := newJar(m.at, m.public)
	_, text, err := j.get("/api.php?action=query&format=json&list=recentchanges&rcprop=user|timestamp|title|comment&rclimit=500&rctype=edit|new|log")
	if err != nil {
		return nil, err
	}
	var answer struct {
		Query struct {
			RecentChanges []struct {
				Type, User, Title, Comment string
				Timestamp                  time.Time
			}
		}
	}
	if err := json.Unmarshal([]byte(text), &answer); err != nil {
		return nil, fmt.Errorf("%w: %.300s", err, text)
	}
	var out []Change
	for _, c := range slices.Backward(answer.Query.RecentChanges) {
		out = append(out, Change{User: c.User, Time: c.Timestamp, Title: c.Title, Kind: c.Type, Comment: c.Comment})
	}
	return out, nil
}

const killMediaWiki = `$db = new PDO('sqlite:' . $argv[1]); $db->setAttribute(PDO::ATTR_ERRMODE, PDO::ERRMODE_EXCEPTION);
$db->exec('PRAGMA busy_timeout = 10000'); echo $db->exec("DELETE FROM objectcache WHERE keyname LIKE '%MWSession%'");`

func (m *mediawiki) killSessions() error {
	_, err := m.p.run("", "php", "-r", killMediaWiki, m.p.path("db", "wikicache.sqlite"))
	return err
}
