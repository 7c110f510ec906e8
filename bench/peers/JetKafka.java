import com.hazelcast.config.Config;
import com.hazelcast.core.Hazelcast;
import com.hazelcast.core.HazelcastInstance;
import com.hazelcast.jet.Job;
import com.hazelcast.jet.config.EdgeConfig;
import com.hazelcast.jet.config.JobConfig;
import com.hazelcast.jet.config.ProcessingGuarantee;
import com.hazelcast.jet.kafka.KafkaSinks;
import com.hazelcast.jet.kafka.KafkaSources;
import com.hazelcast.jet.pipeline.Pipeline;
import com.hazelcast.jet.python.PythonServiceConfig;
import com.hazelcast.jet.python.PythonTransforms;
import java.util.Properties;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.kafka.clients.producer.ProducerRecord;

/** Kafka, Python, Kafka by Hazelcast Jet, exactly once: JetKafka BROKERS INPUT OUTPUT RECORDS EVERY FOLDER MODULE INSTANCES */
public final class JetKafka {
  // One process: the sink and main see each other.
  private static final AtomicLong COUNT = new AtomicLong();

  private JetKafka() {}

  public static void main(String[] args) {
    try {
      run(args);
      System.exit(0);
    } catch (Throwable error) {
      error.printStackTrace();
      // Jet's threads would keep the process.
      System.exit(1);
    }
  }

  private static void run(String[] args) throws Exception {
    String brokers = args[0];
    String output = args[2];
    long records = Long.parseLong(args[3]);
    Config config = new Config();
    config.setProperty("hazelcast.logging.type", "none");
    config.setProperty("hazelcast.phone.home.enabled", "false");
    config.getNetworkConfig().getJoin().getAutoDetectionConfig().setEnabled(false);
    config.getNetworkConfig().getJoin().getMulticastConfig().setEnabled(false);
    config.getJetConfig().setEnabled(true).setResourceUploadEnabled(true);
    // A batch is what the queue before the stage holds, so that it has to hold two.
    config.getJetConfig().setDefaultEdgeConfig(new EdgeConfig().setQueueSize(2048));
    HazelcastInstance member = Hazelcast.newHazelcastInstance(config);
    PythonServiceConfig python =
        new PythonServiceConfig().setBaseDir(args[5]).setHandlerModule(args[6]).setHandlerFunction("handle");
    Pipeline pipeline = Pipeline.create();
    pipeline
        .readFrom(KafkaSources.<String, String, String>kafka(consumer(brokers), record -> record.value(), args[1]))
        .withoutTimestamps()
        .apply(PythonTransforms.mapUsingPython(python))
        .setLocalParallelism(Integer.parseInt(args[7]))
        .writeTo(
            KafkaSinks.<String>kafka(producer(brokers))
                .<String, String>toRecordFn(
                    value -> {
                      COUNT.incrementAndGet();
                      return new ProducerRecord<>(output, value);
                    })
                .exactlyOnce(true)
                .build());
    JobConfig options =
        new JobConfig()
            .setProcessingGuarantee(ProcessingGuarantee.EXACTLY_ONCE)
            .setSnapshotIntervalMillis(Long.parseLong(args[4]));
    Job job = member.getJet().newJob(pipeline, options);
    long from = await(job, records / 4);
    long started = System.nanoTime();
    long to = await(job, records * 9 / 10);
    double seconds = (System.nanoTime() - started) / 1e9;
    Items.answer(to - from, 1, seconds, null);
  }

  private static long await(Job job, long count) throws Exception {
    while (COUNT.get() < count) {
      if (job.getFuture().isDone()) job.join();
      Thread.sleep(5);
    }
    return COUNT.get();
  }

  private static Properties consumer(String brokers) {
    Properties all = new Properties();
    all.setProperty("bootstrap.servers", brokers);
    all.setProperty("key.deserializer", "org.apache.kafka.common.serialization.StringDeserializer");
    all.setProperty("value.deserializer", "org.apache.kafka.common.serialization.StringDeserializer");
    all.setProperty("auto.offset.reset", "earliest");
    return all;
  }

  private static Properties producer(String brokers) {
    Properties all = new Properties();
    all.setProperty("bootstrap.servers", brokers);
    all.setProperty("key.serializer", "org.apache.kafka.common.serialization.StringSerializer");
    all.setProperty("value.serializer", "org.apache.kafka.common.serialization.StringSerializer");
    all.setProperty("compression.type", "lz4");
    all.setProperty("linger.ms", "5");
    return all;
  }
}
