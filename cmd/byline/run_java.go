package main

import (
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// javaOptions make Java programs use the proxy and trust its authority. The
// zero value sets nothing.
type javaOptions struct {
	dir     string
	options []string // no secret: the JVM prints them to standard error
}

// trustPassword is what Java's own trust store has; it keeps nothing secret.
const trustPassword = "changeit"

// javaTrust adds the root to a copy of Java's trust store (PKCS12, or JKS where
// that is what the JDK has: both are recognised when it is read). Without
// keytool there is no JDK to speak of, and nothing is set.
func javaTrust(dir, root string, proxy *url.URL, noProxy string) (javaOptions, error) {
	keytool, err := exec.LookPath("keytool")
	if err != nil {
		return javaOptions{}, nil
	}
	if keytool, err = filepath.EvalSymlinks(keytool); err != nil {
		return javaOptions{}, err
	}
	store := filepath.Join(dir, "trust.p12")
	home := filepath.Dir(filepath.Dir(keytool))
	for _, have := range []string{filepath.Join(home, "lib/security/cacerts"), filepath.Join(home, "jre/lib/security/cacerts")} {
		if err = copyFile(store, have); err == nil {
			break
		}
	}
	args := []string{"-importcert", "-noprompt", "-alias", "byline", "-file", root, "-keystore", store, "-storepass", trustPassword}
	if err != nil { // no trust store to extend: one with our root alone
		args = append(args, "-storetype", "PKCS12")
	}
	if out, err := exec.Command(keytool, args...).CombinedOutput(); err != nil {
		return javaOptions{}, fmt.Errorf("keytool: %w: %s", err, strings.TrimSpace(string(out)))
	}
	j := javaOptions{dir: dir, options: []string{"-Djavax.net.ssl.trustStore=" + store, "-Djavax.net.ssl.trustStorePassword=" + trustPassword,
		"-Djdk.http.auth.tunneling.disabledSchemes="}} // Basic is off by default; the proxy is the only one who is shown it
	for _, scheme := range []string{"http", "https"} {
		j.options = append(j.options, "-D"+scheme+".proxyHost="+proxy.Hostname(), "-D"+scheme+".proxyPort="+proxy.Port())
	}
	j.options = append(j.options, "-Dhttp.nonProxyHosts="+strings.ReplaceAll(noProxy, ",", "|"))
	return j, nil
}

// environ puts the credentials into a file: java prints what it picks up from
// its environment.
func (j javaOptions) environ(task, token string) []string {
	if j.options == nil {
		return nil
	}
	env := []string{"JAVA_TOOL_OPTIONS=" + joined(os.Getenv("JAVA_TOOL_OPTIONS"), strings.Join(j.options, " "))}
	var lines strings.Builder
	for _, scheme := range []string{"http", "https"} {
		fmt.Fprintf(&lines, "-D%s.proxyUser=%s\n-D%s.proxyPassword=%s\n", scheme, task, scheme, token)
	}
	credentials := filepath.Join(j.dir, "java.options")
	if os.WriteFile(credentials, []byte(lines.String()), 0o600) != nil {
		return env // the proxy answers 407 with what to do
	}
	return append(env, "JDK_JAVA_OPTIONS="+joined(os.Getenv("JDK_JAVA_OPTIONS"), "@"+credentials))
}

func copyFile(to, from string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}
