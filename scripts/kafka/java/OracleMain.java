package varve;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.BufferedReader;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import org.apache.kafka.clients.admin.Admin;

/**
 * Kafka's own Java client behind JSON lines: one request a line on standard input, one answer a line (the
 * request's number, a space, JSON) on standard output, in whatever order they finish. It is the oracle of the exactness tests, and it ends when its owner closes the input.
 */
public final class OracleMain {
  static final ObjectMapper JSON = new ObjectMapper();

  private interface Method {
    JsonNode call(JsonNode params) throws Exception;
  }

  public static void main(String[] args) throws Exception {
    PrintStream answers = new PrintStream(new FileOutputStream(FileDescriptor.out), false, StandardCharsets.UTF_8);
    System.setOut(System.err);
    Admin client = Admin.create(Map.of("bootstrap.servers", args[0]));
    Administration admin = new Administration(client);
    Producing producing = new Producing(args[0], client);
    Consuming consuming = new Consuming(args[0]);
    Map<String, Method> methods = Map.ofEntries(
        Map.entry("createTopic", admin::createTopic),
        Map.entry("deleteTopic", admin::deleteTopic),
        Map.entry("createPartitions", admin::createPartitions),
        Map.entry("alterConfigs", admin::alterConfigs),
        Map.entry("describeConfigs", admin::describeConfigs),
        Map.entry("deleteRecords", admin::deleteRecords),
        Map.entry("describeTopic", admin::describeTopic),
        Map.entry("listTopics", admin::listTopics),
        Map.entry("listGroups", admin::listGroups),
        Map.entry("listOffsets", admin::listOffsets),
        Map.entry("commitOffsets", admin::commitOffsets),
        Map.entry("listGroupOffsets", admin::listGroupOffsets),
        Map.entry("moveLeader", admin::moveLeader),
        Map.entry("setAcl", admin::setAcl),
        Map.entry("removeAcl", admin::removeAcl),
        Map.entry("setQuota", admin::setQuota),
        Map.entry("produce", producing::produce),
        Map.entry("produceLoad", producing::produceLoad),
        Map.entry("beginTransaction", producing::beginTransaction),
        Map.entry("commitTransaction", producing::commitTransaction),
        Map.entry("abortTransaction", producing::abortTransaction),
        Map.entry("consume", consuming::consume),
        Map.entry("consumeToFile", consuming::consumeToFile));
    // An answer that cannot be written would leave its caller waiting for ever: the end of this JVM does not.
    Thread.setDefaultUncaughtExceptionHandler((thread, thrown) -> {
      thrown.printStackTrace();
      Runtime.getRuntime().halt(1);
    });
    ExecutorService threads = Executors.newCachedThreadPool();
    BufferedReader requests = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    for (String line = requests.readLine(); line != null; line = requests.readLine()) {
      JsonNode request = JSON.readTree(line);
      threads.execute(() -> {
        ObjectNode answer = answer(methods, request);
        String text = request.get("id").asInt() + " " + answer;
        synchronized (answers) {
          answers.println(text);
          answers.flush();
        }
      });
    }
    Runtime.getRuntime().halt(0);
  }

  private static ObjectNode answer(Map<String, Method> methods, JsonNode request) {
    ObjectNode answer = JSON.createObjectNode();
    try {
      Method method = methods.get(request.get("method").asText());
      if (method == null) {
        throw new IllegalArgumentException("no method " + request.get("method"));
      }
      answer.set("result", method.call(request.get("params")));
    } catch (Throwable thrown) {
      Throwable cause = thrown;
      while ((cause instanceof ExecutionException || cause instanceof CompletionException) && cause.getCause() != null) {
        cause = cause.getCause();
      }
      ObjectNode error = answer.putObject("error");
      error.put("class", cause.getClass().getName());
      error.put("message", String.valueOf(cause.getMessage()));
    }
    return answer;
  }
}
