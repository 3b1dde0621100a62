import de.bwaldvogel.mongo.MongoCollection;
import de.bwaldvogel.mongo.backend.EmptyIndex;
import de.bwaldvogel.mongo.backend.IndexKey;
import de.bwaldvogel.mongo.bson.Document;
import de.bwaldvogel.mongo.bson.ObjectId;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.UUID;
import java.util.function.Function;

/**
 * Finds documents by the exact value of one of its fields; lives in memory and is filled again at each start. It may
 * find more than was asked for, never less: the whole filter is checked on what it finds.
 */
final class FieldIndex extends EmptyIndex<Integer> {
    /** Stands for the values of a field that has, or lies in, an array. */
    private static final Object SEVERAL = new Object();

    private final Map<String, Map<Object, Set<Object>>> fields = new LinkedHashMap<>();
    private final Function<Object, Integer> slotOf;
    private long count;

    /**
     * Makes an index that has nothing yet.
     *
     * @param slotOf tells where the document of an {@code _id} is, which the index of {@code _id} knows
     */
    FieldIndex(String name, List<IndexKey> keys, Function<Object, Integer> slotOf) {
        super(name, keys);
        this.slotOf = slotOf;
        keys.forEach(key -> fields.put(key.getKey(), new HashMap<>()));
    }

    @Override
    public void add(Document document, Integer slot, MongoCollection<Integer> collection) {
        Object id = document.get("_id");
        fields.forEach((field, ids) -> put(ids, valueOf(document, field), id));
        count++;
    }

    @Override
    public Integer remove(Document document) {
        fields.forEach((field, ids) -> take(ids, valueOf(document, field), document.get("_id")));
        count--;
        return null; // the index of _id tells the slot
    }

    @Override
    public void updateInPlace(Document before, Document after, Integer slot, MongoCollection<Integer> collection) {
        Object id = after.get("_id");
        fields.forEach((field, ids) -> {
            take(ids, valueOf(before, field), id);
            put(ids, valueOf(after, field), id);
        });
    }

    @Override
    public boolean canHandle(Document query) {
        return fields.keySet().stream().anyMatch(field -> exact(query.get(field)) != null);
    }

    /** The candidates of the field that leaves the fewest. */
    @Override
    public Iterable<Integer> getPositions(Document query) {
        List<Object> fewest = null;
        for (Map.Entry<String, Map<Object, Set<Object>>> field : fields.entrySet()) {
            Object asked = exact(query.get(field.getKey()));
            if (asked == null) {
                continue;
            }
            Set<Object> one = field.getValue().getOrDefault(asked, Set.of());
            Set<Object> several = field.getValue().getOrDefault(SEVERAL, Set.of());
            if (fewest == null || one.size() + several.size() < fewest.size()) {
                fewest = new ArrayList<>(one);
                fewest.addAll(several);
            }
        }
        return fewest.stream().map(slotOf).filter(Objects::nonNull).toList();
    }

    @Override
    public long getCount() {
        return count;
    }

    private static void put(Map<Object, Set<Object>> ids, Object value, Object id) {
        if (value != null) {
            ids.computeIfAbsent(value, unseen -> new LinkedHashSet<>()).add(id);
        }
    }

    private static void take(Map<Object, Set<Object>> ids, Object value, Object id) {
        if (value != null) {
            ids.computeIfPresent(value, (same, known) -> known.remove(id) && known.isEmpty() ? null : known);
        }
    }

    private static Object valueOf(Document document, String field) {
        Object value = document;
        for (String name : field.split("\\.")) {
            if (value instanceof Collection<?> items) {
                return items.isEmpty() ? null : SEVERAL;
            }
            if (!(value instanceof Map<?, ?> map)) {
                return null;
            }
            value = map.get(name);
        }
        return value instanceof Collection<?> items && !items.isEmpty() ? SEVERAL : exact(value);
    }

    /** The value under which equal values meet, or null for one that is not simply equal to itself. */
    private static Object exact(Object value) {
        if (value instanceof Number number) {
            return number.doubleValue() + 0.0; // -0.0 becomes 0.0
        }
        boolean plain = value instanceof String || value instanceof Boolean || value instanceof UUID
            || value instanceof Instant || value instanceof ObjectId;
        return plain ? value : null;
    }
}
