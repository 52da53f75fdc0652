import Foundation
import Glibc
import HTTPKit
import Logging
import Messaging
import Testing

@testable import CardGateway

/// A disk that is full for a while.
@Suite struct FullDiskTests {
    /// The regression: the gateway refused every operation for good, and nobody started it again.
    @Test(.timeLimit(.minutes(2))) func aGatewayWhoseDiskWasFullEndsAndTheNextOneKnowsWhatWasAnswered() async throws {
        let folder = try TemporaryFolder()
        let file = try SealableFile(at: folder.ledger)
        let server = try GatewayServer(
            configuration: configuration(folder),
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        )
        async let running: Void = server.run()
        _ = try await server.listener.boundPort()
        let known = await server.gateway.perform(authorize("k1")).entry
        #expect(known != nil)
        try file.forbidGrowth()
        #expect(await server.gateway.perform(authorize("k2")) == .problem(.ledgerFailed))
        do {
            try await running
            Issue.record("the gateway ended as if all were well")
        } catch {
            #expect(error is LedgerFault)
        }

        let next = try CardGateway(configuration: configuration(folder), clock: SystemClock(), callbacks: NoCallbacks())
        defer { next.close() }
        #expect(try await next.operation(forKey: "k1") == known)
        #expect(try await next.operation(forKey: "k2") == nil)
    }
}

/// A file in memory that can be kept from growing: a disk without a free page.
private final class SealableFile {
    private let descriptor: Int32

    init(at path: String) throws {
        // Not among the functions that Swift sees. 2 is MFD_ALLOW_SEALING.
        typealias Create = @convention(c) (UnsafePointer<CChar>, UInt32) -> Int32
        let create = unsafeBitCast(try #require(dlsym(nil, "memfd_create")), to: Create.self)
        descriptor = create("ledger", 2)
        try #require(descriptor >= 0)
        try FileManager.default.createSymbolicLink(
            atPath: path,
            withDestinationPath: "/proc/self/fd/\(descriptor)"
        )
    }

    deinit { close(descriptor) }

    func forbidGrowth() throws {
        // F_ADD_SEALS and F_SEAL_GROW.
        try #require(fcntl(descriptor, 1033, 0x0004) == 0)
    }
}
