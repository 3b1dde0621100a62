import de.bwaldvogel.mongo.backend.AbstractUniqueIndex;
import de.bwaldvogel.mongo.backend.IndexKey;
import de.bwaldvogel.mongo.backend.KeyValue;
import java.util.AbstractMap.SimpleEntry;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** A unique index, above all that of {@code _id}: in memory, from a key to the slot of the one document that has it. */
final class UniqueIndex extends AbstractUniqueIndex<Integer> {
    private final Map<Object, Integer> slots = new HashMap<>();

    UniqueIndex(String name, List<IndexKey> keys, boolean sparse) {
        super(name, keys, sparse);
    }

    /** Takes over a key as it was found in the log. */
    void restore(Object key, int slot) {
        slots.put(plain(new KeyValue(key).normalized()), slot);
    }

    @Override
    protected synchronized Integer removeDocument(KeyValue key) {
        return slots.remove(plain(key));
    }

    @Override
    protected synchronized boolean putKeyPosition(KeyValue key, Integer slot) {
        return slots.putIfAbsent(plain(key), slot) == null;
    }

    @Override
    protected synchronized Integer getPosition(KeyValue key) {
        return slots.get(plain(key));
    }

    @Override
    protected synchronized Iterable<Map.Entry<KeyValue, Integer>> getIterable() {
        return slots.entrySet().stream()
            .<Map.Entry<KeyValue, Integer>>map(each -> new SimpleEntry<>(asKey(each.getKey()), each.getValue()))
            .toList();
    }

    @Override
    public synchronized long getCount() {
        return slots.size();
    }

    @Override
    public synchronized boolean isEmpty() {
        return slots.isEmpty();
    }

    @Override
    public long getDataSize() {
        return 0; // it takes no room in the files
    }

    /** Keys of one field are kept without the list that they come in: it is twice as large as they are. */
    private static Object plain(KeyValue key) {
        return key.size() == 1 && !(key.get(0) instanceof KeyValue) ? key.get(0) : key;
    }

    private static KeyValue asKey(Object plain) {
        return plain instanceof KeyValue key ? key : new KeyValue(plain);
    }
}
