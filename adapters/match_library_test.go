package adapters

import (
	"testing"
)

const formType = "application/x-www-form-urlencoded"

func TestI7TheLibraryNamesRequests(t *testing.T) {
	cases := []struct{ adapter, method, path, query, ctype, body, want string }{
		{"mediawiki", "GET", "/index.php", "title=Sandbox", "", "", "page.read page/Sandbox"},
		{"mediawiki", "GET", "/index.php", "action=view&title=Caf%C3%A9", "", "", "page.read page/Café"},
		{"mediawiki", "GET", "/index.php", "title=A&title=B", "", "", "refused"},
		{"mediawiki", "GET", "/index.php", "title[]=A", "", "", "refused"},
		{"mediawiki", "GET", "/index.php", "title=Sandbox&curid=7", "", "", "refused"},
		{"mediawiki", "GET", "/index.php", "title=Sandbox&oldid=7", "", "", "revision.read revision/7"},
		{"mediawiki", "POST", "/index.php", "title=Sandbox&action=submit", formType, "wpTextbox1=x", "page.edit page/Sandbox"},
		{"mediawiki", "POST", "/index.php", "title=Sandbox&action=submit", formType, "title=Other", "refused"},
		{"mediawiki", "POST", "/index.php", "title=Sandbox&action=submit", "", "title=Other", "refused"},
		{"mediawiki", "POST", "/index.php", "x=1&title=special:userlogin", formType, "a=b", "login"},
		{"mediawiki", "POST", "/index.php", "", formType, "title=special:UserLogin&wpName=a", "login"},
		{"mediawiki", "GET", "/index.php", "title=Special:User_Login", "", "", "login"},
		{"mediawiki", "GET", "/index.php/Special:UserLogin", "", "", "", "login"},
		{"mediawiki", "GET", "/index.php/special:preferences", "", "", "", "account.manage account !"},
		{"mediawiki", "GET", "/index.php/Projects/2026", "", "", "", "page.read page/Projects/2026"},
		{"mediawiki", "GET", "/index.php/Sandbox", "title=Other", "", "", "refused"},
		{"mediawiki", "POST", "/index.php/Sandbox", "action=submit", formType, "title=Other", "refused"},
		{"mediawiki", "GET", "/index.php", "title=_main++page_", "", "", "page.read page/Main_page"},
		{"mediawiki", "POST", "/index.php", "title=MediaWiki:Common.js&action=submit", formType, "a=b", "interface.edit interface !"},
		{"mediawiki", "GET", "/index.php", "title=Special:ChangePassword", "", "", "account.manage account !"},
		{"mediawiki", "POST", "/api.php", "", formType, "action=clientlogin", "login"},
		{"mediawiki", "POST", "/api.php", "", formType, "action=edit&title=A&token=x%2B%5C", "page.edit page/A"},
		{"mediawiki", "POST", "/api.php", "", formType, "action=edit&title=A&token=%2B%5C", "refused"},
		{"mediawiki", "GET", "/load.php", "modules=a;b", "", "", "refused"},
		{"requesttracker", "GET", "/Ticket/Display.html", "id=7", "", "", "ticket.read ticket/7"},
		{"requesttracker", "GET", "/Ticket/Display.html", "id=7;user=a;pass=b", "", "", "login"},
		{"requesttracker", "POST", "/Ticket/Update.html", "", formType, "id=7&Action=Comment&UpdateType=private", "ticket.comment ticket/7"},
		{"requesttracker", "POST", "/Ticket/Update.html", "", formType, "id=7&UpdateType=response", "ticket.reply ticket/7"},
		{"requesttracker", "POST", "/REST/2.0/ticket/7/comment", "", "application/json", "{}", "ticket.comment ticket/7"},
		{"requesttracker", "POST", "/REST/2.0/ticket/7/comment", "", "application/json, " + formType, "{}", "refused"},
		{"requesttracker", "POST", "/Ticket/Update.html", "", formType, "id=7&user=a&pass=b", "login"},
		{"requesttracker", "POST", "/NoAuth/Login.html", "", formType, "user=a", "login"},
		{"wordpress", "POST", "/wp-login.php", "", formType, "log=a", "login"},
		{"wordpress", "POST", "/wp-login%2ephp", "", formType, "log=a", "login"},
		{"wordpress", "POST", "/wp-admin/admin-ajax.php", "", formType, "action=heartbeat", "ajax.heartbeat ajax"},
		{"wordpress", "POST", "/wp-json/wp/v2/posts/3", "_method=DELETE", "application/json", "{}", "refused"},
		{"wordpress", "POST", "/wp-json/wp/v2/posts/3", "", "application/json", "{}", "post.edit post/3"},
		{"wordpress", "POST", "/index.php", "rest_route=/wp/v2/posts/3", formType, "title=x", "post.edit post/3"},
		{"wordpress", "POST", "/index.php", "rest_route=/wp/v2/posts/3x", formType, "title=x", "refused"},
		{"wordpress", "POST", "/index.php", "", formType, "rest_route=/wp/v2/users/me", "account.manage account !"},
		{"wordpress", "POST", "/index.php", "rest_route=/wp/v2/posts", formType, "rest_route=/WP/V2/USERS/me", "account.manage account !"},
		{"wordpress", "GET", "/2026/11/25/hello-world/", "", "", "", "site.read site"},
		{"wordpress", "GET", "/sample-page/", "", "", "", "site.read site"},
		{"wordpress", "GET", "/sample-page/", "rest_route=/wp/v2/users", "", "", "refused"},
		{"wordpress", "GET", "/wp-login.php/", "", "", "", "login"},
		{"wordpress", "GET", "/wp-cron.php/", "", "", "", "admin admin !"},
		{"wordpress", "POST", "/sample-page/", "", formType, "a=b", "refused"},
		{"wordpress", "GET", "/wp-json/WP/v2/Users/me", "", "", "", "account.manage account !"},
	}
	for _, c := range cases {
		a := loadChild(t, c.adapter)
		q := Query{Method: c.method, Path: c.path, RawQuery: c.query, ContentType: c.ctype, Body: []byte(c.body)}
		got := verdictOf(a, q)
		if got != c.want {
			t.Errorf("%s %s %s?%s %s: got %q, want %q", c.adapter, c.method, c.path, c.query, c.body, got, c.want)
		}
	}
}
