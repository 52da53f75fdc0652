public import HTTPTypes
public import Hummingbird
import NIOCore
public import StrictJSON

/// Makes responses with JSON bodies: compact, sorted keys, length known.
public enum JSONResponse {
    /// A response with `value` as its body.
    ///
    /// - Throws: `JSONFault` when the value has fractions or integers over 64 bits (a programmer's error).
    public static func make(
        _ value: some Encodable,
        status: HTTPResponse.Status = .ok,
        headers: HTTPFields = [:]
    ) throws -> Response {
        make(bytes: try StrictJSON.encode(value), status: status, headers: headers)
    }

    /// A response with `value` as its body.
    public static func make(
        _ value: JSONValue,
        status: HTTPResponse.Status = .ok,
        contentType: String = "application/json",
        headers: HTTPFields = [:]
    ) -> Response {
        make(bytes: StrictJSON.encode(value), status: status, contentType: contentType, headers: headers)
    }

    /// A response with bytes that are JSON already.
    public static func make(
        bytes: [UInt8],
        status: HTTPResponse.Status = .ok,
        contentType: String = "application/json",
        headers: HTTPFields = [:]
    ) -> Response {
        var headers = headers
        headers[.contentType] = contentType
        return Response(status: status, headers: headers, body: ResponseBody(byteBuffer: ByteBuffer(bytes: bytes)))
    }
}
