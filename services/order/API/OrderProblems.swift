import HTTPKit
import HTTPTypes
import Messaging

/// What a client is told when a use case did nothing.
enum OrderProblems {
    /// Runs a use case; its faults and the store's leave as problem documents. Other errors go on: they are answered with
    /// 500 and logged.
    static func translating<T>(_ body: () async throws -> T) async throws -> T {
        do {
            return try await body()
        } catch let fault as UseCaseFault {
            throw problem(fault)
        } catch let failure as Failure where failure.failureClass == .retryable || failure.failureClass == .interrupted
        {
            // Nothing was accepted; the same request with the same key may be repeated.
            throw Problem.unavailable(failure.code, "The service cannot do this at the moment.", retryAfterSeconds: 1)
        }
    }

    static func problem(_ fault: UseCaseFault) -> Problem {
        let fields = fault.path.map { [Problem.Field(path: $0, code: fault.code, detail: fault.description)] } ?? []
        switch fault.kind {
        case .malformed: return Problem(.badRequest, code: fault.code, detail: fault.description, fields: fields)
        case .unacceptable:
            return Problem(.unprocessableContent, code: fault.code, detail: fault.description, fields: fields)
        case .notFound: return Problem(.notFound, code: fault.code, detail: fault.description)
        case .conflict: return Problem(.conflict, code: fault.code, detail: fault.description)
        case .overloaded: return .unavailable(fault.code, fault.description)
        }
    }
}
