import de.bwaldvogel.mongo.MongoCollection;
import de.bwaldvogel.mongo.MongoDatabase;
import de.bwaldvogel.mongo.MongoServer;
import de.bwaldvogel.mongo.MongoVersion;
import de.bwaldvogel.mongo.backend.AbstractMongoBackend;
import de.bwaldvogel.mongo.backend.AbstractSynchronizedMongoDatabase;
import de.bwaldvogel.mongo.backend.CollectionOptions;
import de.bwaldvogel.mongo.backend.CursorRegistry;
import de.bwaldvogel.mongo.backend.DatabaseResolver;
import de.bwaldvogel.mongo.backend.Index;
import de.bwaldvogel.mongo.backend.IndexKey;
import de.bwaldvogel.mongo.bson.Document;
import de.bwaldvogel.mongo.oplog.Oplog;
import io.netty.channel.Channel;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;

/**
 * A stand-in for MongoDB on machines where no MongoDB can be installed; for development and trials, not for production.
 *
 * <p>{@code java -cp 'jars/*:classes' LocalMongo PORT (--memory | FOLDER)}. It listens on 127.0.0.1.
 *
 * <p>mongo-java-server speaks MongoDB's wire protocol. Six things are mended here: the version it reports (the current
 * drivers refuse wire version 8), where documents are kept (see {@link DocumentLog}), the scan of the whole collection
 * for any filter that is more than {@code _id}, indexes that are not unique (it has none), aggregations, which scan too,
 * and what it costs to replace a document. The memory mode is the same with a folder that is removed at the end and never synced.
 */
public final class LocalMongo {

    /** The filter that the aggregation of this thread begins with, until its collection has been asked. */
    private static final ThreadLocal<Document> leadingMatch = new ThreadLocal<>();

    private LocalMongo() {}

    public static void main(String[] arguments) throws IOException, InterruptedException {
        if (arguments.length != 2) {
            System.err.println("usage: java -cp 'jars/*:classes' LocalMongo PORT (--memory | FOLDER)");
            System.exit(2);
        }
        int port = Integer.parseInt(arguments[0]);
        boolean keeps = !arguments[1].equals("--memory");
        Path folder = keeps ? Path.of(arguments[1]) : Files.createTempDirectory("labelmesh-mongo-");
        DocumentLog log = new DocumentLog(folder, keeps);
        MongoServer server = new MongoServer(new Backend(log).version(new Version()));
        Runtime.getRuntime().addShutdownHook(new Thread(() -> stop(server, log, keeps ? null : folder)));
        server.bind("127.0.0.1", port);
        System.out.println("listening on 127.0.0.1:" + port + ", data in " + arguments[1]);
        Thread.currentThread().join();
    }

    private static void stop(MongoServer server, DocumentLog log, Path removed) {
        server.shutdownNow();
        try {
            log.close();
            if (removed != null) {
                try (Stream<Path> files = Files.walk(removed)) {
                    files.sorted(Comparator.reverseOrder()).forEach(path -> path.toFile().delete());
                }
            }
        } catch (IOException error) {
            System.err.println("The log could not be closed: " + error);
        }
    }

    /** The filter that the aggregation of this thread begins with, once. */
    static Document takeLeadingMatch() {
        Document match = leadingMatch.get();
        leadingMatch.remove();
        return match;
    }

    private static final class Version implements MongoVersion {
        @Override
        public List<Integer> getVersionArray() {
            return List.of(6, 0, 0);
        }

        @Override
        public int getWireVersion() {
            return 17;
        }
    }

    private static final class Backend extends AbstractMongoBackend {
        private final DocumentLog log;

        Backend(DocumentLog log) {
            this.log = log;
            log.names().stream().map(name -> name.substring(0, name.indexOf('.'))).distinct().forEach(this::resolveDatabase);
        }

        @Override
        protected MongoDatabase openOrCreateDatabase(String name) {
            return new Database(name, getCursorRegistry(), log);
        }
    }

    private static final class Database extends AbstractSynchronizedMongoDatabase<Integer> {
        private final DocumentLog log;
        private final Map<String, StoredCollection> collections = new HashMap<>();
        private final Map<String, UniqueIndex> ids = new HashMap<>();

        Database(String name, CursorRegistry cursors, DocumentLog log) {
            super(name, cursors);
            this.log = log;
            initializeNamespacesAndIndexes();
        }

        @Override
        protected MongoCollection<Integer> openOrCreateCollection(String name, CollectionOptions options) {
            Slots slots = log.collection(getFullCollectionNamespace(name));
            StoredCollection opened = new StoredCollection(this, name, options, cursorRegistry, log, slots);
            collections.put(name, opened);
            return opened;
        }

        @Override
        protected Index<Integer> openOrCreateUniqueIndex(
                String collection, String index, List<IndexKey> keys, boolean sparse) {
            UniqueIndex opened = new UniqueIndex(index, keys, sparse);
            if (keys.size() == 1 && keys.get(0).getKey().equals("_id")) {
                collections.get(collection).restore(opened);
                ids.put(collection, opened);
            }
            return opened;
        }

        /** The library has unique indexes only, and would scan for what any other index is asked. */
        @Override
        protected Index<Integer> openOrCreateSecondaryIndex(
                String collection, String index, List<IndexKey> keys, boolean sparse) {
            return new FieldIndex(index, keys, id -> ids.get(collection).getPosition(new Document("_id", id)));
        }

        /** Lets the collection know what an aggregation begins with, and hands on what was written before it is told. */
        @Override
        public Document handleCommand(
                Channel channel, String command, Document query, DatabaseResolver databases, Oplog oplog) {
            leadingMatch.set(command.equalsIgnoreCase("aggregate") ? firstMatch(query.get("pipeline")) : null);
            try {
                return super.handleCommand(channel, command, query, databases, oplog);
            } finally {
                leadingMatch.remove();
                log.flush();
            }
        }

        private static Document firstMatch(Object pipeline) {
            boolean begins = pipeline instanceof List<?> stages && !stages.isEmpty()
                && stages.get(0) instanceof Document first && first.get("$match") instanceof Document;
            return begins ? (Document) ((Document) ((List<?>) pipeline).get(0)).get("$match") : null;
        }

        @Override
        public void dropCollection(String name, Oplog oplog) {
            super.dropCollection(name, oplog);
            log.drop(getFullCollectionNamespace(name));
            collections.remove(name);
            ids.remove(name);
        }

        @Override
        public void drop(Oplog oplog) {
            super.drop(oplog);
            String own = getDatabaseName() + ".";
            log.names().stream().filter(name -> name.startsWith(own)).forEach(log::drop);
            log.flush(); // it is no command of the database, so nothing else does
        }

        @Override
        public void moveCollection(MongoDatabase from, MongoCollection<?> collection, String name) {
            throw new UnsupportedOperationException("The stand-in renames no collection.");
        }

        @Override
        protected long getStorageSize() {
            return log.size();
        }

        @Override
        protected long getFileSize() {
            return log.size();
        }
    }
}
