import java.util.ArrayDeque;
import java.util.Arrays;
import java.util.Deque;
import java.util.function.LongSupplier;
import java.util.stream.IntStream;

/** Where the documents of one collection are in the log: by slot, a number that a document keeps while it exists. */
final class Slots {
    interface Reader<T> {
        T read(long place, int length);
    }

    private static final long NOWHERE = -1;
    private static final int RECORD_OVERHEAD = 16;

    final int number;
    private long[] places = new long[16];
    private int[] lengths = new int[16];
    private int end;
    private int count;
    private long bytes;
    private Deque<Integer> free;

    Slots(int number) {
        this.number = number;
    }

    /** Takes a slot that no document has. */
    synchronized int take() {
        if (free == null) {
            free = new ArrayDeque<>(IntStream.range(0, end).filter(slot -> !has(slot)).boxed().toList());
        }
        Integer again = free.poll();
        return again == null ? end : again;
    }

    /** Notes where the document of a slot was written; one of no bytes is not there any more. */
    synchronized void put(int slot, long place, int length) {
        while (slot >= places.length) {
            places = Arrays.copyOf(places, places.length * 2);
            lengths = Arrays.copyOf(lengths, lengths.length * 2);
        }
        if (slot >= end) {
            Arrays.fill(places, end, slot + 1, NOWHERE);
            end = slot + 1;
        }
        if (has(slot)) {
            count--;
            bytes -= RECORD_OVERHEAD + lengths[slot];
        }
        places[slot] = length == 0 ? NOWHERE : place;
        lengths[slot] = length;
        if (length > 0) {
            count++;
            bytes += RECORD_OVERHEAD + length;
        } else if (free != null) {
            free.add(slot);
        }
    }

    /** Writes the document of a slot; in one with noting where, or a copy of the old one might come after it. */
    synchronized void write(int slot, int length, LongSupplier append) {
        put(slot, append.getAsLong(), length);
    }

    /** Lets a document that is still in this place be written to another. */
    synchronized void move(int slot, long place, LongSupplier append) {
        if (has(slot) && places[slot] == place) {
            places[slot] = append.getAsLong();
        }
    }

    /** Reads the document of a slot, which stays where it is meanwhile; null where there is none. */
    synchronized <T> T read(int slot, Reader<T> reader) {
        return has(slot) ? reader.read(places[slot], lengths[slot]) : null;
    }

    synchronized boolean has(int slot) {
        return slot < end && places[slot] != NOWHERE;
    }

    /** One more than the highest slot that was ever taken. */
    synchronized int end() {
        return end;
    }

    synchronized int count() {
        return count;
    }

    /** How many bytes of the log still count. */
    synchronized long bytes() {
        return bytes;
    }
}
