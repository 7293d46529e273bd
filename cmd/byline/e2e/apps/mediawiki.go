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
	workspace *workspace
	baseURL   string
	publicURL string
}

// StartMediaWiki starts MediaWiki on SQLite with eight workers.
func StartMediaWiki(t testing.TB, publicURL string) *App {
	t.Helper()
	requireFiles(t, "mediawiki php-cli php-sqlite3", "php", mediawikiPath+"/maintenance/install.php")

	w := newWorkspace(t, "mediawiki", "www-data")
	admin := Login{"Admin", "Adm1n-of-the-wiki"}
	if err := installMediaWiki(w, publicURL, admin); err != nil {
		t.Fatal(err)
	}

	w.env = []string{"MW_CONFIG_FILE=" + w.path("LocalSettings.php"), "PHP_CLI_SERVER_WORKERS=8"}
	addr := "127.0.0.1:" + freePort(t)
	w.start(t, acceptsConnections("tcp", addr), "php", "-d", "opcache.lockfile_path="+w.dir, "-S", addr, "-t", "/var/lib/mediawiki")
	return newApp(t, "mediawiki", publicURL, "http://"+addr, admin, &mediawiki{w, "http://" + addr, publicURL})
}

// mediawikiTemplate holds the files of the first installation in this process,
// about 1 MB. Later installations are copies with other paths and addresses.
var mediawikiTemplate = struct {
	sync.Mutex
	files map[string][]byte // by path; nil until the first installation
}{}

// Placeholders in the template's LocalSettings.php.
const (
	templateDir    = "/byline-template-folder"
	templatePublic = "https://byline-template.test"
)

// extraMediaWikiSettings removes the limit on how often a user may edit.
const extraMediaWikiSettings = "\n$wgRateLimits = [];\n$wgShowExceptionDetails = true;\n"

func installMediaWiki(w *workspace, publicURL string, admin Login) error {
	mediawikiTemplate.Lock()
	defer mediawikiTemplate.Unlock()

	if mediawikiTemplate.files == nil {
		files, err := makeMediaWikiTemplate(w, admin)
		if err != nil {
			return err
		}
		mediawikiTemplate.files = files
	}

	for name, text := range mediawikiTemplate.files {
		if name == "LocalSettings.php" {
			text = []byte(strings.NewReplacer(templateDir, w.dir, templatePublic, publicURL).Replace(string(text)))
		}
		if err := w.writeFile(name, string(text), 0o600); err != nil {
			return err
		}
	}
	return w.chownAll()
}

// makeMediaWikiTemplate runs MediaWiki's installer in the workspace and returns
// the files that it wrote.
func makeMediaWikiTemplate(w *workspace, admin Login) (map[string][]byte, error) {
	_, err := w.run("", "php", mediawikiPath+"/maintenance/install.php", "--dbtype", "sqlite", "--dbpath", w.path("db"),
		"--dbname", "wiki", "--server", templatePublic, "--scriptpath", "", "--pass", admin.Password, "--confpath", w.dir, "Wiki", admin.User)
	if err != nil {
		return nil, err
	}

	files := map[string][]byte{}
	err = filepath.WalkDir(w.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		name, _ := filepath.Rel(w.dir, path)
		files[name], err = os.ReadFile(path)
		return err
	})
	if err != nil {
		return nil, err
	}

	settings := strings.ReplaceAll(string(files["LocalSettings.php"]), w.dir, templateDir)
	files["LocalSettings.php"] = []byte(settings + extraMediaWikiSettings)
	return files, nil
}

func (m *mediawiki) addUser(name, password string) error {
	_, err := m.workspace.run("", "php", mediawikiPath+"/maintenance/createAndPromote.php", "--force", name, password)
	return err
}

func (m *mediawiki) login(b *browser, l Login) error {
	const path = "/index.php?title=Special:UserLogin"
	_, page, err := b.get(path)
	if err != nil {
		return err
	}

	token := html.UnescapeString(formField(page, "wpLoginToken"))
	status, _, err := b.post(path, url.Values{
		"wpName": {l.User}, "wpPassword": {l.Password},
		"wpLoginToken": {token}, "wpEditToken": {"+\\"}, "authAction": {"login"},
	})
	if err == nil && (status != 302 || !b.hasCookie("UserID")) {
		err = fmt.Errorf("%w (status %d)", errLogin, status)
	}
	return err
}

func (m *mediawiki) history() ([]Change, error) {
	b := newBrowser(m.baseURL, m.publicURL)
	_, text, err := b.get("/api.php?action=query&format=json&list=recentchanges&rcprop=user|timestamp|title|comment&rclimit=500&rctype=edit|new|log")
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

	var changes []Change
	for _, c := range slices.Backward(answer.Query.RecentChanges) {
		changes = append(changes, Change{User: c.User, Time: c.Timestamp, Title: c.Title, Kind: c.Type, Comment: c.Comment})
	}
	return changes, nil
}

const deleteMediaWikiSessions = `$db = new PDO('sqlite:' . $argv[1]); $db->setAttribute(PDO::ATTR_ERRMODE, PDO::ERRMODE_EXCEPTION);
$db->exec('PRAGMA busy_timeout = 10000'); echo $db->exec("DELETE FROM objectcache WHERE keyname LIKE '%MWSession%'");`

func (m *mediawiki) killSessions() error {
	_, err := m.workspace.run("", "php", "-r", deleteMediaWikiSessions, m.workspace.path("db", "wikicache.sqlite"))
	return err
}
