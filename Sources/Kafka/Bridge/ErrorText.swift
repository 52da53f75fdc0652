internal import CRdKafka

/// Names and sentences of librdkafka's error codes. Pure lookups in static tables, callable from any thread.
enum ErrorText {
    static func name(of code: Int32) -> String {
        String(cString: rd_kafka_err2name(rd_kafka_resp_err_t(code)))
    }

    static func sentence(of code: Int32) -> String {
        String(cString: rd_kafka_err2str(rd_kafka_resp_err_t(code)))
    }
}

extension KafkaErrorCode {
    init(_ code: rd_kafka_resp_err_t) { self.init(code.rawValue) }
}

/// Calls `body` with an error buffer and returns its result and what was written into the buffer, if anything.
func withErrorBuffer<Result>(_ body: (UnsafeMutablePointer<CChar>, Int) -> Result) -> (Result, String) {
    withUnsafeTemporaryAllocation(of: CChar.self, capacity: 512) { buffer in
        buffer.initialize(repeating: 0)
        guard let start = buffer.baseAddress else { preconditionFailure("A buffer of 512 bytes has an address.") }
        let result = body(start, buffer.count)
        buffer[buffer.count - 1] = 0
        return (result, String(cString: start))
    }
}

extension KafkaError {
    /// Takes over and frees an error object of the C library; nil in, nil out.
    static func taking(_ error: OpaquePointer?, file: String = #fileID, line: Int = #line) -> KafkaError? {
        guard let error else { return nil }
        defer { rd_kafka_error_destroy(error) }
        let code = KafkaErrorCode(rd_kafka_error_code(error))
        return KafkaError(
            code,
            String(cString: rd_kafka_error_string(error)),
            isFatal: rd_kafka_error_is_fatal(error) != 0,
            isRetriable: rd_kafka_error_is_retriable(error) != 0 || code.isRetriable,
            file: file,
            line: line
        )
    }

    /// Throws unless `code` says success.
    static func check(
        _ code: rd_kafka_resp_err_t,
        _ doing: String,
        file: String = #fileID,
        line: Int = #line
    ) throws(KafkaError) {
        guard code != RD_KAFKA_RESP_ERR_NO_ERROR else { return }
        let code = KafkaErrorCode(code)
        throw KafkaError(code, "\(doing): \(code.sentence)", file: file, line: line)
    }
}
