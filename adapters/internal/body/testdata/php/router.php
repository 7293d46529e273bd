<?php
// What PHP's own parsers read. See ../README.md. Run by php -S.

function entries(array $values): array {
    $entries = [];
    $walk = function (array $path, $value) use (&$walk, &$entries) {
        if (is_array($value)) {
            foreach ($value as $key => $inner) {
                $walk([...$path, (string) $key], $inner);
            }
            return;
        }
        $entries[] = [implode("\0", $path), (string) $value];
    };
    $walk([], $values);
    return $entries;
}

function files(): array {
    $entries = [];
    $walk = function (array $path, array $file) use (&$walk, &$entries) {
        if (is_array($file['name'])) {
            foreach (array_keys($file['name']) as $key) {
                $walk([...$path, (string) $key], array_map(fn($values) => $values[$key], $file));
            }
            return;
        }
        $content = $file['tmp_name'] === '' ? '' : file_get_contents($file['tmp_name']);
        $entries[] = [implode("\0", $path), $file['name'], $file['type'], $content];
    };
    foreach ($_FILES as $name => $file) {
        $walk([(string) $name], $file);
    }
    return $entries;
}

function describe(DOMElement $element): string {
    $text = '';
    $children = $attributes = [];
    foreach ($element->childNodes as $child) {
        if ($child instanceof DOMElement) {
            $children[] = describe($child);
        } elseif ($child instanceof DOMText) {
            $text .= $child->data;
        }
    }
    foreach ($element->attributes as $attribute) {
        $attributes[] = sprintf(' {%s}%s=<%s>', $attribute->namespaceURI, $attribute->localName, $attribute->value);
    }
    sort($attributes, SORT_STRING);
    return sprintf('{%s}%s <%s>%s [%s]', $element->namespaceURI, $element->localName, $text, implode('', $attributes), implode(' ', $children));
}

function readTree(string $type): array {
    $body = file_get_contents('php://input');
    if (str_contains($type, 'json')) {
        $value = json_decode($body, false, 512, JSON_THROW_ON_ERROR);
        return ['json_decode' => ['tree' => bin2hex(json_encode($value, JSON_THROW_ON_ERROR | JSON_PRESERVE_ZERO_FRACTION))]];
    }
    libxml_use_internal_errors(true);
    $document = new DOMDocument();
    if (!$document->loadXML($body)) {
        throw new Exception('not XML');
    }
    return ['php dom' => ['tree' => bin2hex(describe($document->documentElement))]];
}

function hexed(array $entries): array {
    return array_map(fn($entry) => array_map('bin2hex', $entry), $entries);
}

$type = $_SERVER['CONTENT_TYPE'] ?? $_SERVER['HTTP_CONTENT_TYPE'] ?? '';
header('Content-Type: application/json');
if (str_contains($type, 'json') || str_contains($type, 'xml')) {
    try {
        echo json_encode(readTree($type));
    } catch (Throwable $e) {
        echo json_encode([str_contains($type, 'json') ? 'json_decode' : 'php dom' => ['error' => $e->getMessage()]]);
    }
    return;
}
echo json_encode(['php' => ['query' => hexed(entries($_GET)), 'fields' => hexed(entries($_POST)), 'files' => hexed(files())]]);
