import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;

import org.apache.kafka.common.compress.Compression;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.record.TimestampType;
import org.apache.kafka.common.record.internal.CompressionType;
import org.apache.kafka.common.record.internal.ControlRecordType;
import org.apache.kafka.common.record.internal.EndTransactionMarker;
import org.apache.kafka.common.record.internal.MemoryRecords;
import org.apache.kafka.common.record.internal.MemoryRecordsBuilder;
import org.apache.kafka.common.record.internal.MutableRecordBatch;
import org.apache.kafka.common.record.internal.Record;
import org.apache.kafka.common.record.internal.RecordBatch;
import org.apache.kafka.common.utils.BufferSupplier;
import org.apache.kafka.common.utils.ByteBufferOutputStream;
import org.apache.kafka.common.utils.Crc32C;

/**
 * Writes test/fixtures/batches: record batches as Kafka's own Java classes lay them out, each with what those classes
 * read back from it. Run by hand, with the jars of a Kafka distribution and the lz4 and zstd commands at hand:
 *
 *     java -cp 'LIBS/*' scripts/golden/GoldenBatches.java test/fixtures/batches
 *
 * The outcome is committed: the tests need no Java.
 */
public class GoldenBatches {
    static final Map<String, MemoryRecords> cases = new LinkedHashMap<>();
    /** What the Java classes cannot read themselves, and the same records in a form that they can. */
    static final Map<String, MemoryRecords> readFrom = new LinkedHashMap<>();
    static final long NOW = 1_790_000_000_000L;

    public static void main(String[] args) throws Exception {
        for (CompressionType type : CompressionType.values()) perCodec(type);
        timestamps();
        transactions();
        compaction();
        otherClients();
        Path folder = Path.of(args[0]);
        Files.createDirectories(folder);
        for (Map.Entry<String, MemoryRecords> entry : cases.entrySet()) write(folder, entry.getKey(), entry.getValue());
    }

    static void perCodec(CompressionType type) {
        String codec = type.name;
        MemoryRecordsBuilder single = builder(type, 7, 5);
        single.append(NOW, bytes("key"), bytes("value"));
        add(codec + "-single", single);

        MemoryRecordsBuilder several = builder(type, 1000, 2);
        for (int i = 0; i < 40; i++) several.append(NOW + i * 7, bytes("key-" + i % 3), bytes("value ".repeat(i) + i));
        add(codec + "-several", several);

        MemoryRecordsBuilder nothing = builder(type, 0, 0);
        nothing.append(NOW, (byte[]) null, null);
        nothing.append(NOW, new byte[0], new byte[0]);
        nothing.append(NOW, (byte[]) null, new byte[0]);
        nothing.append(NOW, new byte[0], null);
        nothing.append(NOW, new byte[] {0, 0, 0, 0}, new byte[] {0, 0, 0, 1});
        nothing.append(NOW, new byte[] {(byte) 0xff, (byte) 0xfe, 0, (byte) 0x80}, binary(300));
        add(codec + "-null-and-empty", nothing);

        MemoryRecordsBuilder headers = builder(type, 5_000_000_000L, 9);
        headers.append(NOW, bytes("k"), bytes("v"), new Header[] {
            header("b", "1"), header("a", "2"), header("b", "3"), header("b", "1"), header("2", "two"), header("10", "ten"), header("1", "one"),
        });
        headers.append(NOW, null, bytes("v"), new Header[] {
            new RecordHeader("null", null), new RecordHeader("empty", new byte[0]), new RecordHeader("", bytes("no name")),
            new RecordHeader("", null), header("__proto__", "x"), header("constructor", "y"), header("Ünïcödé \uD83D\uDE80", "z"),
            new RecordHeader("binary", binary(64)),
        });
        headers.append(NOW, (byte[]) null, null, new Header[0]);
        add(codec + "-headers", headers);

        MemoryRecordsBuilder large = builder(type, 12, 1);
        for (int i = 0; i < 3; i++) large.append(NOW, null, mixed(type == CompressionType.NONE ? 5_000 : 100_000, i));
        add(codec + "-large", large);
    }

