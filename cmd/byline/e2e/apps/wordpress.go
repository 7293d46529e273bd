package apps

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const wordpressPath = "/usr/share/wordpress"

type wordpress struct{ php, db *workspace }

// StartWordPress starts WordPress and a MariaDB server for it, which listens on
// a Unix socket only.
func StartWordPress(t testing.TB, publicURL string) *App {
	t.Helper()
	requireFiles(t, "wordpress mariadb-server php-mysql", "php", "mariadbd", "mariadb-install-db", "mariadb", wordpressPath+"/wp-load.php")

	w := &wordpress{php: newWorkspace(t, "wordpress", "www-data"), db: startMariaDB(t)}
	if err := w.createDocumentRoot(publicURL); err != nil {
		t.Fatal(err)
	}

	w.php.env = []string{"PHP_CLI_SERVER_WORKERS=8"}
	addr := "127.0.0.1:" + freePort(t)
	w.php.start(t, acceptsConnections("tcp", addr), "php",
		"-d", "opcache.lockfile_path="+w.php.dir,
		"-d", "auto_prepend_file="+w.php.path("prepend.php"),
		"-S", addr, "-t", w.php.path("root"))

	admin := Login{"admin", "Adm1n-of-the-blog"}
	b := newBrowser("http://"+addr, publicURL)
	status, page, err := b.post("/wp-admin/install.php?step=2", url.Values{
		"weblog_title": {"Blog"}, "user_name": {admin.User}, "admin_password": {admin.Password}, "admin_password2": {admin.Password},
		"admin_email": {"admin@acme.test"}, "blog_public": {"0"}, "language": {""},
	})
	if err != nil || status != 200 || !strings.Contains(page, "wp-login.php") {
		t.Fatalf("wordpress: install: status %d, error %v, want 200 and a link to wp-login.php in:\n%.2000s", status, err, page)
	}
	return newApp(t, "wordpress", publicURL, "http://"+addr, admin, w)
}

// startMariaDB starts a server that runs as the account that owns the databases
// of Debian's packages.
func startMariaDB(t testing.TB) *workspace {
	t.Helper()

	w := newWorkspace(t, "mariadb", "mysql")
	if err := os.Chmod(w.dir, 0o755); err != nil { // PHP runs as another account and opens the socket
		t.Fatal(err)
	}
	if _, err := w.run("", "mariadb-install-db", "--no-defaults", "--datadir="+w.path("files"), "--auth-root-authentication-method=normal",
		"--skip-test-db", "--innodb-log-file-size=8M"); err != nil {
		t.Fatal(err)
	}

	socket := w.path("socket")
	w.start(t, acceptsConnections("unix", socket), "mariadbd", "--no-defaults", "--datadir="+w.path("files"), "--socket="+socket, "--pid-file="+w.path("pid"),
		"--skip-networking", "--innodb-log-file-size=8M", "--innodb-buffer-pool-size=32M", "--innodb-flush-log-at-trx-commit=0")

	const createDatabase = "CREATE DATABASE wordpress; CREATE USER wp@localhost IDENTIFIED BY 'wp'; GRANT ALL ON wordpress.* TO wp@localhost;"
	if _, err := w.run(createDatabase, "mariadb", "--no-defaults", "--socket="+socket, "-uroot"); err != nil {
		t.Fatal(err)
	}
	return w
}

// createDocumentRoot creates a document root of links to the package's files,
// with its own wp-config.php. The packaged wp-config.php reads /etc, and
// wp-load.php reads the wp-config.php in ABSPATH, which prepend.php sets.
func (w *wordpress) createDocumentRoot(publicURL string) error {
	root := w.php.path("root")
	if err := os.MkdirAll(filepath.Join(root, "wp-content", "uploads"), 0o755); err != nil {
		return err
	}

	entries, err := os.ReadDir(wordpressPath)
	if err != nil {
		return err
	}
	for _, e := range entries {
		name := e.Name()
		if name == "wp-config.php" || name == "wp-content" {
			continue
		}
		if err := os.Symlink(filepath.Join(wordpressPath, name), filepath.Join(root, name)); err != nil {
			return err
		}
	}

	for name, text := range wordpressTheme {
		if err := w.php.writeFile("root/wp-content/themes/plain/"+name, text, 0o644); err != nil {
			return err
		}
	}

	secure := "off"
	if strings.HasPrefix(publicURL, "https:") {
		secure = "on"
	}
	fill := strings.NewReplacer("ROOT", root, "SOCKET", w.db.path("socket"), "PUBLIC", strings.TrimSuffix(publicURL, "/"), "SECURE", secure)
	if err := w.php.writeFile("prepend.php", fill.Replace("<?php if (!defined('ABSPATH')) define('ABSPATH', 'ROOT/');\n"), 0o644); err != nil {
		return err
	}
	if err := w.php.writeFile("root/wp-config.php", fill.Replace(wordpressConfig), 0o644); err != nil {
		return err
	}
	return w.php.chownAll()
}

