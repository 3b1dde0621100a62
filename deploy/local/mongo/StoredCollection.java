import de.bwaldvogel.mongo.MongoDatabase;
import de.bwaldvogel.mongo.backend.AbstractSynchronizedMongoCollection;
import de.bwaldvogel.mongo.backend.ArrayFilters;
import de.bwaldvogel.mongo.backend.CollectionOptions;
import de.bwaldvogel.mongo.backend.CursorRegistry;
import de.bwaldvogel.mongo.backend.DocumentWithPosition;
import de.bwaldvogel.mongo.backend.Index;
import de.bwaldvogel.mongo.backend.QueryResult;
import de.bwaldvogel.mongo.bson.Document;
import de.bwaldvogel.mongo.oplog.Oplog;
import de.bwaldvogel.mongo.wire.bson.BsonDecoder;
import de.bwaldvogel.mongo.wire.bson.BsonEncoder;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import java.nio.ByteBuffer;
import java.util.Iterator;
import java.util.Objects;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/**
 * The documents of one collection, as BSON in the log. Each reader gets a document of its own: the library answers with
 * what it is given and updates it in place.
 */
final class StoredCollection extends AbstractSynchronizedMongoCollection<Integer> {
    private static final byte BSON_STRING = 2;

    private final DocumentLog log;
    private final Slots slots;
    private final ByteBuf encoded = Unpooled.buffer();

    StoredCollection(
            MongoDatabase database, String name, CollectionOptions options, CursorRegistry cursors, DocumentLog log,
            Slots slots) {
        super(database, name, options, cursors);
        this.log = log;
        this.slots = slots;
    }

    /** Fills the index of {@code _id} at the start of the server, without reading more of a document than that. */
    synchronized void restore(UniqueIndex ids) {
        for (int slot = 0; slot < slots.end(); slot++) {
            ByteBuffer body = slots.read(slot, log::read);
            if (body != null) {
                ids.restore(idOf(body), slot);
            }
        }
    }

    private static Object idOf(ByteBuffer body) {
        ByteBuf bson = Unpooled.wrappedBuffer(body);
        bson.skipBytes(Integer.BYTES);
        byte type = bson.readByte();
        boolean isFirst = type == BSON_STRING && BsonDecoder.decodeCString(bson).equals("_id");
        return isFirst ? BsonDecoder.decodeValue(type, bson) : decode(body).get("_id");
    }

    private static Document decode(ByteBuffer body) {
        return BsonDecoder.decodeBson(Unpooled.wrappedBuffer(body));
    }

    private void write(int slot, Document document) {
        encoded.clear();
        BsonEncoder.encodeDocument(document, encoded);
        ByteBuffer body = encoded.nioBuffer();
        slots.write(slot, body.remaining(), () -> log.append(slots.number, slot, body));
    }

    @Override
    protected Integer addDocumentInternal(Document document) {
        int slot = slots.take();
        write(slot, document);
        return slot;
    }

    @Override
    protected Document getDocument(Integer slot) {
        ByteBuffer body = slots.read(slot, log::read);
        return body == null ? null : decode(body);
    }

    @Override
    protected void handleUpdate(Integer slot, Document before, Document after) {
        write(slot, after);
    }

    @Override
    protected void removeDocument(Integer slot) {
        slots.write(slot, 0, () -> log.append(slots.number, slot, ByteBuffer.allocate(0)));
    }

    @Override
    protected Stream<DocumentWithPosition<Integer>> streamAllDocumentsWithPosition() {
        return IntStream.range(0, slots.end())
            .filter(slots::has)
            .mapToObj(slot -> new DocumentWithPosition<>(getDocument(slot), slot));
    }

