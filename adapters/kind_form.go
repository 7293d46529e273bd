package adapters

func init() {
	registerKind(loginKind{name: "form", summary: "a login page", members: true, Kind: pageRecipe})
}
