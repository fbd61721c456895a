package varve;

import static varve.OracleMain.JSON;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.stream.Stream;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.ConsumerGroupListing;
import org.apache.kafka.clients.admin.ListOffsetsOptions;
import org.apache.kafka.clients.admin.ListOffsetsResult.ListOffsetsResultInfo;
import org.apache.kafka.clients.admin.NewPartitionReassignment;
import org.apache.kafka.clients.admin.NewPartitions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.admin.RecordsToDelete;
import org.apache.kafka.clients.admin.TopicDescription;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.ElectionType;
import org.apache.kafka.common.IsolationLevel;
import org.apache.kafka.common.Node;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.TopicPartitionInfo;
import org.apache.kafka.common.acl.AccessControlEntry;
import org.apache.kafka.common.acl.AclBinding;
import org.apache.kafka.common.acl.AclOperation;
import org.apache.kafka.common.acl.AclPermissionType;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.errors.ElectionNotNeededException;
import org.apache.kafka.common.errors.InvalidReplicationFactorException;
import org.apache.kafka.common.errors.RetriableException;
import org.apache.kafka.common.errors.UnknownTopicOrPartitionException;
import org.apache.kafka.common.quota.ClientQuotaAlteration;
import org.apache.kafka.common.quota.ClientQuotaEntity;
import org.apache.kafka.common.resource.PatternType;
import org.apache.kafka.common.resource.ResourcePattern;
import org.apache.kafka.common.resource.ResourceType;

/** Topics, configs, offsets, groups and ACLs. What it changes is in effect, on every broker it can ask, when it answers. */
final class Administration {
  private static final long PATIENCE_MS = 120_000;

  private final Admin admin;

  Administration(Admin admin) {
    this.admin = admin;
  }

  JsonNode createTopic(JsonNode params) throws Exception {
    String topic = params.get("topic").asText();
    short replicas = (short) params.path("replicationFactor").asInt(1);
    NewTopic created = new NewTopic(topic, params.path("partitions").asInt(1), replicas);
    created.configs(texts(params.path("configs")));
    awaited(() -> {
      admin.createTopics(List.of(created)).all().get();
      return JSON.createObjectNode();
    }, "topic " + topic + " to be made");
    JsonNode led = awaited(() -> {
      TopicDescription found = describe(topic);
      boolean isLed = found.partitions().stream().allMatch(p -> p.leader() != null && p.isr().size() == replicas);
      return isLed ? description(found) : null;
    }, "leaders of topic " + topic);
    // A leader that is named may not know it yet. A producer with two batches on their way would then get the second
    // one in before the first; a leader that answers takes the first. Kafka 3.9 answers late.
    return answered(topic, led);
  }

  private JsonNode answered(String topic, JsonNode led) throws Exception {
    return awaited(() -> {
      offsets(describe(topic), OffsetSpec.latest(), IsolationLevel.READ_UNCOMMITTED);
      return led;
    }, "the leaders of topic " + topic + " to answer");
  }

  JsonNode deleteTopic(JsonNode params) throws Exception {
    String topic = params.get("topic").asText();
    admin.deleteTopics(List.of(topic)).all().get();
    return awaited(() -> {
      return admin.listTopics().names().get().contains(topic) ? null : JSON.createObjectNode();
    }, "topic " + topic + " to be gone");
  }

  JsonNode createPartitions(JsonNode params) throws Exception {
    String topic = params.get("topic").asText();
    int count = params.get("count").asInt();
    admin.createPartitions(Map.of(topic, NewPartitions.increaseTo(count))).all().get();
    JsonNode led = awaited(() -> {
      TopicDescription found = describe(topic);
      boolean isLed = found.partitions().stream().allMatch(p -> p.leader() != null);
      return isLed && found.partitions().size() == count ? description(found) : null;
    }, count + " partitions of topic " + topic);
    return answered(topic, led);
  }

  JsonNode alterConfigs(JsonNode params) throws Exception {
    ConfigResource topic = new ConfigResource(ConfigResource.Type.TOPIC, params.get("topic").asText());
    Collection<AlterConfigOp> changes = new ArrayList<>();
    params.get("configs").fields().forEachRemaining(config -> changes.add(new AlterConfigOp(
        new ConfigEntry(config.getKey(), config.getValue().isNull() ? null : config.getValue().asText()),
        config.getValue().isNull() ? AlterConfigOp.OpType.DELETE : AlterConfigOp.OpType.SET)));
    admin.incrementalAlterConfigs(Map.of(topic, changes)).all().get();
    return awaited(() -> {
      JsonNode now = describeConfigs(params);
      boolean isSo = changes.stream().allMatch(change -> {
        JsonNode value = now.get(change.configEntry().name());
        String wanted = change.configEntry().value();
        return value == null ? wanted == null : wanted != null && isSame(value.asText(), wanted);
      });
      return isSo ? JSON.createObjectNode() : null;
    }, "configs " + changes + " of " + topic);
  }

