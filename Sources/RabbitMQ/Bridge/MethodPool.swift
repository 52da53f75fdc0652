import CRabbitMQ

/// Memory of rabbitmq-c for the arguments of one method at a time.
///
/// Owned by one thread: a pool may not be shared (amqp.h). Everything handed out is gone after ``recycle()``.
final class MethodPool {
    let pool: UnsafeMutablePointer<amqp_pool_t>

    init() {
        pool = .allocate(capacity: 1)
        pool.initialize(to: amqp_pool_t())
        init_amqp_pool(pool, 4_096)
    }

    deinit {
        empty_amqp_pool(pool)
        pool.deallocate()
    }

    func recycle() { recycle_amqp_pool(pool) }

    /// A copy of the text. Lengths are checked by rabbitmq-c when it writes a short string.
    func bytes(_ text: String) -> amqp_bytes_t {
        var copy = text
        return copy.withUTF8 { store(UnsafeRawBufferPointer($0)) }
    }

    func store(_ source: UnsafeRawBufferPointer) -> amqp_bytes_t {
        var result = amqp_bytes_t(len: 0, bytes: nil)
        guard let base = source.baseAddress, source.count > 0 else { return result }
        amqp_pool_alloc_bytes(pool, source.count, &result)
        guard let destination = result.bytes else { return amqp_bytes_t(len: 0, bytes: nil) }
        destination.copyMemory(from: base, byteCount: source.count)
        return result
    }

    /// The table in rabbitmq-c's form, made from our own encoding; nil when the table cannot be expressed.
    func table(_ table: RabbitMQTable) -> amqp_table_t? {
        var result = amqp_table_t(num_entries: 0, entries: nil)
        if table.isEmpty { return result }
        var encoded: [UInt8] = []
        guard FieldTableCodec.encode(table, into: &encoded) else { return nil }
        // rabbitmq-c's values point into the bytes they are read from, hence the copy in the pool.
        let stored = encoded.withUnsafeBytes { store($0) }
        var offset = 0
        guard amqp_decode_table(stored, pool, &result, &offset) == Int32(AMQP_STATUS_OK.rawValue) else { return nil }
        return result
    }
}

extension String {
    /// The text of bytes that rabbitmq-c points to; broken UTF-8 is repaired.
    init(_ bytes: amqp_bytes_t) {
        guard let base = bytes.bytes, bytes.len > 0 else {
            self = ""
            return
        }
        self.init(decoding: UnsafeRawBufferPointer(start: base, count: bytes.len), as: UTF8.self)
    }
}
