import com.hazelcast.config.Config;
import com.hazelcast.core.Hazelcast;
import com.hazelcast.core.HazelcastInstance;
import com.hazelcast.jet.config.EdgeConfig;
import com.hazelcast.jet.pipeline.BatchSource;
import com.hazelcast.jet.pipeline.Pipeline;
import com.hazelcast.jet.pipeline.Sink;
import com.hazelcast.jet.pipeline.SinkBuilder;
import com.hazelcast.jet.pipeline.SourceBuilder;
import com.hazelcast.jet.python.PythonServiceConfig;
import com.hazelcast.jet.python.PythonTransforms;
import java.util.ArrayList;
import java.util.List;

/** Hazelcast Jet's mapUsingPython: JetBench ITEMS SIZE SECONDS FOLDER MODULE INSTANCES */
public final class JetBench {
  private static final int CHUNK = 1024;

  // One process: source, sink and main see each other.
  private static List<String> items;
  private static int size;
  private static double seconds;
  private static volatile boolean done;
  private static long firstNanos;
  private static long startNanos;
  private static long startCount;
  private static long endNanos;
  private static long endCount;
  private static long count;
  private static final List<String> FIRST = new ArrayList<>();

  private JetBench() {}

  public static void main(String[] args) throws Exception {
    items = Items.read(args[0]);
    size = Integer.parseInt(args[1]);
    seconds = Double.parseDouble(args[2]);
    Config config = new Config();
    config.setProperty("hazelcast.logging.type", "none");
    config.setProperty("hazelcast.phone.home.enabled", "false");
    config.getNetworkConfig().getJoin().getAutoDetectionConfig().setEnabled(false);
    config.getNetworkConfig().getJoin().getMulticastConfig().setEnabled(false);
    config.getJetConfig().setEnabled(true).setResourceUploadEnabled(true);
    // A batch is what the queue before the stage holds, so that it has to hold two.
    config.getJetConfig().setDefaultEdgeConfig(new EdgeConfig().setQueueSize(Math.max(1024, 2 * size)));
    HazelcastInstance member = Hazelcast.newHazelcastInstance(config);
    try {
      PythonServiceConfig python =
          new PythonServiceConfig().setBaseDir(args[3]).setHandlerModule(args[4]).setHandlerFunction("handle");
      Pipeline pipeline = Pipeline.create();
      pipeline
          .readFrom(source())
          .apply(PythonTransforms.mapUsingPythonBatch(python, size))
          .setLocalParallelism(Integer.parseInt(args[5]))
          .writeTo(sink());
      member.getJet().newJob(pipeline).join();
    } finally {
      member.shutdown();
    }
    String digest = "1".equals(args[5]) ? Items.digest(FIRST) : null;
    Items.answer(endCount - startCount, size, (endNanos - startNanos) / 1e9, digest);
    System.exit(0);
  }

  private static BatchSource<String> source() {
    return SourceBuilder.batch("items", context -> new int[1])
        .<String>fillBufferFn(
            (next, buffer) -> {
              if (done) {
                buffer.close();
                return;
              }
              for (int added = 0; added < CHUNK; added++) {
                buffer.add(items.get(next[0]));
                next[0] = next[0] + 1 == items.size() ? 0 : next[0] + 1;
              }
            })
        .build();
  }

  private static Sink<String> sink() {
    return SinkBuilder.sinkBuilder("results", context -> new Object())
        .<String>receiveFn((unused, item) -> receive(item))
        .preferredLocalParallelism(1)
        .build();
  }

  /** Takes the time from the first result that comes after the warm-up to the first one after as long as asked for. */
  private static void receive(String item) {
    if (FIRST.size() < Items.digestItems()) FIRST.add(item);
    count++;
    // Asking for the time at every item would cost as much as a cheap item itself.
    if (done || (count & 63) != 0 && size > 1) return;
    long now = System.nanoTime();
    if (firstNanos == 0) firstNanos = now;
    if (startNanos == 0) {
      if (now - firstNanos < Math.max(1, seconds / 2) * 1e9 || count < 4L * size) return;
      startNanos = now;
      startCount = count;
    } else if (now - startNanos >= seconds * 1e9) {
      endNanos = now;
      endCount = count;
      done = true;
    }
  }
}
