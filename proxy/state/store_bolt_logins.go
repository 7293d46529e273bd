package state

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"

	bolt "go.etcd.io/bbolt"
)

// boltLogins is what the file keeps for [Store.PutLogins].
type boltLogins struct {
	Adapter, Account string
	Doc              []byte
}

// PutLogins implements [Store].
func (b *Bolt) PutLogins(adapter, account string, doc []byte) error {
	key := boltKey(adapter, account)
	return b.write(func(tx *bolt.Tx) (verdict, failure error) {
		if len(doc) == 0 {
			return nil, tx.Bucket(loginsBucket).Delete(key)
		}
		return nil, putJSON(tx, loginsBucket, key, boltLogins{adapter, account, doc})
	})
}

// Logins implements [Store].
func (b *Bolt) Logins(visit func(adapter, account string, doc []byte)) error {
	var all []boltLogins
	err := b.read(func(tx *bolt.Tx) error {
		return tx.Bucket(loginsBucket).ForEach(func(key, doc []byte) error {
			var l boltLogins
			if err := json.Unmarshal(doc, &l); err != nil {
				return fmt.Errorf("logins of %s: %w", key, err)
			}
			all = append(all, l)
			return nil
		})
	})
	if err != nil {
		return err
	}

	slices.SortFunc(all, func(a, b boltLogins) int {
		return cmp.Or(cmp.Compare(a.Adapter, b.Adapter), cmp.Compare(a.Account, b.Account))
	})
	for _, l := range all {
		visit(l.Adapter, l.Account, l.Doc)
	}
	return nil
}

// ReserveStep implements [Store]. The number is durable before it is returned.
func (b *Bolt) ReserveStep(key string, first, last int64) (step int64, ok bool, err error) {
	err = b.write(func(tx *bolt.Tx) (verdict, failure error) {
		var used []int64
		if doc := tx.Bucket(stepsBucket).Get([]byte(key)); doc != nil {
			if err := json.Unmarshal(doc, &used); err != nil {
				return nil, fmt.Errorf("used steps: %w", err)
			}
		}

		step, ok, used = reserveStep(used, first, last)
		if !ok {
			return nil, nil
		}
		return nil, putJSON(tx, stepsBucket, []byte(key), used)
	})
	return step, ok, err
}