const wordpressConfig = `<?php
define('DB_NAME', 'wordpress'); define('DB_USER', 'wp'); define('DB_PASSWORD', 'wp'); define('DB_HOST', 'localhost:SOCKET');
define('DB_CHARSET', 'utf8mb4'); define('DB_COLLATE', '');
define('WP_HOME', 'PUBLIC'); define('WP_SITEURL', 'PUBLIC'); define('WP_CONTENT_DIR', 'ROOT/wp-content');
define('WP_DEFAULT_THEME', 'plain'); define('DISABLE_WP_CRON', true); define('WP_HTTP_BLOCK_EXTERNAL', true); define('WP_AUTO_UPDATE_CORE', false);
foreach (['AUTH', 'SECURE_AUTH', 'LOGGED_IN', 'NONCE'] as $n) { define($n . '_KEY', "key-$n"); define($n . '_SALT', "salt-$n"); }
$_SERVER['HTTPS'] = 'SECURE';
$table_prefix = 'wp_';
if (!function_exists('wp_mail')) { function wp_mail() { return true; } }
require_once ABSPATH . 'wp-settings.php';
`

// wordpressTheme is a theme that shows posts. Debian ships WordPress without a
// theme, and without one every page is empty.
var wordpressTheme = map[string]string{
	"style.css": "/* Theme Name: Plain */\n",
	"index.php": `<!DOCTYPE html><html><head><title><?php bloginfo('name'); ?></title><?php wp_head(); ?></head><body>
<?php while (have_posts()) { the_post(); the_title('<h1>', '</h1>'); the_content(); } wp_footer(); ?></body></html>
`,
}

const wordpressAddUser = `<?php require ABSPATH . 'wp-load.php';
$id = wp_insert_user(['user_login' => $argv[1], 'user_pass' => $argv[2], 'user_email' => $argv[1] . '@acme.test', 'role' => 'editor']);
if (is_wp_error($id)) { fwrite(STDERR, $id->get_error_message()); exit(1); }
`

func (w *wordpress) addUser(name, password string) error {
	if err := w.php.writeFile("adduser.php", wordpressAddUser, 0o644); err != nil {
		return err
	}
	_, err := w.php.run("", "php", "-d", "auto_prepend_file="+w.php.path("prepend.php"), w.php.path("adduser.php"), name, password)
	return err
}

func (w *wordpress) login(b *browser, l Login) error {
	if _, _, err := b.get("/wp-login.php"); err != nil {
		return err
	}

	status, _, err := b.post("/wp-login.php", url.Values{
		"log": {l.User}, "pwd": {l.Password}, "wp-submit": {"Log In"},
		"redirect_to": {b.publicURL + "/wp-admin/"}, "testcookie": {"1"},
	})
	if err == nil && (status != 302 || !b.hasCookie("wordpress_logged_in_")) {
		err = fmt.Errorf("%w (status %d)", errLogin, status)
	}
	return err
}

const wordpressHistory = `SELECT u.user_login, p.post_date_gmt, HEX(p.post_title), p.post_type, HEX(p.post_excerpt) FROM wp_posts p JOIN wp_users u ON u.ID = p.post_author
 WHERE p.post_status <> 'auto-draft' ORDER BY p.post_modified_gmt, p.ID;`

// history returns posts and their revisions. WordPress keeps no other log.
func (w *wordpress) history() ([]Change, error) {
	text, err := w.runSQL(wordpressHistory)
	if err != nil {
		return nil, err
	}

	var changes []Change
	for line := range strings.Lines(text) {
		fields := strings.Split(strings.TrimRight(line, "\n"), "\t")
		if len(fields) != 5 {
			return nil, fmt.Errorf("a row has %d columns, want 5: %q", len(fields), line)
		}
		published, err := time.Parse(time.DateTime, fields[1])
		if err != nil && !strings.HasPrefix(fields[1], "0000") { // a draft has no date
			return nil, err
		}

		c := Change{User: fields[0], Time: published, Kind: fields[3]}
		if _, err := fmt.Sscanf(fields[2], "%x", &c.Title); err != nil && fields[2] != "" {
			return nil, err
		}
		if _, err := fmt.Sscanf(fields[4], "%x", &c.Comment); err != nil && fields[4] != "" {
			return nil, err
		}
		changes = append(changes, c)
	}
	return changes, nil
}

func (w *wordpress) killSessions() error {
	_, err := w.runSQL("DELETE FROM wp_usermeta WHERE meta_key = 'session_tokens';")
	return err
}

func (w *wordpress) runSQL(query string) (string, error) {
	return w.db.run(query, "mariadb", "--no-defaults", "--socket="+w.db.path("socket"), "-uroot", "--batch", "--skip-column-names", "wordpress")
}