  /** A number is told in the broker's own words: 1 as 1.0. */
  private static boolean isSame(String one, String other) {
    try {
      return one.equals(other) || Double.parseDouble(one) == Double.parseDouble(other);
    } catch (NumberFormatException text) {
      return false;
    }
  }

  JsonNode describeConfigs(JsonNode params) throws Exception {
    ConfigResource topic = new ConfigResource(ConfigResource.Type.TOPIC, params.get("topic").asText());
    ObjectNode configs = JSON.createObjectNode();
    admin.describeConfigs(Set.of(topic)).all().get().get(topic).entries().stream()
        .filter(entry -> entry.source() == ConfigEntry.ConfigSource.DYNAMIC_TOPIC_CONFIG)
        .forEach(entry -> configs.put(entry.name(), entry.value()));
    return configs;
  }

  JsonNode deleteRecords(JsonNode params) throws Exception {
    long before = params.get("before").asLong();
    long low = admin.deleteRecords(Map.of(partition(params), RecordsToDelete.beforeOffset(before)))
        .lowWatermarks().get(partition(params)).get().lowWatermark();
    return JSON.createObjectNode().put("logStart", Long.toString(low));
  }

  JsonNode describeTopic(JsonNode params) throws Exception {
    return description(describe(params.get("topic").asText()));
  }

  JsonNode listTopics(JsonNode params) throws Exception {
    return sorted(admin.listTopics().names().get().stream());
  }

  JsonNode listGroups(JsonNode params) throws Exception {
    return sorted(admin.listConsumerGroups().all().get().stream().map(ConsumerGroupListing::groupId));
  }

  private static JsonNode sorted(Stream<String> names) {
    ArrayNode rows = JSON.createArrayNode();
    names.sorted().forEach(rows::add);
    return rows;
  }

  JsonNode listOffsets(JsonNode params) throws Exception {
    TopicDescription topic = describe(params.get("topic").asText());
    Map<Integer, Long> earliest = offsets(topic, OffsetSpec.earliest(), IsolationLevel.READ_UNCOMMITTED);
    Map<Integer, Long> latest = offsets(topic, OffsetSpec.latest(), IsolationLevel.READ_UNCOMMITTED);
    Map<Integer, Long> stable = offsets(topic, OffsetSpec.latest(), IsolationLevel.READ_COMMITTED);
    ArrayNode rows = JSON.createArrayNode();
    earliest.forEach((partition, offset) -> rows.addObject()
        .put("partition", partition)
        .put("earliest", Long.toString(offset))
        .put("latest", Long.toString(latest.get(partition)))
        .put("stable", Long.toString(stable.get(partition))));
    return rows;
  }

  JsonNode commitOffsets(JsonNode params) throws Exception {
    Map<TopicPartition, OffsetAndMetadata> offsets = new HashMap<>();
    for (JsonNode row : params.get("offsets")) {
      offsets.put(partition(row),
          new OffsetAndMetadata(row.get("offset").asLong(), Optional.empty(), row.path("metadata").asText("")));
    }
    admin.alterConsumerGroupOffsets(params.get("group").asText(), offsets).all().get();
    return JSON.createObjectNode();
  }

  JsonNode listGroupOffsets(JsonNode params) throws Exception {
    ArrayNode rows = JSON.createArrayNode();
    admin.listConsumerGroupOffsets(params.get("group").asText()).partitionsToOffsetAndMetadata().get().entrySet().stream()
        .filter(entry -> entry.getValue() != null)
        .sorted((a, b) -> a.getKey().toString().compareTo(b.getKey().toString()))
        .forEach(entry -> rows.addObject()
            .put("topic", entry.getKey().topic())
            .put("partition", entry.getKey().partition())
            .put("offset", Long.toString(entry.getValue().offset()))
            .put("metadata", entry.getValue().metadata())
            .put("leaderEpoch", entry.getValue().leaderEpoch().orElse(-1)));
    return rows;
  }

  JsonNode moveLeader(JsonNode params) throws Exception {
    TopicPartition moved = partition(params);
    int broker = params.get("broker").asInt();
    List<Integer> replicas = new ArrayList<>(List.of(broker));
    TopicPartitionInfo before = describe(moved.topic()).partitions().get(moved.partition());
    before.replicas().stream().map(Node::id).filter(id -> id != broker).limit(before.replicas().size() - 1L)
        .forEach(replicas::add);
    admin.alterPartitionReassignments(Map.of(moved, Optional.of(new NewPartitionReassignment(replicas)))).all().get();
    return awaited(() -> {
      try {
        admin.electLeaders(ElectionType.PREFERRED, Set.of(moved)).partitions().get().get(moved).ifPresent(failed -> {
          if (!(failed instanceof ElectionNotNeededException || failed instanceof RetriableException)) {
            throw new IllegalStateException(failed);
          }
        });
      } catch (ExecutionException retried) {
        if (!(retried.getCause() instanceof RetriableException)) {
          throw retried;
        }
      }
      TopicDescription found = describe(moved.topic());
      Node leader = found.partitions().get(moved.partition()).leader();
      return leader != null && leader.id() == broker ? description(found) : null;
    }, "broker " + broker + " to lead " + moved);
  }

