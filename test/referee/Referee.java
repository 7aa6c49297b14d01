import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.Set;
import java.util.TreeMap;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.StringDeserializer;

/**
 * Judges exactly-once from the topics alone, with Kafka's own client and no code of Halfsight:
 *
 *   java -cp 'lib/*' Referee.java BROKERS FRAME-TOPIC DEAD-LETTER-TOPIC RESULT-TOPIC...
 *
 * Every frame id (record header `frame-id`: camera-epoch-sequence) of the frame topic must be on
 * each result topic once, or on the dead-letter topic once, for a reader that is read-committed;
 * and results of one camera and epoch must be in order of their sequence. Prints one line of JSON
 * and ends with 0 when all of it holds, else with 1.
 */
public class Referee {
  private static final Duration POLL = Duration.ofMillis(500);
  private static final int EXAMPLES_MAX = 5;

  /** What was seen on one topic. */
  private static final class Seen {
    final Map<String, Integer> countOfFrame = new HashMap<>();
    final Map<String, Long> newestOfEpoch = new HashMap<>();
    long records;
    long withoutIdentity;
    long outOfOrder;

    void add(ConsumerRecord<String, byte[]> record) {
      records++;
      Header header = record.headers().lastHeader("frame-id");
      if (header == null) {
        withoutIdentity++;
        return;
      }
      String frame = new String(header.value());
      countOfFrame.merge(frame, 1, Integer::sum);
      int dash = frame.lastIndexOf('-');
      String epoch = frame.substring(0, dash);
      long sequence = Long.parseLong(frame.substring(dash + 1));
      Long newest = newestOfEpoch.get(epoch);
      if (newest != null && sequence < newest) outOfOrder++;
      else newestOfEpoch.put(epoch, sequence);
    }

    long duplicated() {
      return countOfFrame.values().stream().mapToLong(count -> count - 1).sum();
    }
  }

  public static void main(String[] arguments) {
    String brokers = arguments[0];
    Seen frames = read(brokers, arguments[1], "read_committed");
    Seen dead = read(brokers, arguments[2], "read_committed");
    boolean isSound = true;
    List<String> verdicts = new ArrayList<>();
    for (int index = 3; index < arguments.length; index++) {
      Seen results = read(brokers, arguments[index], "read_committed");
      long uncommitted = read(brokers, arguments[index], "read_uncommitted").records;
      Set<String> missing = new HashSet<>(frames.countOfFrame.keySet());
      missing.removeAll(results.countOfFrame.keySet());
      missing.removeAll(dead.countOfFrame.keySet());
      Set<String> unexpected = new HashSet<>(results.countOfFrame.keySet());
      unexpected.removeIf(frame -> {
        return frames.countOfFrame.containsKey(frame) && !dead.countOfFrame.containsKey(frame);
      });
      isSound &= missing.isEmpty() && unexpected.isEmpty() && results.duplicated() == 0;
      isSound &= results.outOfOrder == 0 && results.withoutIdentity == 0;
      Map<String, Object> verdict = new TreeMap<>();
      verdict.put("records", results.records);
      verdict.put("recordsOfReadUncommitted", uncommitted);
      verdict.put("missing", missing.size());
      verdict.put("duplicated", results.duplicated());
      verdict.put("outOfOrder", results.outOfOrder);
      verdict.put("unexpected", unexpected.size());
      verdict.put("withoutIdentity", results.withoutIdentity);
      verdict.put("missingExamples", examples(missing));
      verdict.put("unexpectedExamples", examples(unexpected));
      verdicts.add(text(arguments[index]) + ":" + json(verdict));
    }
    isSound &= dead.duplicated() == 0;
    System.out.println(
        "{\"sound\":" + isSound
            + ",\"frames\":" + frames.countOfFrame.size()
            + ",\"framesRepeated\":" + frames.duplicated()
            + ",\"deadLetters\":" + dead.records
            + ",\"topics\":{" + String.join(",", verdicts) + "}}");
    System.exit(isSound ? 0 : 1);
  }

  /** Everything from the beginning to what is the end now; read-committed, to the last stable offset. */
  private static Seen read(String brokers, String topic, String isolation) {
    Properties properties = new Properties();
    properties.put(ConsumerConfig.BOOTSTRAP_SERVERS_CONFIG, brokers);
    properties.put(ConsumerConfig.ISOLATION_LEVEL_CONFIG, isolation);
    properties.put(ConsumerConfig.ENABLE_AUTO_COMMIT_CONFIG, "false");
    Seen seen = new Seen();
    try (KafkaConsumer<String, byte[]> consumer =
        new KafkaConsumer<>(properties, new StringDeserializer(), new ByteArrayDeserializer())) {
      List<TopicPartition> partitions =
          consumer.partitionsFor(topic).stream()
              .map(info -> new TopicPartition(topic, info.partition()))
              .toList();
      consumer.assign(partitions);
      consumer.seekToBeginning(partitions);
      Map<TopicPartition, Long> ends = consumer.endOffsets(partitions);
      while (partitions.stream().anyMatch(p -> consumer.position(p) < ends.get(p))) {
        for (ConsumerRecord<String, byte[]> record : consumer.poll(POLL)) {
          if (record.offset() < ends.get(new TopicPartition(topic, record.partition()))) {
            seen.add(record);
          }
        }
      }
    }
    return seen;
  }

  private static List<String> examples(Set<String> frames) {
    return frames.stream().sorted().limit(EXAMPLES_MAX).map(Referee::text).toList();
  }

  private static String json(Map<String, Object> object) {
    List<String> entries = new ArrayList<>();
    object.forEach((name, value) -> entries.add(text(name) + ":" + value));
    return "{" + String.join(",", entries) + "}";
  }

  private static String text(String value) {
    return "\"" + value.replace("\\", "\\\\").replace("\"", "\\\"") + "\"";
  }
}