    static void timestamps() {
        MemoryRecordsBuilder append = new MemoryRecordsBuilder(ByteBuffer.allocate(4096), RecordBatch.CURRENT_MAGIC_VALUE,
            Compression.NONE, TimestampType.LOG_APPEND_TIME, 50, NOW + 123, RecordBatch.NO_PRODUCER_ID,
            RecordBatch.NO_PRODUCER_EPOCH, RecordBatch.NO_SEQUENCE, false, false, 3, 4096);
        append.append(1, bytes("a"), bytes("1"));
        append.append(NOW + 5_000_000, bytes("b"), bytes("2"));
        add("append-time", append);

        MemoryRecordsBuilder far = builder(CompressionType.NONE, 0, 0);
        far.append(NOW, null, bytes("now"));
        far.append(NOW - 50L * 365 * 86_400_000L, null, bytes("fifty years before"));
        far.append(NOW + 50L * 365 * 86_400_000L, null, bytes("fifty years after"));
        far.append(NOW - 1, null, bytes("a moment before"));
        add("timestamps-50-years-apart", far);

        // The builder refuses these; brokers take them from other clients.
        long[] wanted = {-1, 0, -5};
        for (long base : wanted) {
            MemoryRecordsBuilder one = builder(CompressionType.NONE, 0, 0);
            one.append(100, null, bytes("first"));
            one.append(103, null, bytes("second"));
            add("timestamp-" + (base < 0 ? "minus-" + -base : "" + base), rebased(one.build(), base, base + 3));
        }
        MemoryRecordsBuilder last = builder(CompressionType.NONE, 0, 0);
        last.append(0, null, bytes("zero"));
        last.append(Long.MAX_VALUE, null, bytes("last of all"));
        last.append(Long.MAX_VALUE - 1, null, bytes("one before"));
        add("timestamp-largest", last);
        MemoryRecordsBuilder wrapped = builder(CompressionType.NONE, 0, 0);
        wrapped.append(0, null, bytes("minus one"));
        wrapped.append(Long.MAX_VALUE, null, bytes("delta of 2^63 - 1 from minus one"));
        add("timestamp-largest-from-minus-1", rebased(wrapped.build(), -1, Long.MAX_VALUE - 1));
    }

    static void transactions() {
        for (CompressionType type : new CompressionType[] {CompressionType.NONE, CompressionType.LZ4}) {
            MemoryRecordsBuilder data = new MemoryRecordsBuilder(ByteBuffer.allocate(4096), RecordBatch.CURRENT_MAGIC_VALUE,
                Compression.of(type).build(), TimestampType.CREATE_TIME, 20, RecordBatch.NO_TIMESTAMP, 4_000_000_001L,
                (short) 3, 2_147_483_646, true, false, 8, 4096);
            for (int i = 0; i < 4; i++) data.append(NOW + i, bytes("t" + i), bytes("in a transaction"));
            add("transactional-" + type.name, data);
        }
        for (ControlRecordType type : new ControlRecordType[] {ControlRecordType.COMMIT, ControlRecordType.ABORT}) {
            add("control-" + type.name().toLowerCase(), MemoryRecords.withEndTransactionMarker(24, NOW, 8, 4_000_000_001L, (short) 3,
                new EndTransactionMarker(type, 17)));
        }
        // Keys that look like markers, in a batch that is none.
        MemoryRecordsBuilder alike = builder(CompressionType.NONE, 30, 8);
        alike.append(NOW, new byte[] {0, 0, 0, 0}, bytes("abort?"));
        alike.append(NOW, new byte[] {0, 0, 0, 1}, bytes("commit?"));
        add("keys-like-markers", alike);
    }

    static void compaction() {
        for (CompressionType type : CompressionType.values()) {
            MemoryRecordsBuilder full = builder(type, 100, 4);
            for (int i = 0; i < 100; i++) full.append(NOW + i, bytes("k" + i), bytes("value " + i));
            add("compacted-holes-" + type.name, kept(full.build(), 3, 97, 50));
        }
        MemoryRecordsBuilder gone = new MemoryRecordsBuilder(ByteBuffer.allocate(4096), RecordBatch.CURRENT_MAGIC_VALUE,
            Compression.gzip().build(), TimestampType.CREATE_TIME, 400, RecordBatch.NO_TIMESTAMP, 77, (short) 1, 10, false, false, 4, 4096);
        for (int i = 0; i < 10; i++) gone.append(NOW + i, bytes("k" + i), bytes("value"));
        add("compacted-empty", kept(gone.build()));
        add("compacted-empty-control", kept(MemoryRecords.withEndTransactionMarker(24, NOW, 8, 9, (short) 3,
            new EndTransactionMarker(ControlRecordType.ABORT, 1))));
        // A tombstone sets the delete horizon when compaction first meets it: deltas then count from the horizon.
        MemoryRecordsBuilder horizon = builder(CompressionType.ZSTD, 600, 4);
        horizon.append(NOW, bytes("a"), null);
        horizon.append(NOW + 10, bytes("b"), bytes("stays"));
        add("compacted-delete-horizon", kept(horizon.build(), 0, 1));
    }

