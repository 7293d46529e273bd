<?php
$c = curl_init(getenv("URL"));
curl_setopt($c, CURLOPT_RETURNTRANSFER, true);
$page = curl_exec($c);
echo $page === false ? curl_error($c) : $page, "\n";
