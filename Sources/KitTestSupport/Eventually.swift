/// Waits for a condition that other tasks bring about.
///
/// - Parameters:
///   - limit: the longest wait.
///   - condition: asked again and again, a few milliseconds apart.
/// - Returns: whether the condition came true in time.
public func eventually(
    within limit: Duration = .seconds(30),
    _ condition: @Sendable () async throws -> Bool
) async rethrows -> Bool {
    let deadline = ContinuousClock.now + limit
    while ContinuousClock.now < deadline {
        if try await condition() { return true }
        try? await Task.sleep(for: .milliseconds(3))
    }
    return try await condition()
}
