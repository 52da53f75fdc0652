import FoundationEssentials

/// JSON of the supervisor's own files and socket.
enum JSONText {
    /// Decodes a document; the error's sentence names it.
    static func decode<Value: Decodable>(
        _ type: Value.Type,
        from bytes: [UInt8],
        named name: String
    ) throws(SupervisionError) -> Value {
        do {
            return try JSONDecoder().decode(type, from: Data(bytes))
        } catch let error as SupervisionError {
            throw error
        } catch let DecodingError.keyNotFound(key, context) {
            throw SupervisionError("the \(name) lacks '\(key.stringValue)'\(place(context))")
        } catch let DecodingError.typeMismatch(_, context), let DecodingError.valueNotFound(_, context) {
            throw SupervisionError("the \(name) has a value of the wrong type\(place(context))")
        } catch {
            throw SupervisionError("the \(name) is not valid JSON")
        }
    }

    /// Encodes on one line, keys sorted, slashes as they are.
    static func encode(_ value: some Encodable, pretty: Bool = false) -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        if pretty { encoder.outputFormatting.insert(.prettyPrinted) }
        // The documents hold only strings, integers and finite numbers: encoding cannot fail. An empty object is harmless.
        guard let data = try? encoder.encode(value) else { return Array("{}".utf8) }
        return [UInt8](data)
    }

    private static func place(_ context: DecodingError.Context) -> String {
        guard !context.codingPath.isEmpty else { return "" }
        let path = context.codingPath.map { key in key.intValue.map(String.init) ?? key.stringValue }
        return " at \(path.joined(separator: "."))"
    }
}
