package varve;

import static varve.OracleMain.JSON;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import java.lang.reflect.Field;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Base64;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicReference;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.TransactionState;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/** Records exactly as they were asked for, and fast generated ones. An answer means: acknowledged by all in-sync replicas. */
final class Producing {
  private final String bootstrap;
  private final Admin admin;
  private final Map<String, KafkaProducer<byte[], byte[]>> transactional = new ConcurrentHashMap<>();

  Producing(String bootstrap, Admin admin) {
    this.bootstrap = bootstrap;
    this.admin = admin;
  }

  JsonNode produce(JsonNode params) throws Exception {
    if (params.hasNonNull("transactionalId")) {
      return send(open(params), params);
    }
    try (KafkaProducer<byte[], byte[]> producer = producer(params)) {
      return send(producer, params);
    }
  }

  JsonNode beginTransaction(JsonNode params) {
    transactional.computeIfAbsent(params.get("transactionalId").asText(), id -> {
      KafkaProducer<byte[], byte[]> created = producer(params);
      created.initTransactions();
      return created;
    }).beginTransaction();
    return JSON.createObjectNode();
  }

  JsonNode commitTransaction(JsonNode params) throws Exception {
    open(params).commitTransaction();
    return markersWritten(params);
  }

  JsonNode abortTransaction(JsonNode params) throws Exception {
    open(params).abortTransaction();
    return markersWritten(params);
  }

  /** The client returns when the coordinator has decided; readers see it, and the stable offset moves, only with the markers. */
  private JsonNode markersWritten(JsonNode params) throws Exception {
    String id = params.get("transactionalId").asText();
    return Administration.awaited(() -> {
      TransactionState state = admin.describeTransactions(List.of(id)).description(id).get().state();
      boolean decidedOnly = state == TransactionState.PREPARE_COMMIT || state == TransactionState.PREPARE_ABORT;
      return decidedOnly ? null : JSON.createObjectNode();
    }, "the markers of transaction " + id);
  }

  /** The same seed gives the same keys and values: of each value the first half is random, the rest repeats it. */
  JsonNode produceLoad(JsonNode params) throws Exception {
    String topic = params.get("topic").asText();
    long records = params.get("records").asLong();
    int size = params.get("size").asInt();
    int partitions = params.path("partitions").asInt(1);
    boolean keyed = params.path("keyed").asBoolean(false);
    SplittableRandom random = new SplittableRandom(params.path("seed").asLong(1));
    JsonNode timestamp = params.path("timestamp");
    AtomicReference<Exception> failure = new AtomicReference<>();
    long began = System.nanoTime();
    try (KafkaProducer<byte[], byte[]> producer = producer(params)) {
      for (long i = 0; i < records && failure.get() == null; i++) {
        byte[] key = keyed ? ("key-" + random.nextInt(1_000_000)).getBytes(StandardCharsets.US_ASCII) : null;
        Long at = timestamp.isMissingNode() ? null : Long.valueOf(timestamp.asLong() + i);
        producer.send(new ProducerRecord<>(topic, (int) (i % partitions), at, key, value(random, size)),
            (sent, failed) -> {
              if (failed != null) {
                failure.compareAndSet(null, failed);
              }
            });
      }
      producer.flush();
    }
    if (failure.get() != null) {
      throw failure.get();
    }
    return JSON.createObjectNode().put("records", records).put("elapsedMs", (System.nanoTime() - began) / 1_000_000);
  }

  private static byte[] value(SplittableRandom random, int size) {
    byte[] value = new byte[size];
    ByteBuffer buffer = ByteBuffer.wrap(value);
    int half = size / 2;
    while (buffer.position() + 8 <= half) {
      buffer.putLong(random.nextLong());
    }
    int written = buffer.position();
    for (int i = written; i < size; i++) {
      value[i] = written == 0 ? (byte) random.nextInt() : value[i - written];
    }
    return value;
  }

  private KafkaProducer<byte[], byte[]> open(JsonNode params) {
    KafkaProducer<byte[], byte[]> producer = transactional.get(params.get("transactionalId").asText());
    if (producer == null) {
      throw new IllegalStateException("no transaction was begun by " + params.get("transactionalId"));
    }
    return producer;
  }

  private KafkaProducer<byte[], byte[]> producer(JsonNode params) {
    Map<String, Object> settings = new HashMap<>(Map.of(
        "bootstrap.servers", bootstrap,
        "acks", "all",
        "max.request.size", 100_000_000,
        "buffer.memory", 100_000_000L,
        "delivery.timeout.ms", 120_000));
    settings.put("enable.idempotence", params.path("idempotence").asBoolean(true));
    settings.put("compression.type", params.path("compression").asText("none"));
    if (params.hasNonNull("batchSize")) {
      settings.put("batch.size", params.get("batchSize").asInt());
    }
    if (params.hasNonNull("lingerMs")) {
      settings.put("linger.ms", params.get("lingerMs").asInt());
    }
    if (params.hasNonNull("transactionalId")) {
      settings.put("transactional.id", params.get("transactionalId").asText());
    }
    // The default of a minute would end the transactions of a test that a busy machine holds up.
    settings.put("transaction.timeout.ms", params.path("transactionTimeoutMs").asInt(600_000));
    return new KafkaProducer<>(settings, new ByteArraySerializer(), new ByteArraySerializer());
  }

  private static JsonNode send(KafkaProducer<byte[], byte[]> producer, JsonNode params) throws Exception {
    String topic = params.get("topic").asText();
    List<Future<RecordMetadata>> sent = new ArrayList<>();
    for (JsonNode row : params.get("records")) {
      sent.add(producer.send(record(topic, row)));
    }
    producer.flush();
    ArrayNode offsets = JSON.createArrayNode();
    for (Future<RecordMetadata> one : sent) {
      RecordMetadata metadata = one.get();
      offsets.addObject().put("partition", metadata.partition()).put("offset", Long.toString(metadata.offset()));
    }
    return offsets;
  }

  private static ProducerRecord<byte[], byte[]> record(String topic, JsonNode row) throws Exception {
    List<Header> headers = new ArrayList<>();
    for (JsonNode header : row.path("headers")) {
      headers.add(new RecordHeader(header.get(0).asText(), bytes(header.get(1))));
    }
    Long timestamp = row.hasNonNull("timestamp") ? Long.valueOf(row.get("timestamp").asLong()) : null;
    boolean absent = timestamp != null && timestamp == -1;
    ProducerRecord<byte[], byte[]> record = new ProducerRecord<>(topic,
        row.path("partition").isNull() ? null : Integer.valueOf(row.path("partition").asInt(0)), absent ? Long.valueOf(0) : timestamp, bytes(row.path("key")), bytes(row.path("value")), headers);
    if (absent) {
      // The constructor refuses every negative timestamp, though the format has -1 for "none" and brokers take it.
      Field field = ProducerRecord.class.getDeclaredField("timestamp");
      field.setAccessible(true);
      field.set(record, timestamp);
    }
    return record;
  }

  private static byte[] bytes(JsonNode base64) {
    return base64 == null || base64.isNull() || base64.isMissingNode() ? null : Base64.getDecoder().decode(base64.asText());
  }
}