  JsonNode setAcl(JsonNode params) throws Exception {
    AclBinding binding = acl(params);
    admin.createAcls(List.of(binding)).all().get();
    return awaited(() -> admin.describeAcls(binding.toFilter()).values().get().isEmpty() ? null : JSON.createObjectNode(),
        binding + " to be set");
  }

  JsonNode removeAcl(JsonNode params) throws Exception {
    AclBinding binding = acl(params);
    admin.deleteAcls(List.of(binding.toFilter())).all().get();
    return awaited(() -> admin.describeAcls(binding.toFilter()).values().get().isEmpty() ? JSON.createObjectNode() : null,
        binding + " to be gone");
  }

  JsonNode setQuota(JsonNode params) throws Exception {
    Map<String, String> entity = new HashMap<>();
    entity.put(ClientQuotaEntity.CLIENT_ID, params.get("clientId").asText(null));
    if (params.has("user")) entity.put(ClientQuotaEntity.USER, params.get("user").asText());
    ClientQuotaEntity client = new ClientQuotaEntity(entity);
    JsonNode rate = params.get("bytesPerSecond");
    ClientQuotaAlteration.Op change =
        new ClientQuotaAlteration.Op(params.get("quota").asText(), rate.isNull() ? null : rate.asDouble());
    admin.alterClientQuotas(List.of(new ClientQuotaAlteration(client, List.of(change)))).all().get();
    return JSON.createObjectNode();
  }

  static TopicPartition partition(JsonNode params) {
    return new TopicPartition(params.get("topic").asText(), params.get("partition").asInt());
  }

  private static AclBinding acl(JsonNode params) {
    String type = params.has("group") ? "group" : params.has("cluster") ? "cluster" : "topic";
    return new AclBinding(
        new ResourcePattern(ResourceType.fromString(type), params.get(type).asText(),
            params.path("prefixed").asBoolean() ? PatternType.PREFIXED : PatternType.LITERAL),
        new AccessControlEntry("User:" + params.get("username").asText(), params.path("host").asText("*"),
            AclOperation.fromString(params.path("operation").asText("ALL")),
            AclPermissionType.fromString(params.get("permission").asText())));
  }

  private TopicDescription describe(String topic) throws Exception {
    return admin.describeTopics(List.of(topic)).allTopicNames().get().get(topic);
  }

  private static ObjectNode description(TopicDescription topic) {
    ObjectNode description = JSON.createObjectNode();
    description.put("topicId", topic.topicId().toString());
    ArrayNode partitions = description.putArray("partitions");
    for (TopicPartitionInfo partition : topic.partitions()) {
      ObjectNode row = partitions.addObject();
      row.put("partition", partition.partition());
      row.put("leader", partition.leader() == null ? -1 : partition.leader().id());
      ArrayNode replicas = row.putArray("replicas");
      partition.replicas().forEach(node -> replicas.add(node.id()));
      ArrayNode inSync = row.putArray("inSync");
      partition.isr().forEach(node -> inSync.add(node.id()));
    }
    return description;
  }

  private Map<Integer, Long> offsets(TopicDescription topic, OffsetSpec spec, IsolationLevel isolation)
      throws Exception {
    Map<TopicPartition, OffsetSpec> asked = new HashMap<>();
    topic.partitions().forEach(p -> asked.put(new TopicPartition(topic.name(), p.partition()), spec));
    Map<Integer, Long> answered = new TreeMap<>();
    for (Map.Entry<TopicPartition, ListOffsetsResultInfo> entry :
        admin.listOffsets(asked, new ListOffsetsOptions(isolation)).all().get().entrySet()) {
      answered.put(entry.getKey().partition(), entry.getValue().offset());
    }
    return answered;
  }

  private static Map<String, String> texts(JsonNode object) {
    Map<String, String> texts = new HashMap<>();
    object.fields().forEachRemaining(entry -> texts.put(entry.getKey(), entry.getValue().asText()));
    return texts;
  }

  /**
   * The first answer that is not null. An unknown topic is no answer yet, since brokers learn of it one by one; nor are too
   * few brokers for the replicas, since one that was slow for a moment is none until it is back.
   */
  static JsonNode awaited(Callable<JsonNode> attempt, String what) throws Exception {
    long deadline = System.nanoTime() + PATIENCE_MS * 1_000_000;
    while (true) {
      try {
        JsonNode answer = attempt.call();
        if (answer != null) {
          return answer;
        }
      } catch (ExecutionException early) {
        if (!(early.getCause() instanceof UnknownTopicOrPartitionException
            || early.getCause() instanceof InvalidReplicationFactorException)) {
          throw early;
        }
      }
      if (System.nanoTime() > deadline) {
        throw new IllegalStateException("waited " + PATIENCE_MS + " ms for " + what);
      }
      Thread.sleep(20);
    }
  }
}
