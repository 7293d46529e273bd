// Package credential judges whether what an agent sends is a credential: by its name, and by its value.
//
// It is one judge for every place of a request: parameters of the query, fields of forms, keys of JSON, header fields,
// trailers and messages. It does not know where a value stands, and what follows from a verdict is the caller's to
// decide. The lists that it judges by are data in lists.go; documentation and commands print them from there.
package credential
