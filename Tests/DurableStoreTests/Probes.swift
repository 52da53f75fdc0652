import Messaging
import Synchronization

@testable import DurableStore

enum PayloadHashProbe {
    static func hex(_ text: String) -> String {
        let digest = PayloadHash.murmur3([UInt8](text.utf8))
        return [digest.high, digest.low].map { value in
            let digits = String(value, radix: 16)
            return String(repeating: "0", count: 16 - digits.count) + digits
        }.joined()
    }
}
