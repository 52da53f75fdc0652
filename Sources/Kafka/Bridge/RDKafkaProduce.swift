internal import CRdKafka

extension RDKafkaClient {
    /// Hands one record to the library, which copies it. Never blocks. Owner thread only.
    ///
    /// `token` comes back in the delivery report; it must not be 0. Answers `.none`, or why the record was not taken: then there will be
    /// no report.
    func produce(_ record: KafkaRecord, token: UInt) -> KafkaErrorCode {
        guard let topic = topic(record.topic) else { return .invalidTopic }
        var headers: OpaquePointer?
        if !record.headers.isEmpty {
            headers = rd_kafka_headers_new(record.headers.count)
            for header in record.headers {
                let code = add(header, to: headers)
                guard code == .none else {
                    rd_kafka_headers_destroy(headers)
                    return code
                }
            }
        }
        let partition = record.partition.map { $0 < 0 ? Int32.max : $0 } ?? RD_KAFKA_PARTITION_UA
        let code = withBytes(record.key) { key, keyCount in
            withBytes(record.value) { value, valueCount in
                crdkafka_produce(
                    handle.raw,
                    topic,
                    partition,
                    key,
                    keyCount,
                    value,
                    valueCount,
                    max(0, record.timestampMilliseconds ?? 0),
                    headers,
                    UnsafeMutableRawPointer(bitPattern: token)
                )
            }
        }
        // rdkafka.h: headers belong to the library only when the message was taken.
        if code != RD_KAFKA_RESP_ERR_NO_ERROR, let headers { rd_kafka_headers_destroy(headers) }
        return KafkaErrorCode(code)
    }

    private func add(_ header: KafkaHeader, to headers: OpaquePointer?) -> KafkaErrorCode {
        var name = header.name
        return name.withUTF8 { name in
            guard !name.contains(0) else { return .invalidArgument }
            return name.withMemoryRebound(to: CChar.self) { name in
                withBytes(header.value) { value, count in
                    KafkaErrorCode(
                        rd_kafka_header_add(headers, name.baseAddress ?? emptyName, name.count, value, count)
                    )
                }
            }
        }
    }

    /// Gives up everything not yet settled; the reports follow on the main queue. Does not wait.
    func purge() {
        _ = rd_kafka_purge(
            handle.raw,
            Int32(RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT | RD_KAFKA_PURGE_F_NON_BLOCKING)
        )
    }
}

/// Any valid address: what it points to is never read, as it is only used with a length of 0.
// Owner: nobody writes to it. It exists because Swift gives empty arrays no address, and C takes a null pointer for the protocol's null.
nonisolated(unsafe) private let emptyBytes = UnsafeRawPointer(
    UnsafeMutableRawPointer.allocate(byteCount: 1, alignment: 1)
)
nonisolated(unsafe) private let emptyName = emptyBytes.assumingMemoryBound(to: CChar.self)

/// Address and length as C wants them: nil bytes are (null, 0), no bytes are (not null, 0).
private func withBytes<Result>(_ bytes: [UInt8]?, _ body: (UnsafeRawPointer?, Int) -> Result) -> Result {
    guard let bytes else { return body(nil, 0) }
    return bytes.withUnsafeBytes { buffer in body(buffer.baseAddress ?? emptyBytes, buffer.count) }
}
