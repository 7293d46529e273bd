package adapters

// keysFit says whether every object that the rule speaks of has no other keys than it may.
func (rule *rule) keysFit(call any) bool {
	for i := range rule.keys {
		if !rule.keys[i].fits(call) {
			return false
		}
	}
	return true
}

func (k *keysAt) fits(v any) bool {
	for _, key := range k.path {
		object, ok := v.(map[string]any)
		if v != nil && !ok {
			return false
		}
		v = object[key]
	}
	if v == nil {
		return true
	}
	object, ok := v.(map[string]any)
	if !ok {
		return false
	}
	for key := range object {
		if !k.has(key) {
			return false
		}
	}
	return true
}

func (k *keysAt) has(key string) bool {
	var none [maxSlots]string
	for i := range k.may {
		if k.may[i].match(key, &none) {
			return true
		}
	}
	return false
}
