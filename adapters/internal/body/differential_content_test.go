package body

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"math/rand/v2"
	"mime"
	"mime/multipart"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"
)

// contentReader reads bodies without a look at their type: all names with their values, by reader.
type contentReader struct {
	name string
	read func(contentType, content string) map[string][][2]string
}

// TestRealContentReaders writes bodies with a field in many formats, changes them at random, and asks parsers that do not
// look at the Content-Type: where any of them finds the field, the scanner finds it, too.
func TestRealContentReaders(t *testing.T) {
	if testing.Short() {
		t.Skip("starts interpreters")
	}
	readers := startContentReaders(t)
	random := rand.New(rand.NewPCG(3, 4))

	found := map[string]int{}
	for i := range contentBodies {
		content := contentSeeds[i%len(contentSeeds)]
		if i >= len(contentSeeds) {
			content = mutateContent(random, content)
		}
		contentType := []string{"text/plain", "multipart/mixed; boundary=b", "multipart/related; boundary=b"}[i%3]

		isFound := scanFor(contentType, content, "pass")
		for _, r := range readers {
			for reader, pairs := range r.read(contentType, content) {
				for _, pair := range pairs {
					if name := strings.ToLower(strings.TrimSpace(pair[0])); name != "pass" || !isTypedText(pair[1]) {
						continue
					}
					isBinary := !utf8.ValidString(content) || strings.Contains(content, "\x00")
					if isBinary && (reader == "literal" || strings.ContainsRune(pair[1], utf8.RuneError)) {
						continue // what is not found: keys without quotes, and values beyond UTF-8
					}
					found[r.name+" "+reader]++
					if !isFound {
						t.Errorf("%s %s reads pass=%q in %q as %s, and the scanner does not", r.name, reader, pair[1], content, contentType)
					}
				}
			}
		}
	}
	for reader, n := range found {
		t.Logf("%s found the field in %d bodies", reader, n)
	}
	if found["go json"] < 25 || found["go form"] < 25 || found["go xml"] < 25 || found["go parts"] < 25 {
		t.Errorf("Go's readers found the field in %v bodies, want 25 or more for each", found)
	}
}

// contentBodies is how many bodies are tried. Each is read by some twenty readers.
const contentBodies = 2500

func scanFor(contentType, content, name string) (found bool) {
	t, err := ScannedContentType(contentType)
	if err != nil {
		return true // refused
	}
	s := NewContentScanner(t, anyTokens, func(f Finding) {
		for part := range strings.FieldsFuncSeq(f.Name, func(c rune) bool { return c == '[' || c == ']' }) {
			found = found || strings.EqualFold(strings.TrimSpace(part), name) && f.Value != ""
		}
	}, func(Finding) bool { return true })
	_, err = io.WriteString(s, content)
	if err == nil {
		err = s.Close()
	}
	return found || err != nil
}

var contentSeeds = []string{
	`{"user":"alice","pass":"x"}`, `[{"a":[1,"b"],"c":{"pass":"x"}}]`, `{"a":"b\"c","pass":7}`, `{'user':'alice','pass':'x'}`, `{user:"alice",pass:"x"}`, "{\"a\":1,/* c */\"pass\":\"x\"}", "{\"a\":1}\n{\"pass\":\"x\"}",
	"user=alice&pass=x", "a[b]=c&pass[]=x", "user=a+b%20c&pass=%78", "<login><user>alice</user><pass>x</pass></login>", `<?xml version="1.0"?><l:login xmlns:l="u"><l:pass>x</l:pass></l:login>`, `<login user="alice" pass='x'/>`,
	"<login><user><![CDATA[a<b]]></user><pass><![CDATA[x]]></pass></login>", "user: alice\npass: x\n", "a:\n  - b\n  - c: d\npass: \"x\"\n", "--- # c\na: |\n  text\n  more: text\npass: x\n", "a: {b: [c, 'd']}\npass: x\n", "{a: b, pass: x}", "- a\n- pass: x\n",
	"--b\r\nContent-Disposition: form-data; name=\"user\"\r\n\r\nalice\r\n--b\r\nContent-Disposition: form-data; name=\"pass\"\r\n\r\nx\r\n--b--\r\n",
	"--b\r\nContent-Type: application/json\r\n\r\n{}\r\n--b\r\nContent-Disposition: form-data; name=pass\r\n\r\nx\r\n--b--\r\n",
	"--b\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\n--c\r\nContent-Disposition: form-data; name=\"pass\"\r\n\r\nx\r\n--c--\r\n--b--\r\n",
}

