# Edits a page of MediaWiki with curl, over the protocol in $PROTOCOL. Prints the
# result and the protocol.
set -eu

printf 'header = "Cookie: %s"\n' "$COOKIE" >cookie.conf
case $PROTOCOL in
HTTP/2) version=--http2 ;;
*) version=--http1.1 ;;
esac
fetch() { curl -fsS --compressed $version -K cookie.conf "$@"; }

fetch -o page "$BASE/index.php?title=Main_Page"
token=$(fetch "$BASE/api.php?action=query&meta=tokens&format=json" | sed 's/.*"csrftoken":"\([0-9a-f]*\).*/\1/')
fetch -w '\nHTTP/%{http_version}' \
	--data-urlencode "title=$TITLE" --data-urlencode "text=$TEXT" --data-urlencode "summary=$TEXT" --data-urlencode "token=$token+\\" \
	-d action=edit -d format=json "$BASE/api.php" |
	sed 's/.*"result":"\([A-Za-z]*\)".*/\1/' | tr '\n' ' '
