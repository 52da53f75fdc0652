import Foundation
import KitTestSupport

func base64(_ bytes: [UInt8]) -> String { Data(bytes).base64EncodedString() }

func eventuallyDelivered(_ bench: LiveBench, _ count: Int) async throws -> Bool {
    try await eventually { try await bench.count("delivered") == count }
}