// mutateContent inserts, removes or repeats a few pieces.
func mutateContent(random *rand.Rand, content string) string {
	pieces := []string{"\"", "'", "\\", "/*", "*/", "//", "\n", "\r\n", " ", "\t", "#", "{", "}", "[", "]", ",", ":", "&", "=", ";", "<", ">", "<!--", "-->", "<![CDATA[", "]]>", "--b", "--", "- ", "? ", "|", ">", "%", "%00", "\x00", "\ufeff", "\\u0070", "&#x70;",
		"null", "1e5", "x", "a", "pass", "\"a\":", "é", "\xff", "!t ", "&a ", "*a", "---\n", "...\n", "  ", "`", "(", ")", "+", ".", "name=", "filename=\"f\"", "Content-ID: <pass>\r\n", "\x1e", "\v", "\f", "\u00a0", "\u2028"}
	for range 1 + random.IntN(3) {
		at := random.IntN(len(content) + 1)
		switch random.IntN(4) {
		case 0:
			end := min(at+1+random.IntN(4), len(content))
			content = content[:at] + content[end:]
		case 1:
			from := random.IntN(len(content) + 1)
			content = content[:at] + content[from:min(from+12, len(content))] + content[at:]
		default:
			content = content[:at] + pieces[random.IntN(len(pieces))] + content[at:]
		}
	}
	return content
}

func startContentReaders(t *testing.T) []contentReader {
	readers := []contentReader{{"go", readContentAsGo}}
	for _, p := range []struct {
		name    string
		command []string
		needs   string
	}{
		{"python", []string{"/usr/bin/python3", "testdata/python/content.py"}, "/usr/lib/python3/dist-packages/yaml"},
		{"node", []string{"node", "testdata/node/content.js"}, filepath.Join(nodeModules(), "qs")},
		{"php", []string{"php", "testdata/php/content.php"}, "testdata"},
		{"ruby", []string{"ruby", "testdata/ruby/content.rb"}, "/usr/share/doc/ruby-rack"},
	} {
		_, missing := exec.LookPath(p.command[0])
		if missing == nil {
			_, missing = os.Stat(p.needs)
		}
		if missing != nil {
			skipReaders(t, p.name, missing)
			continue
		}
		readers = append(readers, contentReader{p.name, startContentReader(t, p.command)})
	}
	return readers
}

// startContentReader starts a program that answers one line for each line.
func startContentReader(t *testing.T, command []string) func(contentType, content string) map[string][][2]string {
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Env = append(os.Environ(), "BYLINE_NODE_MODULES="+nodeModules())
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		_ = cmd.Wait()
	})

	lines := bufio.NewReader(out)
	return func(contentType, content string) (found map[string][][2]string) {
		_, err := fmt.Fprintf(in, "{\"type\":%q,\"body\":%q}\n", contentType, hex.EncodeToString([]byte(content)))
		var line []byte
		if err == nil {
			line, err = lines.ReadBytes('\n')
		}
		if err == nil {
			err = json.Unmarshal(line, &found)
		}
		if err != nil {
			t.Fatalf("%s about %q: %v", command[0], content, err)
		}
		return found
	}
}

// readContentAsGo reads a body with the standard library: its JSON decoder stops after the first value, and its XML decoder
// skips what stands before the first element.
func readContentAsGo(contentType, content string) map[string][][2]string {
	found := map[string][][2]string{}

	decoder := json.NewDecoder(strings.NewReader(content))
	for isObject := true; isObject; {
		var value any
		if decoder.Decode(&value) != nil {
			break
		}
		found["json"] = appendPairs(found["json"], "", value)
		switch value.(type) {
		case string, float64, bool, nil:
			isObject = false
		}
	}
	form, _ := url.ParseQuery(content)
	for name, values := range form {
		for _, value := range values {
			found["form"] = append(found["form"], [2]string{name, value})
		}
	}

	elements := xml.NewDecoder(strings.NewReader(content))
	var open []string
	var all [][2]string // within the root, which has to be closed
	for {
		token, err := elements.Token()
		if err != nil {
			break
		}
		switch token := token.(type) {
		case xml.StartElement:
			open = append(open, token.Name.Local)
			for _, a := range token.Attr {
				all = append(all, [2]string{a.Name.Local, a.Value})
			}
		case xml.EndElement:
			open = open[:max(len(open)-1, 0)]
			if len(open) == 0 {
				found["xml"], all = append(found["xml"], all...), nil
			}
		case xml.CharData:
			if len(open) > 0 {
				all = append(all, [2]string{open[len(open)-1], string(token)})
			}
		}
	}

	_, params, err := mime.ParseMediaType(contentType)
	if err == nil && params["boundary"] != "" {
		parts := multipart.NewReader(strings.NewReader(content), params["boundary"])
		for {
			part, err := parts.NextPart()
			if err != nil {
				break
			}
			text, _ := io.ReadAll(part)
			found["parts"] = append(found["parts"], [2]string{part.FormName(), string(bytes.TrimSpace(text))})
		}
	}
	return found
}

func appendPairs(all [][2]string, name string, value any) [][2]string {
	switch value := value.(type) {
	case map[string]any:
		for key, member := range value {
			all = appendPairs(all, key, member)
		}
	case []any:
		for _, item := range value {
			all = appendPairs(all, name, item)
		}
	case string, float64:
		all = append(all, [2]string{name, fmt.Sprint(value)})
	}
	return all
}
