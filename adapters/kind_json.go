package adapters

func init() {
	registerKind(loginKind{name: "json", summary: "a login by a script", members: true, Kind: scriptRecipe})
}
