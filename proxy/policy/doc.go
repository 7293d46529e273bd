// Package policy answers one question: may this task do this? The answer is a
// pure function of who asks, which action, which resource and the
// circumstances. Its zero value denies.
//
// A request is permitted if an entry of the task's scope permits it and no
// policy forbids it. Policies are Cedar (https://docs.cedarpolicy.com): those in
// the operator's files and those in base.cedar, which is built in. Operators'
// policies only forbid. What a sponsor approved is the scope, whose digest is in
// every record, and a permit in a file would widen tasks that were approved
// without it; so Parse refuses a permit.
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
// Policies can use:
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
// An id annotation names a policy in records: night.cedar#no-deletes. A policy
// without one is named by its place in the file, from 1: night.cedar#2.
//
// A forbid that cannot be evaluated denies. Parse finds most policies that could
// fail so: a misspelt attribute, a string compared by <.
//
// # Cost
//
// A policy whose head names actions, a principal or a resource costs nothing for
// requests that the head excludes. Conditions are evaluated for each request.
package policy
