/// One step from a value to one inside it.
enum JSONPathStep {
    case key(String)
    case index(Int)

    /// Longest piece of one key that a path shows, in characters.
    private static let keyCap = 64

    /// The step on its own: `quantity`, `[3]`, or `["odd key"]`.
    var text: String {
        switch self {
        case .index(let index):
            return "[\(index)]"
        case .key(let key):
            let plain =
                !key.isEmpty && key.utf8.count <= Self.keyCap
                && key.utf8.allSatisfy { byte in
                    (byte >= 0x30 && byte <= 0x39) || (byte >= 0x41 && byte <= 0x5A) || (byte >= 0x61 && byte <= 0x7A)
                        || byte == 0x5F || byte == 0x2D
                }
            if plain { return key }
            let shown = key.unicodeScalars.count > Self.keyCap ? key.prefix(Self.keyCap) + "…" : key[...]
            return "[\"\(shown)\"]"
        }
    }

    /// Prepends the separator that `rest` needs to stand behind another step.
    static func join(_ rest: String) -> String {
        rest.isEmpty || rest.hasPrefix("[") ? rest : "." + rest
    }
}
