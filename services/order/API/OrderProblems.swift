import HTTPKit
import HTTPTypes

/// What a client is told when a use case did nothing.
enum OrderProblems {
    /// Runs a use case; its faults leave as problem documents. Other errors go on: what ServiceKit says of failures holds for every
    /// route of every service, and what is left is answered with 500 and logged.
    static func translating<T>(_ body: () async throws -> T) async throws -> T {
        do {
            return try await body()
        } catch let fault as UseCaseFault {
            throw problem(fault)
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
