set -eu
: >cookies
printf '%s\n' "$COOKIE" | tr ';' '\n' | while IFS='= ' read -r name value; do
	printf '%s\tFALSE\t/\tTRUE\t0\t%s\t%s\n' "${BASE#https://}" "$name" "$value" >>cookies
done
ask() { wget -q -O - --load-cookies cookies "$@"; }
ask "$BASE/index.php?title=Main_Page" >page
token=$(ask "$BASE/api.php?action=query&meta=tokens&format=json" | sed 's/.*"csrftoken":"\([0-9a-f]*\).*/\1/')
printf 'action=edit&format=json&title=%s&text=%s&summary=%s&token=%s%%2B%%5C' "$TITLE" "$TEXT" "$TEXT" "$token" >form
ask --post-file=form "$BASE/api.php" | sed 's/.*"result":"\([A-Za-z]*\)".*/\1/'
echo " HTTP/1.1"
