package varve;

import static varve.OracleMain.JSON;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import java.io.BufferedWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

/**
 * What a Java consumer sees of a topic, from the start of each partition to its end as of the call: judged by the consumer's
 * position, which also passes control batches, aborted records and holes, and never by a timeout.
 */
final class Consuming {
  private static final long PATIENCE_MS = 120_000;
  private static final long ANSWER_CHARS_MAX = 100_000_000;

  private interface Sink {
    void row(String line) throws Exception;
  }

  private final String bootstrap;

  Consuming(String bootstrap) {
    this.bootstrap = bootstrap;
  }

  JsonNode consume(JsonNode params) throws Exception {
    ArrayNode lines = JSON.createArrayNode();
    long[] chars = {0};
    read(params, line -> {
      chars[0] += line.length();
      if (chars[0] > ANSWER_CHARS_MAX) {
        throw new IllegalArgumentException("more than " + ANSWER_CHARS_MAX + " characters to answer: use consumeToFile");
      }
      lines.add(line);
    });
    return lines;
  }

  JsonNode consumeToFile(JsonNode params) throws Exception {
    long rows;
    try (BufferedWriter file = Files.newBufferedWriter(Path.of(params.get("file").asText()), StandardCharsets.UTF_8)) {
      rows = read(params, line -> {
        file.write(line);
        file.write('\n');
      });
    }
    return JSON.createObjectNode().put("records", rows);
  }

  private long read(JsonNode params, Sink sink) throws Exception {
    Map<String, Object> settings = new HashMap<>(Map.of(
        "bootstrap.servers", bootstrap,
        "isolation.level", params.path("isolation").asText("read_committed"),
        "enable.auto.commit", false,
        "auto.offset.reset", "none",
        "allow.auto.create.topics", false,
        "fetch.max.wait.ms", 20,
        "max.poll.records", 10_000,
        "max.partition.fetch.bytes", 16_000_000));
    long rows = 0;
    try (KafkaConsumer<byte[], byte[]> consumer =
        new KafkaConsumer<>(settings, new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
      List<TopicPartition> partitions = partitions(consumer, params);
      Map<TopicPartition, Long> ends = consumer.endOffsets(partitions);
      for (TopicPartition partition : partitions) {
        rows += read(consumer, partition, ends.get(partition), sink);
      }
    }
    return rows;
  }

  private static List<TopicPartition> partitions(KafkaConsumer<byte[], byte[]> consumer, JsonNode params) {
    String topic = params.get("topic").asText();
    List<TopicPartition> partitions = new ArrayList<>();
    if (params.hasNonNull("partitions")) {
      params.get("partitions").forEach(p -> partitions.add(new TopicPartition(topic, p.asInt())));
    } else {
      consumer.partitionsFor(topic).forEach(p -> partitions.add(new TopicPartition(topic, p.partition())));
    }
    partitions.sort(Comparator.comparingInt(TopicPartition::partition));
    return partitions;
  }

  private static long read(KafkaConsumer<byte[], byte[]> consumer, TopicPartition partition, long end, Sink sink)
      throws Exception {
    consumer.assign(List.of(partition));
    consumer.seekToBeginning(List.of(partition));
    long rows = 0;
    long moved = System.nanoTime();
    for (long position = consumer.position(partition); position < end; ) {
      for (ConsumerRecord<byte[], byte[]> record : consumer.poll(Duration.ofMillis(200))) {
        if (record.offset() < end) {
          sink.row(Row.json(record));
          rows++;
        }
      }
      long reached = consumer.position(partition);
      if (reached > position) {
        moved = System.nanoTime();
      } else if (System.nanoTime() - moved > PATIENCE_MS * 1_000_000) {
        throw new IllegalStateException(partition + " stands at " + reached + ", expected " + end);
      }
      position = reached;
    }
    return rows;
  }
}
