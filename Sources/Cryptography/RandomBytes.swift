/// Bytes that nobody can guess, for keys and secrets: of the operating system's generator (getrandom(2)), by way of Swift's.
///
/// - Parameter count: 0 or more.
public func randomBytes(_ count: Int) -> [UInt8] {
    var generator = SystemRandomNumberGenerator()
    return (0..<count).map { _ in UInt8.random(in: .min ... .max, using: &generator) }
}