    /** Looks {@code _id} (a value or {@code $in}) up first and checks the rest of the filter on what it finds. */
    @Override
    protected QueryResult queryDocuments(
            Document query, Document orderBy, int skip, int limit, int batchSize, Document fields) {
        Iterable<Integer> found = query.containsKey("_id") ? slotsOf(query.get("_id")) : null;
        if (found == null) {
            return super.queryDocuments(query, orderBy, skip, limit, batchSize, fields);
        }
        return matchDocuments(withoutId(query), found, orderBy, skip, limit, batchSize, fields);
    }

    /** Where documents with this {@code _id} (a value or {@code $in}) are; null where no index tells. */
    private Iterable<Integer> slotsOf(Object id) {
        Document byId = new Document("_id", id);
        for (Index<Integer> index : getIndexes()) {
            if (index.canHandle(byId)) {
                return index.getPositions(byId);
            }
        }
        return null;
    }

    /** The index has settled the {@code _id}, and checking n found against n asked takes n * n. */
    private static Document withoutId(Document query) {
        Document others = query.clone();
        others.remove("_id");
        return others;
    }

    /**
     * Puts a whole document in the place of another one, which is nearly all that our services write. The library copies
     * both, compares them, and goes through the new one several times; but that has just come off the wire and is nobody
     * else's. Whatever is not so plain is left to the library.
     */
    @Override
    public synchronized Document updateDocuments(
            Document query, Document update, ArrayFilters filters, boolean isMulti, boolean isUpsert, Oplog oplog) {
        Object id = query.get("_id");
        Iterable<Integer> slotsFound = isReplacement(update, id) ? slotsOf(id) : null;
        if (isMulti || slotsFound == null) {
            return super.updateDocuments(query, update, filters, isMulti, isUpsert, oplog);
        }
        Iterator<Integer> found = slotsFound.iterator();
        if (!found.hasNext() && isUpsert) {
            addDocument(update);
            return new Document("upserted", id).append("n", 0).append("nModified", 0);
        }
        Integer slot = found.hasNext() ? found.next() : null;
        Document before = slot == null ? null : getDocument(slot);
        if (before == null || !documentMatchesQuery(before, withoutId(query))) {
            return super.updateDocuments(query, update, filters, isMulti, isUpsert, oplog); // refuses a lost guard
        }
        getIndexes().forEach(index -> index.checkUpdate(before, update, this));
        getIndexes().forEach(index -> index.updateInPlace(before, update, slot, this));
        handleUpdate(slot, before, update);
        return new Document("n", 1).append("nModified", 1);
    }

    private static boolean isReplacement(Document update, Object id) {
        return id instanceof String && id.equals(update.get("_id"))
            && update.keySet().stream().noneMatch(key -> key.startsWith("$"));
    }

    @Override
    protected QueryResult matchDocuments(
            Document query, Document orderBy, int skip, int limit, int batchSize, Document fields) {
        IntStream order = IntStream.range(0, slots.end());
        if (isNaturalDescending(orderBy)) {
            int last = slots.end() - 1;
            order = order.map(slot -> last - slot);
        }
        Stream<Document> documents = order.mapToObj(this::getDocument).filter(Objects::nonNull);
        return matchDocumentsFromStream(documents, query, orderBy, skip, limit, batchSize, fields);
    }

    @Override
    public synchronized int count(Document query, int skip, int limit) {
        return super.count(query, skip, limit); // no other thread may change an index that is being read
    }

    /** Gives an aggregation that begins with a filter what fits it; the stage then checks the filter once more. */
    @Override
    public Iterable<Document> queryAll() {
        Document match = LocalMongo.takeLeadingMatch();
        return match == null ? super.queryAll() : handleQuery(match);
    }

    @Override
    public int count() {
        return slots.count();
    }

    @Override
    public boolean isEmpty() {
        return slots.count() == 0;
    }

    @Override
    protected boolean tracksDataSize() {
        return false; // it would encode each document once more
    }

    @Override
    protected void updateDataSize(int delta) {
        // the log knows it
    }

    @Override
    protected int getDataSize() {
        return (int) Math.min(slots.bytes(), Integer.MAX_VALUE);
    }
}
