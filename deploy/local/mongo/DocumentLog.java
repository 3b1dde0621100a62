import java.io.Closeable;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.FileChannel.MapMode;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentSkipListMap;
import java.util.stream.Stream;
import java.util.zip.CRC32;

/**
 * All documents of all collections, in the order in which they were written: a folder of files that only grow.
 *
 * <p>A document is written once, at the end. Its collection remembers where; what it replaces stays behind as waste. When
 * more than half is waste, what still counts of the oldest file is written anew at the end and the file is removed. So a
 * write costs its own bytes, however many documents there are. (A tree by {@code _id}, whose keys are hashes, wrote a
 * page of other documents with each.)
 *
 * <p>A record is the length of its body, a checksum, the number of its collection, its slot there, and the body. A body
 * without bytes removes what was in the slot. What a killed process was in the middle of writing is cut off at the next
 * start.
 *
 * <p>Source: J. Sheehy and D. Smith, "Bitcask: A Log-Structured Hash Table for Fast Key/Value Data" (2010).
 */
final class DocumentLog implements Closeable {

    /** The slot of a record whose body is the collection's name, in UTF-8. */
    private static final int NAME = -1;

    /** The slot of a record that drops a collection. */
    private static final int DROP = -2;

    private static final int HEADER_BYTES = 16;
    private static final int BUFFER_BYTES = 1 << 20;

    /** About how large a file becomes; tests have smaller ones. */
    private static final long FILE_BYTES = Long.getLong("labelmesh.mongo.file.bytes", 64L << 20);

    /** How much waste is let be, so that a small store is not written anew all the time. */
    private static final long WASTE_BYTES = 4 * FILE_BYTES;

    private static final int SYNCED_EVERY_MILLISECONDS = 250;

    /** One file: its channel, and where its next record goes. */
    private static final class Segment {
        final int number;
        final Path path;
        final FileChannel channel;
        volatile long flushed;
        long end;

        Segment(int number, Path path, FileChannel channel, long end) {
            this.number = number;
            this.path = path;
            this.channel = channel;
            this.flushed = end;
            this.end = end;
        }
    }

    private interface Visitor {
        void visit(long place, int collection, int slot, ByteBuffer body) throws IOException;
    }

    private final Path folder;
    private final boolean syncs;
    private final ConcurrentSkipListMap<Integer, Segment> segments = new ConcurrentSkipListMap<>();
    private final Map<Integer, Slots> collections = new TreeMap<>();
    private final Map<String, Integer> numbers = new TreeMap<>();
    private final ByteBuffer buffer = ByteBuffer.allocateDirect(BUFFER_BYTES);
    private Segment last;
    private int nextNumber;
    private boolean unsynced;
    private long bytes;
    private volatile boolean closed;

    /**
     * Opens the log of a folder, which may be empty.
     *
     * @param syncs whether writes have to survive a crash of the machine, a quarter of a second later; those of a
     *     process that is killed are with the operating system when they are acknowledged
     * @throws IOException the folder cannot be read or written, or a file in it is damaged
     */
    DocumentLog(Path folder, boolean syncs) throws IOException {
        this.folder = Files.createDirectories(folder);
        this.syncs = syncs;
        try (Stream<Path> files = Files.list(folder)) {
            for (Path path : files.filter(each -> each.toString().endsWith(".log")).sorted().toList()) {
                open(path);
            }
        }
        for (Segment segment : segments.values()) {
            restore(segment, segment.number == segments.lastKey());
        }
        collections.keySet().retainAll(numbers.values());
        last = segments.isEmpty() ? begin(0) : segments.lastEntry().getValue();
        daemon("sync", this::syncUntilClosed);
        daemon("clean", this::cleanUntilClosed);
    }

    private static void daemon(String name, Runnable work) {
        Thread thread = new Thread(work, "log-" + name);
        thread.setDaemon(true);
        thread.start();
    }

    /** The names of all collections that there are. */
    synchronized List<String> names() {
        return List.copyOf(numbers.keySet());
    }

