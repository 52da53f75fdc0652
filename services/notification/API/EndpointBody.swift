import HTTPKit
import NotificationCore
import StrictJSON
import Webhooks

/// What creates or changes an endpoint. All fields are optional in a change.
struct EndpointBody: Decodable, Sendable {
    let url: String?
    let description: String?
    let eventTypes: [String]?
    let secret: String?
    let uid: String?
    let headers: [String: String]?
    let metadata: [String: String]?
    let timeoutMs: Int?
    let maxInFlight: Int?
    let throttlePerSecond: Int?
    let ordering: String?
    let onExhausted: String?
    let terminalStatuses: [Int]?
    let scheduleMs: [Int64]?
    let signs: String?
    let breakerThreshold: Int?
    let channels: [String]?
    let filter: JSONValue?
    let payload: String?
    let format: String?
    let asksConsent: Bool?

    /// Changes what is given. 0 takes a throttle away, an empty list takes an own schedule away, an empty object a filter.
    func apply(to settings: inout EndpointSettings) throws(Problem) {
        if let url { settings.url = url }
        if let description { settings.description = description }
        if let eventTypes { settings.eventTypes = eventTypes.map(EventCatalog.pattern) }
        if let uid { settings.uid = uid.isEmpty ? nil : uid }
        if let headers { settings.headers = headers }
        if let metadata { settings.metadata = metadata }
        if let timeoutMs { settings.timeoutMilliseconds = timeoutMs }
        if let maxInFlight { settings.maximumInFlight = maxInFlight }
        if let throttlePerSecond { settings.throttlePerSecond = throttlePerSecond == 0 ? nil : throttlePerSecond }
        if let terminalStatuses { settings.terminalStatuses = Set(terminalStatuses) }
        if let scheduleMs { settings.schedule = scheduleMs.isEmpty ? nil : scheduleMs }
        if let breakerThreshold { settings.breakerThreshold = breakerThreshold < 0 ? nil : breakerThreshold }
        if let ordering { settings.ordering = try value(ordering, "ordering") }
        if let onExhausted { settings.onExhausted = try value(onExhausted, "onExhausted") }
        if let signs { settings.signs = try value(signs, "signs") }
        if let payload { settings.payload = try value(payload, "payload") }
        if let format { settings.format = try value(format, "format") }
        if let channels { settings.channels = channels }
        if let filter { settings.filter = filter.objectValue?.isEmpty == true ? nil : try Self.filter(filter) }
        if let asksConsent { settings.asksConsent = asksConsent }
    }

    /// The caller's own key; `nil` when none is given.
    func parsedSecret() throws(Problem) -> WebhookSecret? { try Self.secret(secret) }

    static func secret(_ text: String?) throws(Problem) -> WebhookSecret? {
        guard let text else { return nil }
        do throws(WebhookSecret.Fault) {
            return try WebhookSecret(text)
        } catch {
            throw Problem.unprocessable(
                "secret-invalid",
                error.description,
                fields: [Problem.Field(path: "secret", code: "secret-invalid", detail: error.description)]
            )
        }
    }

    private static func filter(_ document: JSONValue) throws(Problem) -> ContentFilter {
        do throws(ContentFilter.Fault) {
            return try ContentFilter(document)
        } catch {
            throw Problem.unprocessable(
                "filter-invalid",
                error.description,
                fields: [Problem.Field(path: "filter", code: "filter-invalid", detail: error.description)]
            )
        }
    }

    private func value<Value: RawRepresentable & CaseIterable>(
        _ text: String,
        _ path: String
    ) throws(Problem) -> Value where Value.RawValue == String {
        if let value = Value(rawValue: text) { return value }
        let detail = "\(path) is one of " + Value.allCases.map(\.rawValue).joined(separator: ", ") + "."
        throw Problem.unprocessable(
            "invalid-value",
            detail,
            fields: [Problem.Field(path: path, code: "invalid-value", detail: detail)]
        )
    }
}

/// Asks for a new key.
struct RotateBody: Decodable, Sendable {
    let graceSeconds: Int64?
    let secret: String?
}
