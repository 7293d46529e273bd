#!/bin/sh
# Installs, on Debian and as root, perf and the proxies that the bench compares
# with Byline. The bench leaves out what is missing and says so, so this script
# never fails. It prints nothing if everything is installed.
set -u
packages="squid-openssl mitmproxy linux-perf"

command -v dpkg-query >/dev/null || { echo "install.sh: this is not Debian: install squid (with ssl-bump) and mitmproxy yourself to have them measured" >&2; exit 0; }
missing=""
for p in $packages; do
	case $(dpkg-query -W -f '${db:Status-Abbrev}' "$p" 2>/dev/null || :) in
	ii*) ;;
	*) missing="$missing $p" ;;
	esac
done
[ -n "$missing" ] || exit 0
if [ "$(id -u)" != 0 ]; then
	echo "install.sh: only root can install packages, so these are left out:$missing" >&2
	exit 0
fi
echo "install.sh: installing$missing" >&2

# Debian starts squid when the package is installed; this file prevents it.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
	printf '#!/bin/sh\nexit 101\n' >"$policy" && chmod +x "$policy"
	trap 'rm -f "$policy"' EXIT
fi
export DEBIAN_FRONTEND=noninteractive
log=$(mktemp)
{ apt-get update && apt-get install -y --no-install-recommends $missing; } >"$log" 2>&1 ||
	{ tail -n 5 "$log" >&2; echo "install.sh: apt-get failed; the bench goes on without:$missing" >&2; }
rm -f "$log"
exit 0
