#!/bin/sh
# Installs what the end-to-end tests and the differential test of request bodies need:
# Debian packages, and in a cache folder playwright-core, parsers for Node and an S3
# server. The cache is $BYLINE_E2E_CACHE, or else byline-e2e in the user's cache folder.
# If everything is installed, the script does nothing and prints nothing.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
readers=$here/../../../adapters/internal/body/testdata

packages="php-cli php-sqlite3 php-mbstring php-xml php-intl php-curl mediawiki
request-tracker5 rt5-db-sqlite rt5-standalone wordpress mariadb-server php-mysql
chromium nodejs git curl wget python3-requests python3-httpx python3-h2 libnss3-tools
redis-server rsyslog rsyslog-gnutls dokuwiki iproute2 nftables proxychains4"
# Parsers of request bodies, with php-cli and nodejs.
packages="$packages python3-django python3-werkzeug python3-tornado python3-multipart
libcgi-pm-perl ruby ruby-rack"
# A JDK is too large to be installed for one parser.
command -v javac >/dev/null && packages="$packages libtomcat9-java"

die() { echo "install.sh: $*" >&2; exit 1; }

command -v dpkg-query >/dev/null || die "this system is not Debian: install these yourself:" $packages npm

missing=""
for p in $packages; do
	case $(dpkg-query -W -f '${db:Status-Abbrev}' "$p" 2>/dev/null || :) in
	ii*) ;;
	*) missing="$missing $p" ;;
	esac
done
# Node.js from another source includes npm and conflicts with Debian's npm.
command -v npm >/dev/null || missing="$missing npm"

if [ -n "$missing" ]; then
	[ "$(id -u)" = 0 ] || die "missing packages:$missing
hint: run as root: $here/install.sh"
	echo "install.sh: installing$missing" >&2

	log=$(mktemp)
	trap 'rm -f "$log"' EXIT
	export DEBIAN_FRONTEND=noninteractive
	{ apt-get update && apt-get install -y --no-install-recommends $missing; } >"$log" 2>&1 || {
		tail -n 15 "$log" >&2
		die "apt-get failed; is this machine offline? missing packages:$missing"
	}
fi

cache=${BYLINE_E2E_CACHE:-${XDG_CACHE_HOME:-${HOME:-/tmp}/.cache}/byline-e2e}
# install_node FOLDER NAME installs the modules that the lock file in FOLDER names into
# NAME in the cache. The file .installed names the lock file that they came from.
install_node() {
	lock=$(sha256sum "$1/package-lock.json" | cut -c1-16)
	if [ "$(cat "$cache/$2/.installed" 2>/dev/null || :)" != "$lock" ]; then
		mkdir -p "$cache/$2"
		cp "$1/package.json" "$1/package-lock.json" "$cache/$2/"
		(cd "$cache/$2" && npm ci --ignore-scripts --no-audit --no-fund --silent >/dev/null) ||
			die "npm ci failed in $cache/$2; is this machine offline?"
		echo "$lock" >"$cache/$2/.installed"
	fi
}
install_node "$here/browser" browser
install_node "$readers/node" body

# versitygw is an S3 server with object lock, for the test of the S3 sink.
s3=v1.8.0
if [ "$(cat "$cache/bin/.versitygw" 2>/dev/null || :)" != "$s3" ]; then
	echo "install.sh: building versitygw $s3 (once)" >&2
	mkdir -p "$cache/bin"
	(cd / && GOFLAGS=-mod=mod GOBIN=$cache/bin go install "github.com/versity/versitygw/cmd/versitygw@$s3" >/dev/null 2>&1) ||
		die "go install of versitygw failed; is this machine offline?"
	echo "$s3" >"$cache/bin/.versitygw"
fi
