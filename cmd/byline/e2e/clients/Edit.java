import java.net.*;
import java.net.http.*;
import java.nio.charset.StandardCharsets;
import java.util.regex.*;

class Edit {
  static final String base = System.getenv("BASE"), title = System.getenv("TITLE"), text = System.getenv("TEXT");
  static final Authenticator proxy = new Authenticator() {
    protected PasswordAuthentication getPasswordAuthentication() {
      return new PasswordAuthentication(System.getProperty("https.proxyUser"), System.getProperty("https.proxyPassword").toCharArray());
    }
  };
  static final HttpClient client = HttpClient.newBuilder().proxy(ProxySelector.getDefault()).authenticator(proxy).build();

  static HttpResponse<String> ask(String path, String form) throws Exception {
    var request = HttpRequest.newBuilder(URI.create(base + path)).header("Cookie", System.getenv("COOKIE"));
    if (form != null) {
      request.header("Content-Type", "application/x-www-form-urlencoded").POST(HttpRequest.BodyPublishers.ofString(form));
    }
    var answer = client.send(request.build(), HttpResponse.BodyHandlers.ofString());
    if (answer.statusCode() != 200) throw new Exception(path + ": " + answer.statusCode() + " " + answer.body());
    return answer;
  }

  static String first(String pattern, String in) {
    Matcher m = Pattern.compile(pattern).matcher(in);
    return m.find() ? m.group(1) : in;
  }

  static String coded(String s) { return URLEncoder.encode(s, StandardCharsets.UTF_8); }

  public static void main(String[] args) throws Exception {
    ask("/index.php?title=Main_Page", null);
    String token = first("\"csrftoken\":\"([0-9a-f]+)", ask("/api.php?action=query&meta=tokens&format=json", null).body()) + "+\\";
    var answer = ask("/api.php", "action=edit&format=json&title=" + coded(title) + "&text=" + coded(text) + "&summary=" + coded(text) + "&token=" + coded(token));
    System.out.println(first("\"result\":\"([A-Za-z]+)\"", answer.body()) + " " + (answer.version() == HttpClient.Version.HTTP_2 ? "HTTP/2" : "HTTP/1.1"));
  }
}
