set -eu
printf 'header = "Cookie: %s"\n' "$COOKIE" >cookie
case $PROTOCOL in HTTP/2) v=--http2 ;; *) v=--http1.1 ;; esac
ask() { curl -fsS --compressed $v -K cookie "$@"; }
ask -o page "$BASE/index.php?title=Main_Page"
token=$(ask "$BASE/api.php?action=query&meta=tokens&format=json" | sed 's/.*"csrftoken":"\([0-9a-f]*\).*/\1/')
ask -w '\nHTTP/%{http_version}' --data-urlencode "title=$TITLE" --data-urlencode "text=$TEXT" --data-urlencode "summary=$TEXT" --data-urlencode "token=$token+\\" \
	-d action=edit -d format=json "$BASE/api.php" | sed 's/.*"result":"\([A-Za-z]*\)".*/\1/' | tr '\n' ' '
