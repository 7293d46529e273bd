# Edits a page of MediaWiki with wget. Prints the result and the protocol.
set -eu

: >cookies
printf '%s\n' "$COOKIE" | tr ';' '\n' | while IFS='= ' read -r name value; do
	printf '%s\tFALSE\t/\tTRUE\t0\t%s\t%s\n' "${BASE#https://}" "$name" "$value" >>cookies
done
fetch() { wget -q -O - --load-cookies cookies "$@"; }

fetch "$BASE/index.php?title=Main_Page" >page
token=$(fetch "$BASE/api.php?action=query&meta=tokens&format=json" | sed 's/.*"csrftoken":"\([0-9a-f]*\).*/\1/')
printf 'action=edit&format=json&title=%s&text=%s&summary=%s&token=%s%%2B%%5C' "$TITLE" "$TEXT" "$TEXT" "$token" >form
fetch --post-file=form "$BASE/api.php" | sed 's/.*"result":"\([A-Za-z]*\)".*/\1/'
echo " HTTP/1.1"
