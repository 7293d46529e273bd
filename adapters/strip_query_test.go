package adapters

import "testing"

func TestI2StripQuery(t *testing.T) {
	a := small(func(s *Spec) { s.Query.Strip = []string{"*Pass*"} })
	for in, want := range map[string]string{
		// Nothing to remove: not a byte changes.
		"": "", "a=1&b=2": "a=1&b=2", "a=%zz&&;b": "a=%zz&&;b",

		"a=1&access_token=x&b=2": "a=1&b=2", "PHPSESSID=x": "", "a=1&jsessionid=x": "a=1", "a=1;sid=2;b=3": "a=1;b=3",

		// Other spellings of the same name.
		"%61ccess_token=x&b=1": "b=1", "access.token=x&b=1": "b=1", "Api-Key=x&b=1": "b=1", "api_key[]=x&b=1": "b=1",
		"access_token%00=x&b=1": "b=1", "+sid=1&b=2": "b=2", "b=1&%zz=x": "b=1",

		// query.strip
		"user_password2=x&b=1": "b=1",
	} {
		out, removed := a.StripQuery(in)
		if out != want {
			t.Errorf("%q became %q, want %q", in, out, want)
		}
		if (len(removed) > 0) != (in != want) {
			t.Errorf("%q: reported %d credentials", in, len(removed))
		}
	}
}

func TestI2QueryPassIsExactAndLoses(t *testing.T) {
	a := small(func(s *Spec) {
		s.Query = QuerySpec{Pass: []string{"sid", "auth", "key"}, Strip: []string{"ke*"}}
		s.Login.Query = map[string]string{"auth": "${token}"}
	})
	for in, want := range map[string]string{
		"sid=1&a=2": "sid=1&a=2", "s%69d=1": "s%69d=1",

		// Names that an application may read as sid, and that pass does not list.
		"SID=1&a=2": "a=2", "sid[]=1&a=2": "a=2", "+sid=1&a=2": "a=2", "sid%00=1&a=2": "a=2", "session=1&sid=2": "sid=2",

		// login.query and query.strip win over pass.
		"auth=1&a=2": "a=2", "key=1&a=2": "a=2",
	} {
		if out, _ := a.StripQuery(in); out != want {
			t.Errorf("%q became %q, want %q", in, out, want)
		}
	}
}
