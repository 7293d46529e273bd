# Firefox has settings and a trust store in its profile.
profile=$(mktemp -d)
trap 'rm -rf "$profile"' EXIT
certutil -N --empty-password -d "sql:$profile"
certutil -A -n byline -t C,, -i "$NODE_EXTRA_CA_CERTS" -d "sql:$profile"
if [ -n "$HTTPS_PROXY" ]; then
	port=${HTTPS_PROXY##*:}
	echo 'user_pref("network.proxy.type", 1);' >"$profile/user.js"
	if [ "${1:-}" = socks ]; then
		cat >>"$profile/user.js" <<-END
			user_pref("network.proxy.socks", "127.0.0.1");
			user_pref("network.proxy.socks_port", $port);
			user_pref("network.proxy.socks_version", 5);
			user_pref("network.proxy.socks_remote_dns", true);
		END
	else
		cat >>"$profile/user.js" <<-END
			user_pref("network.proxy.http", "127.0.0.1");
			user_pref("network.proxy.http_port", $port);
			user_pref("network.proxy.ssl", "127.0.0.1");
			user_pref("network.proxy.ssl_port", $port);
		END
	fi
fi
HOME=$profile timeout 60 firefox-esr --headless --profile "$profile" --screenshot "$profile/page.png" "$URL" >/dev/null 2>&1
# The page of the application is green, which its picture shows; a page of an error is not.
python3 "$(dirname "$0")/green.py" "$profile/page.png"
