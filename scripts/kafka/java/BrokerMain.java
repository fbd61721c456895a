package varve;

import java.util.Arrays;
import org.apache.kafka.common.utils.Exit;

/**
 * One broker that dies with its owner. The owner holds the other end of our standard input; its end of file means that the
 * owner is gone, however it went, so the broker halts and its data folder is removed.
 *
 * <p>Arguments: the folder to remove, server.properties, then what StorageTool is to be called with (nothing for a broker
 * that has been formatted before). Formatting in this JVM saves the start of a second one.
 */
public final class BrokerMain {
  public static void main(String[] args) throws Exception {
    String folder = args[0];
    Thread watch = new Thread(() -> haltWhenOwnerIsGone(folder), "owner-watch");
    watch.setDaemon(true);
    watch.start();
    String[] format = Arrays.copyOfRange(args, 2, args.length);
    if (format.length > 0) {
      format(format);
    }
    kafka.Kafka.main(new String[] {args[1]});
  }

  private static void haltWhenOwnerIsGone(String folder) {
    try {
      while (System.in.read() >= 0) {
        // The owner never writes: only the end matters.
      }
    } catch (java.io.IOException gone) {
      // The same as the end of file.
    }
    try {
      new ProcessBuilder("rm", "-rf", folder).start();
    } catch (java.io.IOException kept) {
      System.err.println("cannot remove " + folder + ": " + kept);
    }
    Runtime.getRuntime().halt(0);
  }

  /** StorageTool's main ends the JVM, on every version: turn that into an exception for as long as it runs. */
  private static void format(String[] args) {
    Exit.setExitProcedure((status, message) -> { throw new Ended(status, message); });
    try {
      kafka.tools.StorageTool.main(args);
    } catch (Ended ended) {
      if (ended.status != 0) {
        System.err.println("format failed with status " + ended.status + ": " + ended.getMessage());
        Runtime.getRuntime().halt(ended.status);
      }
    } finally {
      Exit.resetExitProcedure();
    }
  }

  private static final class Ended extends RuntimeException {
    final int status;

    Ended(int status, String message) {
      super(message);
      this.status = status;
    }
  }
}
