#!/bin/sh
# Installs the clients of docs/clients.md: Debian packages, and in a cache folder what
# comes from npm and from Go modules. It prints that folder.
set -eu
here=$(cd "$(dirname "$0")" && pwd)

packages="curl wget git python3-requests python3-httpx python3-aiohttp python3-urllib3 python3-websockets
python3-selenium python3-pip nodejs default-jdk-headless php-cli php-curl ruby perl libwww-perl liblwp-protocol-https-perl
libio-socket-ssl-perl awscli chromium chromium-driver firefox-esr libnss3-tools"
missing=""
for p in $packages; do
	case $(dpkg-query -W -f '${db:Status-Abbrev}' "$p" 2>/dev/null || :) in
	ii*) ;;
	*) missing="$missing $p" ;;
	esac
done
command -v npm >/dev/null || missing="$missing npm"
command -v java >/dev/null && missing=$(echo "$missing" | sed 's/default-jdk-headless//')

if [ -n "${missing# }" ]; then
	echo "install.sh: installing$missing" >&2
	DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $missing >&2
fi

cache=${BYLINE_E2E_CACHE:-${XDG_CACHE_HOME:-${HOME:-/tmp}/.cache}/byline-e2e}/clients
lock=$(cat "$here/package-lock.json" "$here/install.sh" | sha256sum | cut -c1-16)
if [ "$(cat "$cache/.installed" 2>/dev/null || :)" != "$lock" ]; then
	mkdir -p "$cache"
	cp "$here/package.json" "$here/package-lock.json" "$cache/"
	(cd "$cache" && npm ci --no-audit --no-fund --silent >&2)
	rm -f "$cache/node_modules/.bin/node" # of node24, which a row calls by its path
	echo "install.sh: building grpcurl (half a minute, once)" >&2
	GOBIN="$cache/node_modules/.bin" go install github.com/fullstorydev/grpcurl/cmd/grpcurl@v1.9.3 >&2
	echo "$lock" >"$cache/.installed"
fi
echo "$cache"
