import java.security.MessageDigest;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.Random;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.consumer.OffsetAndTimestamp;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

/**
 * Kafka's own client, for our adapter to be held to.
 *
 *   java -cp 'lib/*' Reference.java read BROKERS TOPIC ISOLATION
 *       one line a record: partition offset key sha256(value)
 *   java -cp 'lib/*' Reference.java interleave BROKERS TOPIC KEYS TRANSACTIONS SEED
 *       three transactional producers write side by side, one transaction in three is aborted, and
 *       a fourth producer writes outside of transactions in between
 *   java -cp 'lib/*' Reference.java committed BROKERS GROUP TOPIC
 *       one line a partition: partition offset metadata
 *   java -cp 'lib/*' Reference.java offsets-at BROKERS TOPIC TIMESTAMP...
 *       one line a time and partition: timestamp partition offset; the offset is that of the first
 *       record of that time or later, or the end
 *   java -cp 'lib/*' Reference.java fence BROKERS TRANSACTIONAL-ID
 *       takes the transactional id over, as a later owner would
 */
public class Reference {
  public static void main(String[] a) throws Exception {
    switch (a[0]) {
      case "read" -> read(a[1], a[2], a[3]);
      case "interleave" ->
          interleave(a[1], a[2], Integer.parseInt(a[3]), Integer.parseInt(a[4]), Long.parseLong(a[5]));
      case "committed" -> committed(a[1], a[2], a[3]);
      case "offsets-at" -> offsetsAt(a[1], a[2], List.of(a).subList(3, a.length));
      case "fence" -> {
        try (KafkaProducer<String, byte[]> producer = producer(a[1], a[2])) {
          producer.initTransactions();
        }
      }
      default -> throw new IllegalArgumentException(a[0]);
    }
  }

  private static void read(String brokers, String topic, String isolation) throws Exception {
    try (KafkaConsumer<String, byte[]> consumer = consumer(brokers, isolation, null)) {
      List<TopicPartition> partitions = partitions(consumer, topic);
      consumer.assign(partitions);
      consumer.seekToBeginning(partitions);
      Map<TopicPartition, Long> ends = consumer.endOffsets(partitions);
      StringBuilder lines = new StringBuilder();
      while (partitions.stream().anyMatch(p -> consumer.position(p) < ends.get(p))) {
        for (ConsumerRecord<String, byte[]> record : consumer.poll(Duration.ofMillis(500))) {
          byte[] digest = MessageDigest.getInstance("SHA-256").digest(record.value());
          lines.append(record.partition()).append(' ').append(record.offset()).append(' ');
          lines.append(record.key()).append(' ');
          lines.append(HexFormat.of().formatHex(digest)).append('\n');
        }
      }
      System.out.print(lines);
    }
  }

  private static void interleave(String brokers, String topic, int keys, int transactions, long seed)
      throws Exception {
    Random random = new Random(seed);
    List<KafkaProducer<String, byte[]>> producers = new ArrayList<>();
    for (int index = 0; index < 3; index++) {
      KafkaProducer<String, byte[]> producer = producer(brokers, topic + "-reference-" + index);
      producer.initTransactions();
      producers.add(producer);
    }
    int number = 0;
    int aborted = 0;
    try (KafkaProducer<String, byte[]> plain = producer(brokers, null)) {
      for (int round = 0; round < transactions; round++) {
        for (KafkaProducer<String, byte[]> producer : producers) producer.beginTransaction();
        for (int step = 0; step < 12; step++) {
          int which = random.nextInt(4);
          KafkaProducer<String, byte[]> producer = which == 3 ? plain : producers.get(which);
          String key = "key-" + random.nextInt(keys);
          producer.send(new ProducerRecord<>(topic, key, ("value " + number++).getBytes())).get();
        }
        for (KafkaProducer<String, byte[]> producer : producers) {
          if (random.nextInt(3) == 0) {
            producer.abortTransaction();
            aborted++;
          } else {
            producer.commitTransaction();
          }
        }
      }
    }
    for (KafkaProducer<String, byte[]> producer : producers) producer.close();
    System.out.println(number + " " + aborted);
  }

  private static void committed(String brokers, String group, String topic) {
    try (KafkaConsumer<String, byte[]> consumer = consumer(brokers, "read_committed", group)) {
      for (TopicPartition partition : partitions(consumer, topic)) {
        OffsetAndMetadata position = consumer.committed(java.util.Set.of(partition)).get(partition);
        if (position == null) continue;
        System.out.println(partition.partition() + " " + position.offset() + " " + position.metadata());
      }
    }
  }

  private static void offsetsAt(String brokers, String topic, List<String> timestamps) {
    try (KafkaConsumer<String, byte[]> consumer = consumer(brokers, "read_committed", null)) {
      List<TopicPartition> partitions = partitions(consumer, topic);
      Map<TopicPartition, Long> ends = consumer.endOffsets(partitions);
      for (String timestamp : timestamps) {
        Map<TopicPartition, Long> times = new HashMap<>();
        for (TopicPartition partition : partitions) times.put(partition, Long.parseLong(timestamp));
        Map<TopicPartition, OffsetAndTimestamp> found = consumer.offsetsForTimes(times);
        for (TopicPartition partition : partitions) {
          OffsetAndTimestamp at = found.get(partition);
          long offset = at == null ? ends.get(partition) : at.offset();
          System.out.println(timestamp + " " + partition.partition() + " " + offset);
        }
      }
    }
  }

  private static List<TopicPartition> partitions(KafkaConsumer<?, ?> consumer, String topic) {
    return consumer.partitionsFor(topic).stream()
        .map(info -> new TopicPartition(topic, info.partition()))
        .toList();
  }

  private static KafkaConsumer<String, byte[]> consumer(String brokers, String isolation, String group) {
    Properties properties = new Properties();
    properties.put(ConsumerConfig.BOOTSTRAP_SERVERS_CONFIG, brokers);
    properties.put(ConsumerConfig.ISOLATION_LEVEL_CONFIG, isolation);
    properties.put(ConsumerConfig.ENABLE_AUTO_COMMIT_CONFIG, "false");
    if (group != null) properties.put(ConsumerConfig.GROUP_ID_CONFIG, group);
    return new KafkaConsumer<>(properties, new StringDeserializer(), new ByteArrayDeserializer());
  }

  private static KafkaProducer<String, byte[]> producer(String brokers, String transactionalId) {
    Properties properties = new Properties();
    properties.put(ProducerConfig.BOOTSTRAP_SERVERS_CONFIG, brokers);
    if (transactionalId != null) {
      properties.put(ProducerConfig.TRANSACTIONAL_ID_CONFIG, transactionalId);
    }
    return new KafkaProducer<>(properties, new StringSerializer(), new ByteArraySerializer());
  }
}
