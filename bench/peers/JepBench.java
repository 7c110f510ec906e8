import java.util.ArrayList;
import java.util.List;
import jep.JepConfig;
import jep.SharedInterpreter;

/** Jep: JepBench ITEMS SIZE SECONDS FOLDER MODULE INIT PACKAGES */
public final class JepBench {
  private JepBench() {}

  public static void main(String[] args) throws Exception {
    List<List<String>> batches = Items.cut(Items.read(args[0]), Integer.parseInt(args[1]));
    int size = Integer.parseInt(args[1]);
    double seconds = Double.parseDouble(args[2]);
    SharedInterpreter.setConfig(new JepConfig().addIncludePaths(args[3], args[6]));
    try (SharedInterpreter python = new SharedInterpreter()) {
      python.exec("import " + args[4] + " as module");
      if (!args[5].isEmpty()) python.exec("module." + args[5] + "()");
      // A list of Python's own: every handler would make one of Java's first.
      python.exec("def handle(batch):\n  return module.handle(list(batch))");

      List<String> first = new ArrayList<>();
      for (int at = 0; first.size() < Items.digestItems() && at < batches.size(); at++) {
        first.addAll(call(python, batches.get(at)));
      }
      run(python, batches, seconds / 2);
      long start = System.nanoTime();
      long done = run(python, batches, seconds);
      double took = (System.nanoTime() - start) / 1e9;
      Items.answer(done * size, size, took, Items.digest(first));
    }
    System.exit(0);
  }

  @SuppressWarnings("unchecked")
  private static List<String> call(SharedInterpreter python, List<String> batch) {
    return (List<String>) python.invoke("handle", batch);
  }

  private static long run(SharedInterpreter python, List<List<String>> batches, double seconds) {
    long end = System.nanoTime() + (long) (seconds * 1e9);
    long done = 0;
    while (System.nanoTime() < end) {
      List<String> batch = batches.get((int) (done % batches.size()));
      if (call(python, batch).size() != batch.size()) throw new IllegalStateException("results are missing");
      done++;
    }
    return done;
  }
}
