// For every line read: the time in two ways, the second on a thread that was there from the start.
import java.io.*;
import java.time.Instant;
import java.util.concurrent.SynchronousQueue;

class Clocks {
    public static void main(String[] args) throws Exception {
        SynchronousQueue<Boolean> asked = new SynchronousQueue<>();
        SynchronousQueue<Instant> answered = new SynchronousQueue<>();
        Thread thread = new Thread(() -> {
            try {
                while (asked.take()) answered.put(Instant.now());
            } catch (InterruptedException e) { }
        });
        thread.setDaemon(true);
        thread.start();
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in));
        while (in.readLine() != null) {
            asked.put(true);
            Instant there = answered.take();
            long here = System.currentTimeMillis();
            System.out.printf("millis=%d.%03d thread=%d.%09d%n", here / 1000, here % 1000,
                there.getEpochSecond(), there.getNano());
        }
    }
}
