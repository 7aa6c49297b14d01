import java.nio.file.*;
import java.util.*;
import org.apache.avro.Schema;
import org.apache.avro.SchemaCompatibility;

/**
 * Judges versions of a schema by Avro's own rules, which are those of Confluent's registry: prints each pair of files
 * of which one cannot read what the other wrote, and how many pairs there were.
 *
 *   Compatibility DIRECTORY...    each with the versions of one schema
 */
class Compatibility {
  public static void main(String[] directories) throws Exception {
    int pairs = 0;
    for (String directory : directories) {
      var schemas = new TreeMap<Path, Schema>();
      try (var files = Files.list(Path.of(directory))) {
        for (Path file : files.toList()) schemas.put(file, new Schema.Parser().parse(file.toFile()));
      }
      for (var reader : schemas.entrySet()) {
        for (var writer : schemas.entrySet()) {
          pairs++;
          var verdict = SchemaCompatibility.checkReaderWriterCompatibility(reader.getValue(), writer.getValue());
          for (var trouble : verdict.getResult().getIncompatibilities()) {
            System.out.println(reader.getKey() + " cannot read " + writer.getKey() + ": " + trouble.getType());
          }
        }
      }
    }
    System.out.println(pairs + " pairs");
  }
}
