package varve;

import java.util.Base64;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.common.header.Header;

/** One record as `varve cat --json` prints it: the same members in the same order, no spaces, strings as JSON.stringify has them. */
final class Row {
  static String json(ConsumerRecord<byte[], byte[]> record) {
    StringBuilder json = new StringBuilder(256);
    json.append("{\"topic\":");
    string(json, record.topic());
    json.append(",\"partition\":").append(record.partition());
    json.append(",\"offset\":").append(record.offset());
    json.append(",\"timestamp\":").append(record.timestamp());
    json.append(",\"timestampType\":\"").append(record.timestampType().name).append('"');
    json.append(",\"key\":");
    base64(json, record.key());
    json.append(",\"value\":");
    base64(json, record.value());
    json.append(",\"headers\":[");
    String separator = "";
    for (Header header : record.headers()) {
      json.append(separator).append('[');
      string(json, header.key());
      json.append(',');
      base64(json, header.value());
      json.append(']');
      separator = ",";
    }
    return json.append("]}").toString();
  }

  private static void base64(StringBuilder json, byte[] bytes) {
    if (bytes == null) {
      json.append("null");
    } else {
      json.append('"').append(Base64.getEncoder().encodeToString(bytes)).append('"');
    }
  }

  /** Control characters, and those that turn text around; of a pair, each half. */
  private static boolean mustNotReachATerminal(String text, int at) {
    boolean isSecond = at > 0 && Character.isSurrogatePair(text.charAt(at - 1), text.charAt(at));
    int type = Character.getType(text.codePointAt(isSecond ? at - 1 : at));
    return type == Character.CONTROL
        || type == Character.FORMAT
        || type == Character.SURROGATE
        || type == Character.LINE_SEPARATOR
        || type == Character.PARAGRAPH_SEPARATOR;
  }

  private static void string(StringBuilder json, String text) {
    json.append('"');
    for (int i = 0; i < text.length(); i++) {
      char c = text.charAt(i);
      switch (c) {
        case '"' -> json.append("\\\"");
        case '\\' -> json.append("\\\\");
        case '\b' -> json.append("\\b");
        case '\t' -> json.append("\\t");
        case '\n' -> json.append("\\n");
        case '\f' -> json.append("\\f");
        case '\r' -> json.append("\\r");
        default -> {
          if (mustNotReachATerminal(text, i)) {
            json.append(String.format("\\u%04x", (int) c));
          } else {
            json.append(c);
          }
        }
      }
    }
    json.append('"');
  }
}
