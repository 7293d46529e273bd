<?php
// PHP's streams read no proxy variables: a program names the proxy in a context.
$options = [];
if (getenv("TRUST_ENV")) {
	$options["http"] = ["proxy" => str_replace("http://", "tcp://", getenv("HTTPS_PROXY")), "request_fulluri" => false];
}
echo file_get_contents(getenv("URL"), false, stream_context_create($options)), "\n";
