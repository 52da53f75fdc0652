public import ServiceLifecycle

/// A long-running task as a service: ends when its closure returns, is cancelled by a graceful shutdown.
public struct ClosureService: Service {
    private let name: String
    private let body: @Sendable () async throws -> Void

    /// Makes a service.
    ///
    /// - Parameters:
    ///   - name: for error messages.
    ///   - body: runs until it is cancelled; cancellation is its normal end.
    public init(_ name: String, _ body: @escaping @Sendable () async throws -> Void) {
        self.name = name
        self.body = body
    }

    public func run() async throws {
        do {
            try await cancelWhenGracefulShutdown(body)
        } catch is CancellationError {
            // The normal end.
        }
    }
}
