import HTTPTypes
public import Hummingbird
import NIOCore
import NIOHTTP1
public import StrictJSON

/// Reads request bodies: never more than a limit, only `application/json`, only what `StrictJSON` accepts.
public enum JSONRequest {
    /// The body as `type`. Unknown fields are refused unless asked otherwise.
    ///
    /// - Throws: ``Problem`` 400 (not JSON, cut off), 413, 415, or 422 with the path of the wrong field.
    public static func read<T: Decodable>(
        _ type: T.Type,
        from request: Request,
        upTo maxBytes: Int = APIContext.defaultBodyLimit,
        limits: JSONLimits = .request,
        unknownFields: StrictJSON.UnknownFields = .reject
    ) async throws -> T {
        try checkContentType(of: request)
        let bytes = try await body(of: request, upTo: maxBytes)
        return try decode(type, from: bytes, limits: limits, unknownFields: unknownFields)
    }

    /// Decodes bytes that were read with ``body(of:upTo:)``, as when they are needed for a fingerprint too.
    public static func decode<T: Decodable>(
        _ type: T.Type,
        from bytes: [UInt8],
        limits: JSONLimits = .request,
        unknownFields: StrictJSON.UnknownFields = .reject
    ) throws(Problem) -> T {
        do {
            return try StrictJSON.decode(type, from: bytes, limits: limits, unknownFields: unknownFields)
        } catch {
            throw Problem(error)
        }
    }

    /// The body's bytes, at most `maxBytes`.
    ///
    /// - Throws: ``Problem`` 413 when there are more, 400 when the connection ends first.
    public static func body(
        of request: Request,
        upTo maxBytes: Int = APIContext.defaultBodyLimit
    ) async throws -> [UInt8] {
        if let announced = request.headers[.contentLength].flatMap({ Int($0) }), announced > maxBytes {
            throw Problem.contentTooLarge(limit: maxBytes)
        }
        var bytes: [UInt8] = []
        do {
            for try await buffer in request.body {
                guard bytes.count + buffer.readableBytes <= maxBytes else {
                    throw Problem.contentTooLarge(limit: maxBytes)
                }
                bytes.append(contentsOf: buffer.readableBytesView)
            }
        } catch let problem as Problem {
            throw problem
        } catch {
            throw Problem.badRequest("request-incomplete", "The body ended before it was complete.")
        }
        return bytes
    }

    /// Refuses bodies that are not plain UTF-8 JSON.
    ///
    /// - Throws: ``Problem`` 415.
    public static func checkContentType(of request: Request) throws(Problem) {
        if let encoding = request.headers[.contentEncoding], encoding.lowercased() != "identity" {
            throw Problem.unsupportedMediaType("Compressed bodies are not accepted.")
        }
        guard let type = request.headers[.contentType], isJSON(type) else { throw Problem.unsupportedMediaType() }
    }

    /// `application/json` or `application/<name>+json`, with no charset but UTF-8.
    static func isJSON(_ contentType: String) -> Bool {
        let parts = contentType.lowercased().split(separator: ";").map(trimmed)
        guard let type = parts.first, type.hasPrefix("application/") else { return false }
        let subtype = type.dropFirst("application/".count)
        guard subtype == "json" || (subtype.hasSuffix("+json") && subtype.count > 5) else { return false }
        return parts.dropFirst().allSatisfy { parameter in
            let pair = parameter.split(separator: "=", maxSplits: 1).map(trimmed)
            guard pair.first == "charset" else { return true }
            return pair.count == 2 && ["utf-8", "\"utf-8\"", "utf8"].contains(pair[1])
        }
    }

    private static func trimmed(_ text: Substring) -> Substring {
        text.drop { $0 == " " || $0 == "\t" }.trimmingSuffix { $0 == " " || $0 == "\t" }
    }
}

extension Substring {
    fileprivate func trimmingSuffix(while predicate: (Character) -> Bool) -> Substring {
        var end = endIndex
        while end > startIndex, predicate(self[index(before: end)]) { end = index(before: end) }
        return self[..<end]
    }
}
