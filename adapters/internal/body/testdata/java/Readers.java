// What Tomcat and the JDK's XML parser read. See ../README.md.

import java.io.*;
import java.nio.charset.StandardCharsets;
import java.util.*;
import javax.xml.parsers.*;
import org.apache.tomcat.util.buf.MessageBytes;
import org.apache.tomcat.util.http.Parameters;
import org.apache.tomcat.util.http.fileupload.*;
import org.apache.tomcat.util.http.fileupload.disk.DiskFileItemFactory;
import org.w3c.dom.*;

public class Readers {
	public static void main(String[] args) throws Exception {
		var in = new DataInputStream(new BufferedInputStream(System.in));
		var out = new PrintStream(new FileOutputStream(FileDescriptor.out), true, "US-ASCII");
		System.setOut(System.err);
		java.util.logging.LogManager.getLogManager().reset();
		for (;;) {
			byte[][] texts = new byte[3][];
			for (int i = 0; i < 3; i++) {
				int length;
				try {
					length = in.readInt();
				} catch (EOFException e) {
					return;
				}
				texts[i] = in.readNBytes(length);
			}
			String type = new String(texts[0], StandardCharsets.ISO_8859_1);
			String name = type.contains("xml") ? "jdk xml" : "tomcat";
			String answer;
			try {
				if (type.contains("json")) {
					out.println("{}");
					continue;
				}
				answer = type.contains("xml") ? "\"tree\":\"" + hex(describe(parse(texts[2]))) + "\"" : form(type, texts[1], texts[2]);
			} catch (Throwable e) {
				answer = "\"error\":\"" + e.toString().replaceAll("[^ -~]|[\"\\\\]", " ") + "\"";
			}
			out.println("{\"" + name + "\":{" + answer + "}}");
		}
	}

	static String form(String type, byte[] query, byte[] body) throws Exception {
		var fields = new StringJoiner(",", "[", "]");
		var files = new StringJoiner(",", "[", "]");
		if (type.startsWith("multipart/")) {
			var factory = new DiskFileItemFactory();
			factory.setSizeThreshold(1 << 30);
			var upload = new FileUpload(factory);
			for (FileItem item : upload.parseRequest(new Request(type, body))) {
				if (item.isFormField()) {
					fields.add(entry(item.getFieldName(), item.getString("UTF-8")));
				} else {
					files.add(entry(item.getFieldName(), item.getName(), item.getContentType(), new String(item.get(), StandardCharsets.ISO_8859_1)).replace("\u0000", ""));
				}
			}
		} else {
			for (String[] pair : parameters(body)) {
				fields.add(entry(pair));
			}
		}
		var asked = new StringJoiner(",", "[", "]");
		for (String[] pair : parameters(query)) {
			asked.add(entry(pair));
		}
		return "\"query\":" + asked + ",\"fields\":" + fields + ",\"files\":" + files;
	}

	static List<String[]> parameters(byte[] text) {
		var parameters = new Parameters();
		parameters.setLimit(1 << 20);
		parameters.setCharset(StandardCharsets.UTF_8);
		parameters.setQueryStringCharset(StandardCharsets.UTF_8);
		if (text.length > 0) {
			parameters.processParameters(text, 0, text.length);
		}
		var pairs = new ArrayList<String[]>();
		for (String name : Collections.list(parameters.getParameterNames())) {
			for (String value : parameters.getParameterValues(name)) {
				pairs.add(new String[] {name, value});
			}
		}
		return pairs;
	}

	record Request(String getContentType, byte[] body) implements UploadContext {
		public String getCharacterEncoding() { return "UTF-8"; }
		public long contentLength() { return body.length; }
		public InputStream getInputStream() { return new ByteArrayInputStream(body); }
	}

	// entry takes the fourth text, a file's content, as bytes in ISO-8859-1.
	static String entry(String... texts) {
		var entry = new StringJoiner(",", "[", "]");
		for (int i = 0; i < texts.length; i++) {
			byte[] bytes = texts[i] == null ? new byte[0] : texts[i].getBytes(i == 3 ? StandardCharsets.ISO_8859_1 : StandardCharsets.UTF_8);
			entry.add("\"" + HexFormat.of().formatHex(bytes) + "\"");
		}
		return entry.toString();
	}

	static String hex(String text) {
		return HexFormat.of().formatHex(text.getBytes(StandardCharsets.UTF_8));
	}

	static Element parse(byte[] body) throws Exception {
		var factory = DocumentBuilderFactory.newInstance();
		factory.setNamespaceAware(true);
		factory.setCoalescing(true);
		var builder = factory.newDocumentBuilder();
		builder.setErrorHandler(null);
		return builder.parse(new ByteArrayInputStream(body)).getDocumentElement();
	}

	static String describe(Element element) {
		var text = new StringBuilder();
		var attributes = new TreeSet<String>();
		var children = new StringJoiner(" ");
		for (Node child = element.getFirstChild(); child != null; child = child.getNextSibling()) {
			if (child instanceof Element inner) {
				children.add(describe(inner));
			} else if (child instanceof Text piece) {
				text.append(piece.getData());
			}
		}
		for (int i = 0; i < element.getAttributes().getLength(); i++) {
			var attribute = (Attr) element.getAttributes().item(i);
			if (!"http://www.w3.org/2000/xmlns/".equals(attribute.getNamespaceURI())) {
				attributes.add(" {" + Objects.requireNonNullElse(attribute.getNamespaceURI(), "") + "}" + attribute.getLocalName() + "=<" + attribute.getValue() + ">");
			}
		}
		return "{" + Objects.requireNonNullElse(element.getNamespaceURI(), "") + "}" + element.getLocalName() + " <" + text + ">" + String.join("", attributes) + " [" + children + "]";
	}
}
