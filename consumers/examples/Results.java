import com.fasterxml.jackson.databind.ObjectMapper;
import java.net.URI;
import java.net.http.*;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.*;
import java.time.Duration;
import java.util.*;
import org.apache.avro.*;
import org.apache.avro.generic.*;
import org.apache.avro.io.DecoderFactory;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

/** Prints the results of a topic as they come: Results BROKERS TOPIC [SCHEMA_REGISTRY_URL], run beside schemas/. */
class Results {
  static final Map<Long, Schema> byFingerprint = new HashMap<>();
  static final Map<Integer, Schema> byId = new HashMap<>();

  public static void main(String[] args) throws Exception {
    try (var files = Files.walk(Path.of("schemas/history"))) {
      for (Path file : files.filter(path -> path.toString().endsWith(".avsc")).toList()) {
        var schema = new Schema.Parser().parse(file.toFile());
        byFingerprint.put(SchemaNormalization.parsingFingerprint64(schema), schema);
      }
    }
    Map<String, Object> settings = Map.of("bootstrap.servers", args[0], "group.id", UUID.randomUUID().toString(),
        "isolation.level", "read_committed", "enable.auto.commit", "false");
    var bytes = new ByteArrayDeserializer();
    try (var consumer = new KafkaConsumer<>(settings, bytes, bytes)) {
      consumer.subscribe(List.of(args[1]));
      while (true) {
        for (var record : consumer.poll(Duration.ofSeconds(1))) System.out.println(decode(record.value(), args));
      }
    }
  }

  static Object decode(byte[] value, String[] args) throws Exception {
    // Confluent wire format: 00, the schema's id in the registry. Single-object encoding: C3 01, its fingerprint.
    boolean registered = value[0] == 0;
    int start = registered ? 5 : 10;
    if (registered && !byId.containsKey(ByteBuffer.wrap(value).getInt(1))) {
      int id = ByteBuffer.wrap(value).getInt(1);
      var request = HttpRequest.newBuilder(URI.create(args[2] + "/schemas/ids/" + id)).build();
      var answer = HttpClient.newHttpClient().send(request, HttpResponse.BodyHandlers.ofString()).body();
      byId.put(id, new Schema.Parser().parse(new ObjectMapper().readTree(answer).get("schema").asText()));
    }
    Schema schema = registered ? byId.get(ByteBuffer.wrap(value).getInt(1))
        : byFingerprint.get(ByteBuffer.wrap(value).order(ByteOrder.LITTLE_ENDIAN).getLong(2));
    var body = DecoderFactory.get().binaryDecoder(value, start, value.length - start, null);
    return new GenericDatumReader<GenericRecord>(schema).read(null, body);
  }
}