    /** The same records as other clients compress them: sections made by the codecs' own tools. */
    static void otherClients() throws Exception {
        MemoryRecordsBuilder plain = builder(CompressionType.NONE, 70, 6);
        for (int i = 0; i < 30; i++) plain.append(NOW + i, bytes("key-" + i), mixed(9_000, i));
        MemoryRecords records = plain.build();
        byte[] section = sectionOf(records);
        add("snappy-raw", resectioned(records, CompressionType.SNAPPY, org.xerial.snappy.Snappy.compress(section)));
        readFrom.put("lz4-linked", records);
        readFrom.put("lz4-linked-checksums", records);
        add("lz4-linked", resectioned(records, CompressionType.LZ4, run(section, "lz4", "-c", "-BD", "-B4")));
        add("lz4-linked-checksums", resectioned(records, CompressionType.LZ4, run(section, "lz4", "-c", "-BD", "-B4", "-BX")));
        add("lz4-independent-checksums", resectioned(records, CompressionType.LZ4, run(section, "lz4", "-c", "-BI", "-B5", "-BX", "-9")));
        Path file = Files.createTempFile("golden", ".section");
        Files.write(file, section);
        add("lz4-content-size", resectioned(records, CompressionType.LZ4, run(new byte[0], "lz4", "-c", "--content-size", file.toString())));
        add("zstd-content-size", resectioned(records, CompressionType.ZSTD, run(new byte[0], "zstd", "-c", "-19", file.toString())));
        Files.delete(file);
        add("zstd-streamed", resectioned(records, CompressionType.ZSTD, run(section, "zstd", "-c", "--no-check")));
        byte[] first = run(Arrays.copyOf(section, 100_000), "zstd", "-c");
        byte[] second = run(Arrays.copyOfRange(section, 100_000, section.length), "zstd", "-c");
        add("zstd-two-frames", resectioned(records, CompressionType.ZSTD, joined(first, second)));
        add("gzip-two-members", resectioned(records, CompressionType.GZIP,
            joined(run(Arrays.copyOf(section, 100_000), "gzip", "-c"), run(Arrays.copyOfRange(section, 100_000, section.length), "gzip", "-c"))));
    }

    static MemoryRecordsBuilder builder(CompressionType type, long baseOffset, int epoch) {
        return new MemoryRecordsBuilder(new ByteBufferOutputStream(512), RecordBatch.CURRENT_MAGIC_VALUE, Compression.of(type).build(),
            TimestampType.CREATE_TIME, baseOffset, RecordBatch.NO_TIMESTAMP, RecordBatch.NO_PRODUCER_ID,
            RecordBatch.NO_PRODUCER_EPOCH, RecordBatch.NO_SEQUENCE, false, false, epoch, 64 * 1024 * 1024);
    }

    /** What compaction leaves when only the records of these offsets, counted from the base, stay. */
    static MemoryRecords kept(MemoryRecords records, int... deltas) {
        MemoryRecords.RecordFilter filter = new MemoryRecords.RecordFilter(NOW, 1000) {
            @Override
            protected BatchRetentionResult checkBatchRetention(RecordBatch batch) {
                return new BatchRetentionResult(BatchRetention.RETAIN_EMPTY, false);
            }

            @Override
            protected boolean shouldRetainRecord(RecordBatch batch, Record record) {
                return Arrays.stream(deltas).anyMatch(delta -> batch.baseOffset() + delta == record.offset());
            }
        };
        ByteBuffer out = ByteBuffer.allocate(1024 * 1024);
        ByteBuffer written = records.filterTo(filter, out, BufferSupplier.NO_CACHING).outputBuffer();
        written.flip();
        return MemoryRecords.readableRecords(written);
    }

    static MemoryRecords rebased(MemoryRecords records, long baseTimestamp, long maxTimestamp) {
        ByteBuffer buffer = copy(records);
        buffer.putLong(27, baseTimestamp);
        buffer.putLong(35, maxTimestamp);
        return checksummed(buffer);
    }

    static MemoryRecords resectioned(MemoryRecords records, CompressionType type, byte[] section) {
        ByteBuffer buffer = ByteBuffer.allocate(61 + section.length);
        buffer.put(copy(records).array(), 0, 61).put(section).flip();
        buffer.putInt(8, 49 + section.length);
        buffer.putShort(21, (short) (buffer.getShort(21) & ~7 | type.id));
        return checksummed(buffer);
    }

    static MemoryRecords checksummed(ByteBuffer buffer) {
        buffer.putInt(17, (int) Crc32C.compute(buffer, 21, buffer.limit() - 21));
        return MemoryRecords.readableRecords(buffer);
    }

    static byte[] sectionOf(MemoryRecords records) {
        ByteBuffer buffer = copy(records);
        return Arrays.copyOfRange(buffer.array(), 61, buffer.limit());
    }

    static ByteBuffer copy(MemoryRecords records) {
        ByteBuffer from = records.buffer().duplicate();
        byte[] bytes = new byte[from.remaining()];
        from.get(bytes);
        return ByteBuffer.wrap(bytes);
    }

