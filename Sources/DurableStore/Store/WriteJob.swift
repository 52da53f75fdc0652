/// A unit of work on its way through the writer, its result type erased.
///
/// ```
/// queued ──run──► succeeded or failed ──group committed──► finished with its own result
///    └────────────────────┴──group lost──► finished with the group's failure
/// ```
///
/// `@unchecked`: handed over through the queue's mutex, then owned by the writer's thread alone.
class WriteJob: @unchecked Sendable {
    let isRehearsal: Bool

    init(isRehearsal: Bool) { self.isRehearsal = isRehearsal }

    /// Runs the unit and keeps its value.
    func run(_ transaction: Transaction) throws {}
    /// Runs what the unit does instead after an error; throws the error on when there is nothing.
    func recover(from error: any Error, _ transaction: Transaction) throws { throw error }
    /// Keeps an error as the result.
    func fail(_ error: any Error) {}
    /// Delivers before the commit: the mistake that ``Sabotage`` can make.
    func answerEarly() {}
    /// Delivers: the kept result, or the failure of the whole group. Called exactly once.
    func finish(groupFailure: (any Error)?) {}
}

/// A unit with its result type; `@unchecked` as its superclass.
final class TypedWriteJob<Value: Sendable>: WriteJob, @unchecked Sendable {
    private let unit: @Sendable (Transaction) throws -> Value
    private let recovery: (@Sendable (any Error, Transaction) throws -> Value)?
    private let completion: @Sendable (Result<Value, any Error>) -> Void
    private var result: Result<Value, any Error>?
    private var isAnswered = false

    init(
        isRehearsal: Bool,
        unit: @escaping @Sendable (Transaction) throws -> Value,
        recovery: (@Sendable (any Error, Transaction) throws -> Value)?,
        completion: @escaping @Sendable (Result<Value, any Error>) -> Void
    ) {
        self.unit = unit
        self.recovery = recovery
        self.completion = completion
        super.init(isRehearsal: isRehearsal)
    }

    override func run(_ transaction: Transaction) throws { result = .success(try unit(transaction)) }

    override func recover(from error: any Error, _ transaction: Transaction) throws {
        guard let recovery else { throw error }
        result = .success(try recovery(error, transaction))
    }

    override func fail(_ error: any Error) { result = .failure(error) }

    override func answerEarly() {
        finish(groupFailure: nil)
        isAnswered = true
    }

    override func finish(groupFailure: (any Error)?) {
        guard !isAnswered else { return }
        if let groupFailure {
            completion(.failure(groupFailure))
        } else if let result {
            completion(result)
        }
    }
}