    /** Returns where the documents of a collection are, and makes it where it is new. */
    synchronized Slots collection(String name) {
        Integer known = numbers.get(name);
        if (known != null) {
            return collections.get(known);
        }
        int number = nextNumber++;
        Slots slots = new Slots(number);
        numbers.put(name, number);
        collections.put(number, slots);
        append(number, NAME, ByteBuffer.wrap(name.getBytes(StandardCharsets.UTF_8)));
        return slots;
    }

    /** Forgets a collection and its documents. */
    synchronized void drop(String name) {
        Integer number = numbers.remove(name);
        if (number != null) {
            collections.remove(number);
            append(number, DROP, ByteBuffer.allocate(0));
        }
    }

    /** Writes a document, or its removal where the body has no bytes, and returns its place. */
    synchronized long append(int collection, int slot, ByteBuffer body) {
        int length = body.remaining();
        if (last.end + HEADER_BYTES + length > FILE_BYTES && last.end > 0) {
            roll();
        }
        if (buffer.remaining() < HEADER_BYTES + length) {
            flush();
        }
        unsynced = true;
        long place = (long) last.number << 32 | last.end;
        ByteBuffer header = ByteBuffer.allocate(HEADER_BYTES);
        header.putInt(length).putInt(checksum(collection, slot, body)).putInt(collection).putInt(slot).flip();
        if (buffer.capacity() < HEADER_BYTES + length) {
            write(header);
            write(body.duplicate());
            last.flushed = last.end + HEADER_BYTES + length;
        } else {
            buffer.put(header).put(body.duplicate());
        }
        last.end += HEADER_BYTES + length;
        bytes += HEADER_BYTES + length;
        return place;
    }

    /** Reads the body of a record. */
    ByteBuffer read(long place, int length) {
        Segment segment = segments.get((int) (place >>> 32));
        long at = (place & 0xffffffffL) + HEADER_BYTES;
        if (at + length > segment.flushed) {
            flush();
        }
        ByteBuffer body = ByteBuffer.allocate(length);
        try {
            while (body.hasRemaining()) {
                if (segment.channel.read(body, at + body.position()) < 0) {
                    throw new IOException("ends before " + (at + length));
                }
            }
        } catch (IOException error) {
            throw new UncheckedIOException("The file " + segment.path + " cannot be read", error);
        }
        return body.flip();
    }

    /** Hands over to the operating system what was written; called before a write is acknowledged. */
    synchronized void flush() {
        if (buffer.position() > 0) {
            buffer.flip();
            write(buffer);
            buffer.clear();
            last.flushed = last.end;
        }
    }

    /** How many bytes the files have. */
    synchronized long size() {
        return bytes;
    }

    @Override
    public synchronized void close() throws IOException {
        flush();
        closed = true;
        for (Segment segment : segments.values()) {
            segment.channel.close();
        }
    }

    private void write(ByteBuffer whole) {
        try {
            while (whole.hasRemaining()) {
                last.channel.write(whole);
            }
        } catch (IOException error) {
            giveUp(error);
        }
    }

    /** Ends the process: what the collections believe is not in the file, so nothing may be answered any more. */
    private void giveUp(IOException error) {
        System.err.println("The log " + last.path + " cannot be written: " + error + "; is the disk full?");
        Runtime.getRuntime().halt(1);
    }

    private void roll() {
        flush();
        sync(last);
        last = begin(last.number + 1);
    }

    private Segment begin(int number) {
        try {
            return open(folder.resolve(String.format("%08d.log", number)));
        } catch (IOException error) {
            throw new UncheckedIOException("No file can be made in " + folder, error);
        }
    }

    private Segment open(Path path) throws IOException {
        int number = Integer.parseInt(path.getFileName().toString().replace(".log", ""));
        FileChannel channel = FileChannel.open(
            path, StandardOpenOption.CREATE, StandardOpenOption.READ, StandardOpenOption.WRITE);
        channel.position(channel.size());
        Segment segment = new Segment(number, path, channel, channel.size());
        segments.put(number, segment);
        return segment;
    }

