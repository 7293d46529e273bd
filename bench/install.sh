#!/bin/sh
# Installs the proxies that the bench measures beside Byline, and perf, on
# Debian as root. Whatever is missing afterwards the bench leaves out and says
# so. Says and does nothing when all is there.
set -u
packages="squid-openssl mitmproxy linux-perf"

command -v dpkg-query >/dev/null || { echo "install.sh: not Debian: install squid (with ssl-bump) and mitmproxy yourself to have them measured" >&2; exit 0; }
missing=""
for p in $packages; do
	case $(dpkg-query -W -f '${db:Status-Abbrev}' "$p" 2>/dev/null || :) in
	ii*) ;;
	*) missing="$missing $p" ;;
	esac
done
[ -n "$missing" ] || exit 0
if [ "$(id -u)" != 0 ]; then
	echo "install.sh: left out, for this is not root:$missing" >&2
	exit 0
fi
echo "install.sh: installing$missing" >&2
# Debian starts squid when it is installed: forbid that while we install.
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