    static byte[] run(byte[] input, String... command) throws Exception {
        Process process = new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.INHERIT).start();
        Thread writer = new Thread(() -> {
            try (OutputStream to = process.getOutputStream()) {
                to.write(input);
            } catch (IOException error) {
                throw new IllegalStateException(error);
            }
        });
        writer.start();
        byte[] output;
        try (InputStream from = process.getInputStream()) {
            output = from.readAllBytes();
        }
        writer.join();
        if (process.waitFor() != 0) throw new IllegalStateException(String.join(" ", command));
        return output;
    }

    static byte[] joined(byte[] first, byte[] second) {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        out.writeBytes(first);
        out.writeBytes(second);
        return out.toByteArray();
    }

    static void add(String name, MemoryRecordsBuilder builder) {
        add(name, builder.build());
    }

    static void add(String name, MemoryRecords records) {
        if (cases.put(name, records) != null) throw new IllegalStateException(name);
    }

    static void write(Path folder, String name, MemoryRecords records) throws IOException {
        Files.write(folder.resolve(name + ".bin"), copy(records).array());
        List<String> batches = new ArrayList<>();
        for (MutableRecordBatch batch : records.batches()) {
            batch.ensureValid();
            List<String> read = new ArrayList<>();
            RecordBatch readable = readFrom.containsKey(name) ? readFrom.get(name).batches().iterator().next() : batch;
            for (Record record : readable) read.add("      " + json(batch, record));
            batches.add("  {\"bytes\": " + batch.sizeInBytes() + ", \"baseOffset\": \"" + batch.baseOffset() + "\", \"lastOffset\": \"" + batch.lastOffset()
                + "\", \"nextOffset\": \"" + batch.nextOffset() + "\", \"leaderEpoch\": " + batch.partitionLeaderEpoch()
                + ", \"codec\": \"" + batch.compressionType().name + "\", \"maxTimestamp\": \"" + batch.maxTimestamp()
                + "\", \"producerId\": \"" + batch.producerId() + "\", \"producerEpoch\": " + batch.producerEpoch()
                + ", \"baseSequence\": " + batch.baseSequence() + ", \"control\": " + batch.isControlBatch()
                + ", \"transactional\": " + batch.isTransactional() + ", \"count\": " + batch.countOrNull()
                + ",\n    \"records\": [\n" + String.join(",\n", read) + "\n    ]}");
        }
        Files.writeString(folder.resolve(name + ".json"), "[\n" + String.join(",\n", batches) + "\n]\n");
    }

    static String json(RecordBatch batch, Record record) {
        List<String> headers = new ArrayList<>();
        for (Header header : record.headers()) headers.add("[" + base64(bytes(header.key())) + ", " + base64(header.value()) + "]");
        String type = batch.timestampType() == TimestampType.LOG_APPEND_TIME ? "LogAppendTime" : "CreateTime";
        return "{\"offset\": \"" + record.offset() + "\", \"timestamp\": \"" + record.timestamp() + "\", \"type\": \"" + type
            + "\", \"key\": " + base64(record.key()) + ", \"value\": " + digest(record.value()) + ", \"headers\": [" + String.join(", ", headers) + "]}";
    }

    /** Long values by their digest: the fixtures are to stay small. */
    static String digest(ByteBuffer value) {
        if (value == null || value.remaining() < 2048) return base64(value);
        byte[] bytes = new byte[value.remaining()];
        value.duplicate().get(bytes);
        try {
            return "\"sha256:" + Base64.getEncoder().encodeToString(java.security.MessageDigest.getInstance("SHA-256").digest(bytes)) + "\"";
        } catch (java.security.NoSuchAlgorithmException error) {
            throw new IllegalStateException(error);
        }
    }

    static String base64(ByteBuffer buffer) {
        if (buffer == null) return "null";
        byte[] bytes = new byte[buffer.remaining()];
        buffer.duplicate().get(bytes);
        return base64(bytes);
    }

    static String base64(byte[] bytes) {
        return bytes == null ? "null" : "\"" + Base64.getEncoder().encodeToString(bytes) + "\"";
    }

    static Header header(String name, String value) {
        return new RecordHeader(name, bytes(value));
    }

    static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    static byte[] binary(int length) {
        byte[] bytes = new byte[length];
        for (int i = 0; i < length; i++) bytes[i] = (byte) (i * 37 + 11);
        return bytes;
    }

    /** Compressible, with pieces that are not, and with repetitions near and far. */
    static byte[] mixed(int length, int seed) {
        Random random = new Random(seed);
        byte[] bytes = new byte[length];
        byte[] noise = new byte[97];
        random.nextBytes(noise);
        for (int i = 0; i < length; i++) bytes[i] = i % 1000 < 150 ? (byte) (i * 31 + seed) : i % 3000 < 100 ? noise[i % 97] : (byte) ('a' + i / 500 % 7);
        return bytes;
    }
}
