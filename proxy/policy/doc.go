// Package policy answers one question: may they. It is a pure function of who
// asks, which action, which resource and the circumstances; its zero value
// denies.
//
// A request is permitted when an entry of the task's scope permits it and no
// policy forbids it. Policies are Cedar (https://docs.cedarpolicy.com), in the
// files that an operator writes and in base.cedar, which is built in.
// Operators' policies forbid and never permit: what a sponsor approved is the
// scope, its digest is in every record, and a permit in a file would widen the
// work of tasks that were approved without it. Such a permit is refused when
// the file is loaded.
//
// # Writing policies
//
//	@id("no-deletes")
//	forbid (principal, action == Action::"mediawiki:page.delete", resource);
//
//	@id("no-privileged-work-at-night")
//	forbid (principal, action, resource)
//	when { context.privileged && context.hour < 8 };
//
//	@id("triage-keeps-out-of-policies")
//	forbid (principal == Agent::"spiffe://acme.example/agent/triage",
//	        action in Action::"mediawiki:page.*",
//	        resource in Adapter::"mediawiki")
//	when { resource.name like "page/Policy:*" }
//	unless { principal in Sponsor::"alice@acme.example" };
//
// The words are:
//
//	principal  Agent::"<agent>", in Sponsor::"<sponsor>" and in Task::"<id>"
//	           .agent .sponsor .task .purpose .grant, all strings
//	action     Action::"<adapter>:<action>", in the groups
//	           Action::"mediawiki:page.*" (every action below page) and
//	           Action::"mediawiki:*" (every action of the adapter)
//	resource   Resource::"<adapter>:<resource>", in Adapter::"<adapter>"
//	           .adapter .name, strings; name is "" for an action on nothing
//	context    .method .host .path .agent .sponsor, strings; .privileged, true
//	           or false; .hour, 0 to 23 in UTC; .weekday, "Mon" to "Sun" in
//	           UTC; .now, a datetime
//
// An id annotation names a policy in records: night.cedar#no-deletes. Without
// one a policy is named by its place, from 1: night.cedar#2.
//
// A forbid that cannot be evaluated denies. Most that could fail so is found
// when the file is loaded: a misspelt attribute, a string compared by <.
//
// Policies whose head names actions, a principal or a resource cost nothing to
// requests that they cannot touch; conditions are evaluated one by one.
package policy
