package adapters

// small returns an adapter that was not loaded and so has not been checked: it has what the tests of
// one function need.
func small(change func(*Spec)) *Adapter {
	a := &Adapter{spec: Spec{
		Name:    "small",
		Hosts:   []string{"app.example"},
		Cookies: CookieSpec{Hold: []string{"*_session"}, Pass: []string{"csrftoken", "ui_*"}},
	}}
	if change != nil {
		change(&a.spec)
	}
	return a
}
