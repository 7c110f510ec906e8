import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;

/** What both programs share: the items, cut into batches, and the answer that bench/peers/jvm.ts reads. */
final class Items {
  private static final int DIGEST_ITEMS = 256;

  private Items() {}

  static List<String> read(String file) throws Exception {
    return Files.readAllLines(Path.of(file), StandardCharsets.UTF_8);
  }

  /** A ring of batches of one size; items repeat where there are too few for two batches. */
  static List<List<String>> cut(List<String> items, int size) {
    int count = Math.max(2, items.size() / size);
    List<List<String>> batches = new ArrayList<>(count);
    for (int batch = 0; batch < count; batch++) {
      List<String> one = new ArrayList<>(size);
      for (int index = 0; index < size; index++) one.add(items.get((batch * size + index) % items.size()));
      batches.add(one);
    }
    return batches;
  }

  /** The hash that bench/harness/measure.ts makes of the first results. */
  static String digest(List<String> results) throws Exception {
    MessageDigest hash = MessageDigest.getInstance("SHA-256");
    for (String result : results.subList(0, Math.min(DIGEST_ITEMS, results.size()))) {
      hash.update((result + "\n").getBytes(StandardCharsets.UTF_8));
    }
    return HexFormat.of().formatHex(hash.digest()).substring(0, 16);
  }

  static int digestItems() {
    return DIGEST_ITEMS;
  }

  /** Without a digest where results come in any order. */
  static void answer(long items, int size, double seconds, String digest) {
    System.out.printf(
        "RESULT {\"batches\":%d,\"seconds\":%s,\"itemsPerSecond\":%s%s}%n",
        items / size, seconds, items / seconds, digest == null ? "" : ",\"digest\":\"" + digest + "\"");
  }
}
