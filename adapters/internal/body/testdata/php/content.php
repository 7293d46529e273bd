<?php
// Reads bodies as programs do that do not look at the Content-Type. See ../README.md.
error_reporting(0);

function pairs($value, $name, &$all) {
    if (is_array($value)) {
        foreach ($value as $key => $member) {
            pairs($member, is_int($key) ? $name : $key, $all);
        }
    } elseif (is_string($value) || is_int($value) || is_float($value)) {
        $all[] = [(string) $name, (string) $value];
    }
}

function elements($element, &$all) {
    $all[] = [$element->getName(), (string) $element];
    foreach ($element->attributes() as $name => $value) {
        $all[] = [$name, (string) $value];
    }
    foreach ($element->getDocNamespaces(true, false) + ['' => null] as $space) {
        foreach ($element->children($space) as $child) {
            elements($child, $all);
        }
    }
}

while (($line = fgets(STDIN)) !== false) {
    $body = hex2bin(json_decode($line, true)['body']);
    $answer = [];

    $found = [];
    pairs(json_decode($body, true), '', $found);
    $answer['json_decode'] = $found;

    $found = [];
    parse_str($body, $form);
    pairs($form, '', $found);
    $answer['parse_str'] = $found;

    $found = [];
    $document = simplexml_load_string($body);
    if ($document !== false) {
        elements($document, $found);
    }
    $answer['simplexml'] = $found;

    echo json_encode($answer, JSON_INVALID_UTF8_SUBSTITUTE), "\n";
    flush();
}
