import java.net.URI;

class Connection {
    public static void main(String[] args) throws Exception {
        var answer = URI.create(System.getenv("URL")).toURL().openConnection();
        System.out.println(new String(answer.getInputStream().readAllBytes()));
    }
}