    private void restore(Segment segment, boolean isLast) throws IOException {
        long end = visit(segment, this::restore);
        if (end < segment.end) {
            if (!isLast) {
                throw new IOException(segment.path + " is damaged at byte " + end + "; `make clean` begins anew");
            }
            segment.channel.truncate(end);
            segment.channel.position(end);
            segment.flushed = segment.end = end;
        }
        bytes += end;
    }

    private void restore(long place, int collection, int slot, ByteBuffer body) {
        nextNumber = Math.max(nextNumber, collection + 1);
        if (slot == NAME) {
            numbers.put(StandardCharsets.UTF_8.decode(body).toString(), collection);
            collections.computeIfAbsent(collection, Slots::new);
        } else if (slot == DROP) {
            numbers.values().remove(collection);
            collections.remove(collection);
        } else {
            collections.computeIfAbsent(collection, Slots::new).put(slot, place, body.remaining());
        }
    }

    /** Shows each whole record of a file and returns where the last of them ends. */
    private long visit(Segment segment, Visitor visitor) throws IOException {
        if (segment.end == 0) {
            return 0;
        }
        ByteBuffer file = segment.channel.map(MapMode.READ_ONLY, 0, segment.end);
        while (file.remaining() >= HEADER_BYTES) {
            int start = file.position();
            int length = file.getInt();
            int checksum = file.getInt();
            int collection = file.getInt();
            int slot = file.getInt();
            if (length < 0 || length > file.remaining()) {
                return start;
            }
            ByteBuffer body = file.slice(file.position(), length);
            if (checksum != checksum(collection, slot, body)) {
                return start;
            }
            visitor.visit((long) segment.number << 32 | start, collection, slot, body);
            file.position(file.position() + length);
        }
        return file.position();
    }

    private static int checksum(int collection, int slot, ByteBuffer body) {
        CRC32 crc = new CRC32();
        crc.update(ByteBuffer.allocate(8).putInt(collection).putInt(slot).flip());
        crc.update(body.duplicate());
        return (int) crc.getValue();
    }

    private void syncUntilClosed() {
        while (rest()) {
            Segment segment;
            synchronized (this) {
                flush();
                segment = unsynced ? last : null;
                unsynced = false;
            }
            if (segment != null) {
                sync(segment);
            }
        }
    }

    private void sync(Segment segment) {
        try {
            if (syncs && !closed) {
                segment.channel.force(false);
            }
        } catch (IOException error) {
            if (!closed) {
                giveUp(error);
            }
        }
    }

    private void cleanUntilClosed() {
        while (rest()) {
            while (!closed && isWasteful()) {
                clean(segments.firstEntry().getValue());
            }
        }
    }

    private boolean rest() {
        try {
            Thread.sleep(SYNCED_EVERY_MILLISECONDS);
        } catch (InterruptedException error) {
            return false;
        }
        return !closed;
    }

    private boolean isWasteful() {
        List<Slots> all;
        long size;
        synchronized (this) { // no collection is asked in here: each comes to us while it holds its own lock
            all = List.copyOf(collections.values());
            size = bytes;
        }
        return segments.size() > 1 && size > 2 * all.stream().mapToLong(Slots::bytes).sum() + WASTE_BYTES;
    }

    /** Writes anew what still counts of the oldest file; what removed something may go, for nothing older is left. */
    private void clean(Segment oldest) {
        try {
            visit(oldest, this::writeAnew);
            flush();
            sync(last);
            synchronized (this) {
                segments.remove(oldest.number);
                bytes -= oldest.end;
            }
            Files.delete(oldest.path);
            oldest.channel.close();
        } catch (IOException error) {
            giveUp(error);
        }
    }

    private void writeAnew(long place, int collection, int slot, ByteBuffer body) {
        Slots slots;
        synchronized (this) {
            slots = collections.get(collection);
            if (slots != null && slot == NAME) {
                append(collection, NAME, body);
            }
        }
        if (slots != null && slot >= 0 && body.hasRemaining()) {
            slots.move(slot, place, () -> append(collection, slot, body));
        }
    }
}
