import java.net.*;
import java.net.http.*;
import java.nio.charset.StandardCharsets;
import java.util.regex.*;

/** Edits a page of MediaWiki with HttpClient. Prints the result and the protocol. */
class Edit {
  static final String base = System.getenv("BASE"), title = System.getenv("TITLE"), text = System.getenv("TEXT");

  /** HttpClient does not read proxy credentials from system properties. */
  static final Authenticator proxyCredentials = new Authenticator() {
    protected PasswordAuthentication getPasswordAuthentication() {
      return new PasswordAuthentication(System.getProperty("https.proxyUser"), System.getProperty("https.proxyPassword").toCharArray());
    }
  };

  static final HttpClient client = HttpClient.newBuilder().proxy(ProxySelector.getDefault()).authenticator(proxyCredentials).build();

  static HttpResponse<String> send(String path, String form) throws Exception {
    var request = HttpRequest.newBuilder(URI.create(base + path)).header("Cookie", System.getenv("COOKIE"));
    if (form != null) {
      request.header("Content-Type", "application/x-www-form-urlencoded").POST(HttpRequest.BodyPublishers.ofString(form));
    }
    var response = client.send(request.build(), HttpResponse.BodyHandlers.ofString());
    if (response.statusCode() != 200) throw new Exception(path + ": " + response.statusCode() + " " + response.body());
    return response;
  }

  /** Returns the first group of the first match, or the whole text if there is none. */
  static String firstMatch(String pattern, String text) {
    Matcher m = Pattern.compile(pattern).matcher(text);
    return m.find() ? m.group(1) : text;
  }

  static String urlEncode(String s) { return URLEncoder.encode(s, StandardCharsets.UTF_8); }

  public static void main(String[] args) throws Exception {
    send("/index.php?title=Main_Page", null);
    String token = firstMatch("\"csrftoken\":\"([0-9a-f]+)", send("/api.php?action=query&meta=tokens&format=json", null).body()) + "+\\";
    String form = "action=edit&format=json&title=" + urlEncode(title) + "&text=" + urlEncode(text) + "&summary=" + urlEncode(text) + "&token=" + urlEncode(token);
    var response = send("/api.php", form);
    String protocol = response.version() == HttpClient.Version.HTTP_2 ? "HTTP/2" : "HTTP/1.1";
    System.out.println(firstMatch("\"result\":\"([A-Za-z]+)\"", response.body()) + " " + protocol);
  }
}
