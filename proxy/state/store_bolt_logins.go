package state

import (
	"encoding/json"
	"fmt"
	"slices"

	bolt "go.etcd.io/bbolt"
)

// PutLogins implements [Store].
func (b *Bolt) PutLogins(l Logins) error {
	key := boltKey(l.Adapter, l.Account)
	return b.write(func(tx *bolt.Tx) (verdict, failure error) {
		if len(l.Doc) == 0 {
			return nil, tx.Bucket(loginsBucket).Delete(key)
		}
		return nil, putJSON(tx, loginsBucket, key, l)
	})
}

// Logins implements [Store].
func (b *Bolt) Logins() (all []Logins, err error) {
	err = b.read(func(tx *bolt.Tx) error {
		return tx.Bucket(loginsBucket).ForEach(func(key, doc []byte) error {
			var l Logins
			if err := json.Unmarshal(doc, &l); err != nil {
				return fmt.Errorf("logins of %s: %w", key, err)
			}
			all = append(all, l)
			return nil
		})
	})
	slices.SortFunc(all, compareLogins)
	return all, err
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
